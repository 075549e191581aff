"""Files of other programs: every Keras since 1.0, translated to the layers of `nn`.

Reading order: `settings` (JSON and checked values), `architecture` (JSON to a chain of layers),
`weights` (which array belongs to which layer), `translate` with `elementwise` and
`convolutions` (Keras's layers to ours). `digits` is about a model's input: how 28×28 digits have
to be scaled, turned and shaped for it.
"""
