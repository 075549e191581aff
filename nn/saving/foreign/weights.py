"""Which array of the file belongs to which layer.

Keras has written weights in two ways. The legacy way (`.h5` of all ages) is a group for each
entry of the model's list of layers, in order, with the arrays' names in an attribute; a nested
model is one group. Keras 3's way (`.weights.h5`, inside `.keras`) is a tree of class names with
numbered arrays and no names. Either fills ``stored`` of each layer; no array is read yet.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from nn.saving.errors import MAX_LAYERS, FormatError, require
from nn.saving.foreign.architecture import Architecture, LayerSpec
from nn.saving.hdf5 import Dataset, Group

_WITH_KERNEL = ("Conv2D", "Conv1D", "Dense", "DepthwiseConv2D", "AtrousConvolution2D")
# The arrays Keras keeps for a layer, in its order: the trained ones and the others.
_ARRAYS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    **dict.fromkeys(_WITH_KERNEL, (("kernel", "bias"), ())),
    "SeparableConv2D": (("kernel", "pointwise_kernel", "bias"), ()),
    "BatchNormalization": (("gamma", "beta"), ("moving_mean", "moving_variance")),
    "Normalization": ((), ("mean", "variance", "count")),
    "PReLU": (("alpha",), ()),
}
# Settings that leave an array out.
_SWITCHES = {"bias": ("use_bias", "bias"), "gamma": ("scale",), "beta": ("center",)}
_OLD_LEAVES = {
    "W": "kernel", "b": "bias", "running_mean": "moving_mean", "running_std": "moving_variance",
    "depthwise_kernel": "kernel", "alphas": "alpha",
}  # fmt: skip
_LEAVES = ("moving_mean", "moving_variance", "gamma", "beta", "kernel", "bias", "alpha")
_OTHER = "The file was saved from another architecture."

Named = list[tuple[str, Dataset]]


@dataclass(frozen=True)
class Dialect:
    """How the program that wrote the file differs from Keras 3."""

    keras_1: bool = False  # which had its own kernel layout
    flipped: bool = False  # Theano convolves where others correlate: kernels turned by 180 degrees
    old_hard_sigmoid: bool = False  # of slope 1/5, up to Keras 2; since Keras 3 it is 1/6


def slots(spec: LayerSpec) -> tuple[list[str], list[str]]:
    """Name the arrays Keras keeps for a layer: the trained ones and the others."""
    trained, others = ((), ()) if spec.own else _ARRAYS.get(spec.kind, ((), ()))
    if spec.kind == "Normalization" and spec.settings.get("mean") is not None:
        others = ()
    on = {n: spec.settings.flag(*_SWITCHES[n], default=True) for n in trained if n in _SWITCHES}
    return [name for name in trained if on.get(name, True)], list(others)


def names(spec: LayerSpec) -> list[str]:
    """Name all arrays of a layer in Keras's order."""
    trained, others = slots(spec)
    return trained + others


def bind(architecture: Architecture, root: Group, version: str) -> Dialect:
    """Fill ``stored`` of every layer from an HDF5 file with weights; say who wrote that.

    `version` is that of the Keras that wrote an archive.
    """
    if "model_weights" in root:
        group = root.group("model_weights")
    elif root.attribute_list("layer_names") is not None:
        group = root
    else:
        _bind_tree(architecture, root)
        return Dialect(old_hard_sigmoid=version.startswith("2."))
    groups = _read_groups(group)
    for spec in architecture.layers:
        if spec.own and spec.name in groups:  # only its name tells what belongs to it
            spec.stored = [dataset for _, dataset in groups.pop(spec.name)]
    _bind_groups(architecture, groups)
    stated = group.attribute("keras_version")
    backend = str(group.attribute("backend") or root.attribute("backend") or "")
    old = not isinstance(stated, str) or stated.startswith("1.")  # Keras 1 wrote none there
    theano = backend == "theano"
    if old and not backend and groups:
        theano = not next(iter(groups.values()))[0][0].endswith(":0")  # TensorFlow's names do
    return Dialect(old, theano, old or stated.startswith("2."))


def legacy_groups(root: Group) -> dict[str, Named]:
    """Give the arrays of each layer of a legacy file by the layer's name."""
    group = root.group("model_weights") if "model_weights" in root else root
    listed = group.attribute_list("layer_names") is not None
    require(listed, "by_name", "a legacy .h5 file, which names layers", "a file without names")
    return _read_groups(group)


def _read_groups(group: Group) -> dict[str, Named]:
    """Give the arrays of each group that has any, in the order of `layer_names`."""
    listed = group.attribute_list("layer_names")
    if listed is None:
        raise FormatError(group.path, "an attribute layer_names", "none", "It is no Keras file.")
    require(len(listed) <= MAX_LAYERS, group.path, f"at most {MAX_LAYERS} layers", len(listed))
    found = {}
    for name in listed:
        inner = group.group(name)
        if weights := inner.attribute_list("weight_names"):
            found[name] = [(weight, inner.dataset(weight)) for weight in weights]
    return found


def _bind_groups(architecture: Architecture, groups: dict[str, Named]) -> None:
    """Give each layer its arrays: by its name where names agree, else in order."""
    parts = [part for part in architecture.parts if any(names(s) for s in part.layers)]
    if all(part.name in groups for part in parts):
        found = [groups[part.name] for part in parts]
    elif len(parts) == len(groups):
        found = list(groups.values())
    else:
        # Perhaps one side is nested and the other flat: compare them flat.
        try:
            return _share(architecture, [named for group in groups.values() for named in group])
        except FormatError:
            expected = f"{len(parts)} layers with weights ({', '.join(p.name for p in parts[:8])})"
            received = f"{len(groups)} ({', '.join(list(groups)[:8])})"
            raise FormatError("weights", expected, received, _OTHER) from None
    for part, named in zip(parts, found, strict=True):
        if isinstance(part, Architecture):
            _share(part, named)
        else:
            part.stored = [dataset for _, dataset in named]
    return None


def _share(model: Architecture, named: Named) -> None:
    """Share a nested model's arrays among its layers: by the layers' names, else in order."""
    specs = [spec for spec in model.layers if names(spec)]
    taken = [[d for n, d in named if spec.name in n.split("/")[:-1]] for spec in specs]
    counts = [len(arrays) for arrays in taken]
    if sum(counts) == len(named) and counts == [len(names(spec)) for spec in specs]:
        for spec, arrays in zip(specs, taken, strict=True):
            spec.stored = arrays
        return
    first = [(s, n) for s in specs if s.trainable for n in slots(s)[0]]
    last = [(s, n) for s in specs for n in (slots(s)[1] if s.trainable else names(s))]
    by_layer = [(s, n) for s in specs for n in names(s)]
    leaves = [_leaf(name) for name, _ in named]
    for order in (first + last, by_layer):  # Keras lists all trained arrays before all others
        if [name for _, name in order] == leaves:
            for (spec, _), (_, dataset) in zip(order, named, strict=True):
                spec.stored = [*spec.stored, dataset]
            return
    expected = ", ".join(f"{s.name}/{n}" for s, n in by_layer[:12])
    raise FormatError(f"layer {model.name!r}", f"weights {expected}", [n for n, _ in named])


def _leaf(name: str) -> str:
    """Give an array's role out of its name: conv2d/kernel:0 and convolution2d_1_W are kernels."""
    last = name.rsplit("/", 1)[-1].split(":")[0]
    for ending in (*_OLD_LEAVES, *_LEAVES):
        if last == ending or (last.endswith(f"_{ending}") and last != "pointwise_kernel"):
            return _OLD_LEAVES.get(ending, ending)
    return last


def _bind_tree(architecture: Architecture, root: Group) -> None:
    """Give each layer its arrays out of Keras 3's tree of class names."""
    top = "layers" if "layers" in root else "_layer_checkpoint_dependencies"
    require(top in root, "weights", "groups model_weights or layers", list(root)[:8])
    stored = dict(_tree(root.group(top), top, 0))
    specs = [spec for spec in architecture.layers if spec.own or names(spec)]
    for spec in specs:
        spec.stored = stored.pop(spec.path.replace("layers", top), [])
    used, left = (sum(map(len, s)) for s in ([s.stored for s in specs], stored.values()))
    expected = f"{used} arrays for these layers"
    require(not left, "weights", expected, f"{used + left} arrays", _OTHER)


def _tree(folder: Group, path: str, depth: int) -> Iterator[tuple[str, list[Dataset]]]:
    """List the arrays of each layer below a folder, but for the states of random generators."""
    require(depth <= 16, folder.path, "at most 16 levels", "more")
    for name in folder:
        if name == "vars":
            yield path, folder.group(name).numbered()
        elif name != "seed_generator" and folder.is_group(name):
            yield from _tree(folder.group(name), f"{path}/{name}", depth + 1)
