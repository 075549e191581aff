"""The contest: every framework in a process of its own, measured in turns.

A turn is a few calls in a row, of which the first do not count: they wake the threads and fill the
caches, as the step before does in a training. Between turns everybody else is at rest; a short
pause lets the threads of the one before stop spinning.
"""

import contextlib
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass

from tests.benchmarks.nets import NETS
from tests.benchmarks.timing import summary

PAUSE = 0.05
"""Seconds between turns; OpenMP's threads spin for a few milliseconds after their work."""

EVERYBODY = ("ours", "torch channels_last", "torch default", "torch compiled", "keras", "jax")
OURS_AND_TORCH = EVERYBODY[:3]


@dataclass(frozen=True)
class Task:
    """What is asked for in one turn: ``warm`` calls that do not count, ``calls`` that do."""

    task: str
    size: int
    warm: int
    calls: int
    turns: int


def tasks(quick):
    """Return {title: Task} for the original network."""
    turns = 5 if quick else 15
    return {
        "step": Task("step", 128, 3, 10, turns),
        "epoch": Task("epoch", 6_400 if quick else 12_800, 0, 1, 3),
        "one image": Task("predict", 1, 20, 100, turns),
        "10,000 images": Task("predict", 10_000, 1, 1, 3 if quick else 7),
    }


class Process:
    """A contestant's process."""

    def __init__(self, name, net, threads):
        spinning = "false" if threads == 1 else "true"
        environment = {
            **os.environ,
            "OMP_NUM_THREADS": str(threads),
            "OPENBLAS_NUM_THREADS": str(threads),
            "NN_NUM_THREADS": str(threads),
            "XLA_FLAGS": f"--xla_cpu_multi_thread_eigen={spinning}",
        }
        command = [sys.executable, "-m", "tests.benchmarks.contestant", name, net, str(threads)]
        self.child = subprocess.Popen(
            command, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        if threads == 1 and name == "jax" and hasattr(os, "sched_setaffinity"):
            # No setting of JAX's holds it to one thread; one core does.
            os.sched_setaffinity(self.child.pid, {min(os.sched_getaffinity(0))})
        self.missing = self._answer().get("missing")

    def _answer(self):
        line = self.child.stdout.readline()
        return json.loads(line) if line else {"missing": "the process ended without a word"}

    def turn(self, task):
        """Return the seconds of one call, the mean over a turn."""
        request = {key: getattr(task, key) for key in ("task", "size", "warm", "calls")}
        self.child.stdin.write(json.dumps(request) + "\n")
        self.child.stdin.flush()
        answer = self._answer()
        if "seconds" not in answer:
            raise SystemExit(f"benchmarks: {self.child.args[3]} failed at {task.task}.")
        return answer["seconds"]

    def close(self):
        """End the process."""
        self.child.stdin.close()
        try:
            self.child.wait(10)
        except subprocess.TimeoutExpired:
            self.child.kill()


@contextlib.contextmanager
def gathered(names, net, threads):
    """Start the contestants; give {name: process} of those that run and {name: why not}."""
    running, missing = {}, {}
    try:
        for name in names:
            process = Process(name, net, threads)
            running[name] = process
            if process.missing:
                missing[name] = process.missing
                running.pop(name).close()
        yield running, missing
    finally:
        for process in running.values():
            process.close()


def measure(running, task):
    """Return {name: statistics in seconds} of a task, all in turns."""
    times = {name: [] for name in running}
    for _ in range(task.turns):
        for name, process in running.items():
            time.sleep(PAUSE)
            times[name].append(process.turn(task))
    return {name: summary(values) for name, values in times.items()}


def training(threads, quick):
    """Return the times of training and prediction on ``threads`` threads, ours and the peers'."""
    result = {"threads": threads, "step": {}, "missing": {}}
    for net in NETS:
        names = EVERYBODY if net == "original" and not quick else OURS_AND_TORCH
        with gathered(names, net, threads) as (running, missing):
            result["missing"].update(missing)
            if net == "original":
                for title, task in tasks(quick).items():
                    if title == "step":
                        result["step"][net] = measure(running, task)
                    else:
                        result[title] = measure(running, task)
                whole = Task("epoch", 60_000, 0, 1, 1)
                result["whole epoch"] = measure({"ours": running["ours"]}, whole)
            else:
                task = Task("step", 128, 1, 3, 3 if quick else 7)
                result["step"][net] = measure(running, task)
    return result
