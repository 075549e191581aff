"""One contestant, in a process of its own: it runs what it is asked for and says how long it took.

``python -m tests.benchmarks.contestant NAME NET THREADS`` reads requests and writes answers, one
JSON object a line, until its input ends. ``contest`` is the other side.

A process for each: the idle threads of one framework cannot take a core from the next, and no
library's settings (OpenMP, malloc, flags of XLA) reach another.
"""

import itertools
import json
import os
import sys
import time

import numpy as np

from tests.benchmarks.nets import NETS, digits, noise, ours
from tests.benchmarks.peers import build
from tests.benchmarks.timing import raise_malloc_thresholds

BATCH = 128
BATCHES = 200  # of different images, for single steps
BLOCK = 1000
"""Images a peer is given at a time when it classifies ten thousand: fits the caches better."""


class Ours:
    """This project, with the calls of a peer."""

    def __init__(self, shape, net, threads):
        from nn import runtime

        runtime.set_num_threads(threads)
        self.model = ours(shape, net)

    def tensor(self, x):
        """Return images as they are."""
        return x

    labels = tensor

    def step(self, x, y):
        """Take one training step."""
        return self.model.engine.train_step(x, y)

    def epoch(self, x, y):
        """Learn from all images once, shuffled."""
        self.model.fit(x, y, batch_size=BATCH, epochs=1, verbose=0)

    def predict(self, x):
        """Return probabilities."""
        return self.model(x)

    def predict_many(self, x):
        """Return probabilities of many images."""
        return self.model.predict(x)


class Contestant:
    """A framework with its data laid out, and the tasks it can be asked for."""

    def __init__(self, name, net, threads):
        shape, layers = NETS[net]
        self.peer = Ours(shape, layers, threads) if name == "ours" else build(
            name, shape, layers, threads
        )  # fmt: skip
        known = shape == (28, 28, 1)
        self.x, self.y, _ = digits(60_000) if known else (*noise(shape, BATCH), "noise")
        # Another batch for each step, as in training: a network that sees one again and again
        # learns it by heart, and three quarters of its units are alive where it is a half.
        starts = range(0, BATCHES * BATCH if known else BATCH, BATCH)
        self.batches = itertools.cycle([self._batch(start) for start in starts])
        self.rng = np.random.default_rng(0)
        self.kept = {}

    def _batch(self, start):
        chosen = slice(start, start + BATCH)
        return self.peer.tensor(self.x[chosen]), self.peer.labels(self.y[chosen])

    def step(self, size):
        """Take a training step."""
        self.peer.step(*next(self.batches))

    def epoch(self, size):
        """Learn from the first ``size`` images, shuffled."""
        if hasattr(self.peer, "epoch"):
            self.peer.epoch(self.x[:size], self.y[:size])
            return
        x, y = self._laid_out("epoch", size)
        order = self.rng.permutation(size)
        for start in range(0, size, BATCH):
            chosen = order[start : start + BATCH]
            self.peer.step(self.peer.chosen(x, chosen), self.peer.chosen(y, chosen))

    def predict(self, size):
        """Classify the first ``size`` images, in blocks where there are many."""
        x, _ = self._laid_out("predict", size)
        if size <= BLOCK:
            self.peer.predict(x)
        elif hasattr(self.peer, "predict_many"):
            self.peer.predict_many(x)
        else:
            for start in range(0, size, BLOCK):
                self.peer.predict(x[start : start + BLOCK])

    def _laid_out(self, task, size):
        if (task, size) not in self.kept:
            x = np.ascontiguousarray(self.x[:size])
            self.kept[task, size] = self.peer.tensor(x), self.peer.labels(self.y[:size])
        return self.kept[task, size]


def main():
    """Build the contestant, then answer requests until the input ends."""
    name, net, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
    answers = os.fdopen(os.dup(1), "w")  # what a framework prints does not belong among answers
    os.dup2(2, 1)
    raise_malloc_thresholds()
    try:
        contestant = Contestant(name, net, threads)
        contestant.step(BATCH)
    except Exception as error:  # a missing package or compiler, an old version: say it
        print(json.dumps({"missing": f"{type(error).__name__}: {error}".splitlines()[0][:200]}),
              file=answers, flush=True)  # fmt: skip
        return
    print(json.dumps({"ready": name}), file=answers, flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        run = getattr(contestant, request["task"])
        for _ in range(request["warm"]):
            run(request["size"])
        start = time.perf_counter()
        for _ in range(request["calls"]):
            run(request["size"])
        seconds = (time.perf_counter() - start) / request["calls"]
        print(json.dumps({"seconds": seconds}), file=answers, flush=True)


if __name__ == "__main__":
    main()
