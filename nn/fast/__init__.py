"""The fast stage: takes a ``Sequential`` and gives an equivalent, faster one.

``plan`` recognises layers and groups them into ``stages``; ``engine`` cuts a batch into shards
and runs each as a list of kernel calls; ``kernels_*`` are the kernels, written on the SIMD type
of ``nn.kernels.simd``. ``Sequential`` uses it by itself; ``nn.use_engine("plain")`` keeps it out.
"""

from nn.fast.engine import Engine, prepare

__all__ = ["Engine", "prepare"]
