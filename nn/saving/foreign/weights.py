"""Which array of the file belongs to which layer.

Keras has written weights in two ways. The legacy way (`.h5` of all ages) is a group for each
entry of the model's list of layers, in order, with the arrays' names in an attribute; a nested
model is one group. Keras 3's way (`.weights.h5`, inside `.keras`) is a tree of class names with
numbered arrays and no names. Either becomes a table: layer -> arrays, none of them read yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nn.saving.errors import MAX_LAYERS, FormatError
from nn.saving.foreign.architecture import Architecture, Block, LayerSpec
from nn.saving.foreign.translate import Dialect, Stored
from nn.saving.hdf5 import Dataset, Group

_OLD_LEAVES = {
    "W": "kernel", "b": "bias", "running_mean": "moving_mean", "running_std": "moving_variance",
    "depthwise_kernel": "kernel", "alphas": "alpha",
}  # fmt: skip


@dataclass
class Named:
    """A group of the legacy layout: the arrays of one entry of the list of layers."""

    name: str
    weights: list[tuple[str, Dataset]]


def slots(spec: LayerSpec) -> tuple[list[str], list[str]]:
    """Name the arrays Keras keeps for a layer: the trained ones and the others."""
    settings = spec.settings
    if spec.kind == "BatchNormalization":
        trained = ["gamma"] * settings.flag("scale", default=True)
        trained += ["beta"] * settings.flag("center", default=True)
        return trained, ["moving_mean", "moving_variance"]
    if spec.kind == "Normalization" and settings.get("mean") is None:
        return [], ["mean", "variance", "count"]
    if spec.kind == "PReLU":
        return ["alpha"], []
    bias = ["bias"]
    if spec.kind in ("Conv2D", "Conv1D", "Dense", "DepthwiseConv2D", "AtrousConvolution2D"):
        return ["kernel"] + bias * settings.flag("use_bias", "bias", default=True), []
    if spec.kind == "SeparableConv2D":
        kernels = ["kernel", "pointwise_kernel"]
        return kernels + bias * settings.flag("use_bias", "bias", default=True), []
    return [], []


def names(spec: LayerSpec) -> list[str]:
    """Name all arrays of a layer in Keras's order."""
    trained, others = slots(spec)
    return trained + others


def is_legacy(root: Group) -> bool:
    """Tell the layout of groups with names from Keras 3's tree."""
    return "model_weights" in root or root.attribute_list("layer_names") is not None


def legacy_dialect(root: Group) -> Dialect:
    """Find out who wrote a legacy file, and so how it keeps its kernels.

    Keras 1 wrote no version beside the weights. Theano convolves where everybody else correlates,
    so its kernels are turned by 180 degrees; its names lack TensorFlow's ``:0``.
    """
    group = root.group("model_weights") if "model_weights" in root else root
    version = group.attribute("keras_version")
    backend = str(group.attribute("backend") or root.attribute("backend") or "")
    old = not isinstance(version, str) or version.startswith("1.")
    theano = backend == "theano"
    if old and not backend:
        first = next((n for g in read_groups(group) for n, _ in g.weights), "")
        theano = bool(first) and not first.endswith(":0")
    modern = isinstance(version, str) and not version.startswith(("1.", "2."))
    return Dialect(keras_1=old, flipped=theano, old_hard_sigmoid=not modern)


def read_groups(group: Group) -> list[Named]:
    """List the groups that hold weights, in the order of `layer_names`."""
    listed = group.attribute_list("layer_names")
    if listed is None:
        raise FormatError(group.path, "an attribute layer_names", "none", "It is no Keras file.")
    if len(listed) > MAX_LAYERS:
        raise FormatError(group.path, f"at most {MAX_LAYERS} layers", len(listed))
    found = []
    for name in listed:
        inner = group.group(name)
        weights = inner.attribute_list("weight_names") or []
        if weights:
            found.append(Named(name, [(w, inner.dataset(w)) for w in weights]))
    return found


def bind_legacy(architecture: Architecture, root: Group) -> dict[int, Sequence[Stored]]:
    """Give each layer its arrays out of a legacy file: by name where names agree, else in order.

    Raises
    ------
    FormatError
        When the file has other layers than the architecture.
    """
    group = root.group("model_weights") if "model_weights" in root else root
    groups = read_groups(group)
    blocks = [b for b in architecture.blocks if any(any(slots(s)) for s in b.layers)]
    table: dict[int, Sequence[Stored]] = {}
    by_name = {g.name: g for g in groups}
    if len(by_name) == len(groups) and all(b.name in by_name for b in blocks):
        pairs = [(b, by_name[b.name]) for b in blocks]
    elif len(blocks) == len(groups):
        pairs = list(zip(blocks, groups, strict=True))
    else:
        # Perhaps one side is nested and the other flat: compare them flat.
        everything = Named("model", [w for g in groups for w in g.weights])
        try:
            _share(Block("model", architecture.layers, nested=True), everything, table)
        except FormatError:
            raise FormatError(
                "weights",
                f"{len(blocks)} layers with weights ({', '.join(b.name for b in blocks[:8])})",
                f"{len(groups)} ({', '.join(g.name for g in groups[:8])})",
                "The file was saved from another architecture.",
            ) from None
        return table
    for block, named in pairs:
        if block.nested:
            _share(block, named, table)
        else:
            table[id(block.layers[0])] = [dataset for _, dataset in named.weights]
    return table


def _leaf(name: str) -> str:
    """Give an array's role out of its name: conv2d/kernel:0 and convolution2d_1_W are kernels."""
    last = name.rsplit("/", 1)[-1].split(":")[0]
    for ending, leaf in _OLD_LEAVES.items():
        if last == ending or last.endswith(f"_{ending}"):
            return leaf
    for leaf in ("moving_mean", "moving_variance", "gamma", "beta", "kernel", "bias", "alpha"):
        if last == leaf or (last.endswith(f"_{leaf}") and last != "pointwise_kernel"):
            return leaf
    return last


def _share(block: Block, named: Named, table: dict[int, Sequence[Stored]]) -> None:
    """Share a nested model's arrays among its layers.

    Names decide where they contain the layers' names. Else the order does: Keras lists all
    trained arrays before all others.
    """
    specs = [spec for spec in block.layers if any(slots(spec))]
    taken = {id(spec): _of(spec, named) for spec in specs}
    if sum(len(t) for t in taken.values()) == len(named.weights) and all(
        len(taken[id(spec)]) == len(names(spec)) for spec in specs
    ):
        table.update(taken)
        return
    first = [(s, n) for s in specs if s.trainable for n in slots(s)[0]]
    last = [(s, n) for s in specs for n in (slots(s)[1] if s.trainable else names(s))]
    in_turn = [(s, n) for s in specs for n in names(s)]
    leaves = [_leaf(name) for name, _ in named.weights]
    for order in (first + last, in_turn):
        if [name for _, name in order] == leaves:
            for (spec, _), (_, dataset) in zip(order, named.weights, strict=True):
                table[id(spec)] = [*table.get(id(spec), ()), dataset]
            return
    expected = ", ".join(f"{s.name}/{n}" for s, n in in_turn[:12])
    raise FormatError(f"layer {named.name!r}", f"weights {expected}", [n for n, _ in named.weights])


def _of(spec: LayerSpec, named: Named) -> list[Dataset]:
    return [dataset for name, dataset in named.weights if spec.name in name.split("/")[:-1]]


def bind_tree(architecture: Architecture, root: Group) -> dict[int, Sequence[Stored]]:
    """Give each layer its arrays out of Keras 3's tree of class names."""
    table: dict[int, Sequence[Stored]] = {}
    top = "layers" if "layers" in root else "_layer_checkpoint_dependencies"
    if top not in root:
        raise FormatError("weights", "groups model_weights or layers", list(root)[:8])
    for spec in architecture.layers:
        if not any(slots(spec)):
            continue
        folder = _descend(root, spec.path.replace("layers", top))
        if folder is not None and "vars" in folder:
            table[id(spec)] = folder.group("vars").numbered()
    found, used = _count(root.group(top), 0), sum(len(arrays) for arrays in table.values())
    if found != used:
        raise FormatError(
            "weights", f"{used} arrays for these layers", f"{found} arrays",
            "The file was saved from another architecture.",
        )  # fmt: skip
    return table


def _count(folder: Group, depth: int) -> int:
    """Count the arrays below a folder of layers, but for the states of random generators."""
    if depth > 16:
        raise FormatError(folder.path, "at most 16 levels", "more")
    total = 0
    for name in folder:
        if name == "vars":
            total += sum(n.isdecimal() for n in folder.group(name))
        elif name != "seed_generator" and folder.is_group(name):
            total += _count(folder.group(name), depth + 1)
    return total


def _descend(root: Group, path: str) -> Group | None:
    for name in path.split("/"):
        if name not in root:
            return None
        root = root.group(name)
    return root
