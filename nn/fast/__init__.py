"""Why it is fast: compiled operations, and a stage that runs whole networks.

``operations`` has the compiled twin of each function of ``nn.reference``; ``nn.ops`` chooses
between the two. ``engine`` takes a ``Sequential`` and gives an equivalent, faster one: its plan
recognises layers and groups them into stages, and a batch is cut into shards that run as lists of
kernel calls. ``conv``, ``dense`` and ``norm`` hold the kernels, one module an algorithm, written on
the SIMD type of ``simd`` and compiled by ``jit``. ``nn.use_engine("plain")`` keeps the engine out.
"""
