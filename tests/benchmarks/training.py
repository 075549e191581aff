"""Training and prediction against the peers, on a given number of threads (a process of its own).

``python -m tests.benchmarks.training --threads 2`` prints JSON.
"""

import argparse
import gc
import json
import sys
import time
from pathlib import Path

import numpy as np

from nn import runtime
from tests.benchmarks.nets import NETS, digits, noise, ours
from tests.benchmarks.peers import installed
from tests.benchmarks.timing import interleave, raise_malloc_thresholds, summary

BATCH = 128


def compare(shape, net, threads, quick, x, y, seconds):
    """Return the times of a training step, ours and theirs, and who is missing."""
    model = ours(shape, net)
    engine = model.engine
    peers, missing = installed(shape, net, threads, quick)
    bx, by = x[:BATCH], y[:BATCH]
    contestants = {"ours": lambda: engine.train_step(bx, by)}
    for name, peer in peers.items():
        contestants[name] = _bound(peer.step, peer.tensor(bx), peer.labels(by))
    return model, peers, missing, interleave(contestants, seconds)


def _bound(function, *arguments):
    return lambda: function(*arguments)


def epoch(model, peers, x, y, rounds):
    """Return the times of an epoch with shuffling, ours and each peer's, taken in turns."""
    rng = np.random.default_rng(0)

    def of_ours():
        model.fit(x, y, batch_size=BATCH, epochs=1, verbose=0)

    def of_peer(peer):
        tensors, labels = peer.tensor(x), peer.labels(y)

        def run():
            order = rng.permutation(len(x))
            for start in range(0, len(x), BATCH):
                chosen = order[start : start + BATCH]
                peer.step(tensors[chosen], labels[chosen])

        return run

    calls = {"ours": of_ours}
    calls.update({name: of_peer(peer) for name, peer in peers.items()})
    times = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            times[name].append(time.perf_counter() - start)
    return {name: summary(values) for name, values in times.items()}


def prediction(model, peers, x, seconds):
    """Return the times for one image and for ten thousand."""
    one, many = np.ascontiguousarray(x[:1]), np.ascontiguousarray(x[:10_000])
    single, bulk = {"ours": lambda: model(one)}, {"ours": lambda: model.engine.predict(many)}
    for name, peer in peers.items():
        single[name] = _bound(peer.predict, peer.tensor(one))
        bulk[name] = _blocks(peer, peer.tensor(many))
    return interleave(single, seconds / 2, 50, burst=20), interleave(bulk, seconds, 1)


def _blocks(peer, x, size=1000):
    def run():
        for start in range(0, len(x), size):
            peer.predict(x[start : start + size])

    return run


def main():
    """Measure and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    raise_malloc_thresholds()
    runtime.set_num_threads(options.threads)
    seconds = 1.0 if options.quick else 2.5
    x, y, source = digits(10_000 if options.quick else 60_000)
    result = {"threads": options.threads, "data": source, "step": {}, "missing": {}}
    for name, (shape, net) in NETS.items():
        images, labels = (x, y) if shape == (28, 28, 1) else noise(shape, BATCH)
        setting = (shape, net, options.threads, options.quick or name != "original")
        model, peers, missing, times = compare(*setting, images, labels, seconds)
        result["step"][name] = times
        result["missing"].update(missing)
        if name == "original":
            part, rounds = 6_400, 1 if options.quick else 3
            torch = [other for other in times if other.startswith("torch")]
            fastest = sorted(torch, key=lambda other: times[other]["median"])[:1]
            rivals = {other: peers[other] for other in fastest}
            epochs = epoch(model, rivals, x[:part], y[:part], rounds)
            result["epoch"] = {"images": part, **epochs}
            start = time.perf_counter()
            model.fit(x, y, batch_size=BATCH, epochs=1, verbose=0)
            result["whole epoch of ours"] = {
                "images": len(x),
                "seconds": time.perf_counter() - start,
            }
            result["one image"], result["10,000 images"] = prediction(model, peers, x, seconds)
    json.dump(result, sys.stdout)


def peak_memory():
    """Return the peak resident memory of an epoch beyond what was there before it, in MB.

    The data set, the framework and its compiled kernels are there before; the workspaces for a
    batch of 128 and everything ``fit`` allocates are the epoch's.
    """
    x, y, _ = digits(60_000)
    model = ours(*NETS["original"])
    model.engine.train_step(x[:4], y[:4])  # compiled code is not the epoch's
    gc.collect()
    before = _status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak of loading the data
    model.fit(x, y, batch_size=BATCH, epochs=1, verbose=0)
    return (_status("VmHWM") - before) / 1024


def _status(field):
    """Return a field of the kernel's account of this process, in KB (Linux only)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1])
    raise RuntimeError(f"peak memory: the system has no {field}; run this part on Linux.")


if __name__ == "__main__":
    main()
