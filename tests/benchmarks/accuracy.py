"""Does it learn as well? ``python -m tests.benchmarks.accuracy [--seeds 5] [--epochs 1 2 10]``.

The original network and recipe (Adadelta at 1.0, batches of 128, dropout) in this project and in
PyTorch, from the same first weights, on 55,000 training images; judged on the 5,000 others. The
order of the images and the dropout are each program's own, so single runs differ; their means over
the seeds must not, beyond the noise. Quarter of an hour for five seeds on one core.
"""

import argparse
import json
import os
import statistics

import numpy as np

from nn import runtime
from tests.benchmarks.nets import NETS, digits, ours
from tests.benchmarks.peers import TorchPeer

BATCH, KEPT = 128, 5_000


def hand_over(model, peer):
    """Give PyTorch's network the weights of ours: kernels (KH, KW, C, F) become (F, C, KH, KW)."""
    torch = peer.torch
    ours_in_pairs = iter([layer for layer in model.layers if layer.params])
    shape = None
    with torch.no_grad():
        for module in peer.plain:
            if not hasattr(module, "bias"):
                continue
            layer = next(ours_in_pairs)
            kernel = layer.params["kernel"]
            if kernel.ndim == 4:
                given, shape = kernel.transpose(3, 2, 0, 1), layer
            elif shape is not None:  # flattened: our rows are (H, W, C), theirs (C, H, W)
                F = shape.y_shape[-1]
                side = round((len(kernel) / F) ** 0.5)
                rows = kernel.reshape(side, side, F, -1).transpose(2, 0, 1, 3)
                given, shape = rows.reshape(len(kernel), -1).T, None
            else:
                given = kernel.T
            module.weight.copy_(torch.from_numpy(np.ascontiguousarray(given)))
            module.bias.copy_(torch.from_numpy(layer.params["bias"].copy()))


def accuracy_of_peer(peer, x, y):
    """Return the share of images that PyTorch's network reads right."""
    right = 0
    for start in range(0, len(x), 1000):
        answers = peer.predict(peer.tensor(x[start : start + 1000])).argmax(1).numpy()
        right += int((answers == y[start : start + 1000]).sum())
    return right / len(x)


def run(seed, epochs, threads):
    """Return {"ours": {epoch: accuracy}, "torch": {epoch: accuracy}} of one seed."""
    shape, net = NETS["original"]
    x, y, source = digits(60_000)
    if source != "MNIST":
        raise SystemExit("accuracy: expected MNIST, found none. Set NN_DATA_DIR to its folder.")
    (x, tx), (y, ty) = (x[:-KEPT], x[-KEPT:]), (y[:-KEPT], y[-KEPT:])
    runtime.set_num_threads(threads)
    model = ours(shape, net, seed)
    peer = TorchPeer(shape, net, threads)
    hand_over(model, peer)
    first = model.predict(tx[:100])
    if not np.allclose(first, peer.predict(peer.tensor(tx[:100])).numpy(), atol=1e-5):
        raise SystemExit("accuracy: the two networks do not begin alike; nothing was compared.")
    peer.torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    tensors, labels = peer.tensor(x), peer.labels(y)
    found = {"ours": {}, "torch": {}}
    for epoch in range(1, max(epochs) + 1):
        model.fit(x, y, batch_size=BATCH, epochs=1, verbose=0)
        order = peer.torch.from_numpy(rng.permutation(len(x)))
        for start in range(0, len(x), BATCH):
            chosen = order[start : start + BATCH]
            peer.step(tensors[chosen], labels[chosen])
        if epoch in epochs:
            found["ours"][epoch] = float(model.evaluate(tx, ty, verbose=0)[1])
            found["torch"][epoch] = accuracy_of_peer(peer, tx, ty)
    return found


def report(runs, epochs):
    """Return the lines of the table."""
    lines = [f"{len(runs)} seeds, validation accuracy in %, mean (standard deviation)"]
    for epoch in epochs:
        rows = {name: [100 * r[name][epoch] for r in runs] for name in ("ours", "torch")}
        gaps = [a - b for a, b in zip(rows["ours"], rows["torch"], strict=True)]
        spread = statistics.stdev(gaps) / len(gaps) ** 0.5 if len(gaps) > 1 else float("nan")
        cells = [
            f"{name} {statistics.mean(values):.2f}"
            + (f" ({statistics.stdev(values):.2f})" if len(values) > 1 else "")
            for name, values in rows.items()
        ]
        gap = f"difference {statistics.mean(gaps):+.2f} +- {spread:.2f} (standard error)"
        lines.append(f"after {epoch:2d} epochs: {', '.join(cells)}, {gap}")
    return lines


def main():
    """Train, print the table, and JSON where asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, nargs="+", default=[1, 2, 10])
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--json", help="file for the single figures")
    options = parser.parse_args()
    runs = []
    for seed in range(1, options.seeds + 1):
        runs.append(run(seed, options.epochs, options.threads))
        print(f"seed {seed}: {runs[-1]}", flush=True)
    print("\n".join(report(runs, options.epochs)))
    if options.json:
        with open(options.json, "w") as file:
            json.dump(runs, file, indent=1)


if __name__ == "__main__":
    main()
