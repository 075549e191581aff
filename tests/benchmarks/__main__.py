"""Measure everything: ``python -m tests.benchmarks [--quick] [--only PART ...] [--output FOLDER]``.

Prints a table, and writes it with JSON and pictures into the folder. Run it on an otherwise idle
machine; the table says how busy it was. ``--only`` measures some parts again and keeps what the
folder's JSON says of the others.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from tests.benchmarks import contest, limits, pictures
from tests.benchmarks.nets import digits
from tests.benchmarks.timing import machine


def comparison(title, times, unit, base="ours"):
    """Return lines of a table: median, quartiles, best, and the ratios of both to the base's."""
    factor = {"ms": 1e3, "s": 1.0, "us": 1e6}[unit]
    lines = [f"{title} [{unit}]"]
    for name, row in sorted(times.items(), key=lambda item: item[1]["median"]):
        low, high = row["quartiles"]
        middle, best = (row[key] / times[base][key] for key in ("median", "best"))
        lines.append(
            f"    {name:24s}{row['median'] * factor:9.2f} ({low * factor:.2f} to"
            f" {high * factor:.2f}), best {row['best'] * factor:.2f}:"
            f" {middle:.2f} x, best {best:.2f} x"
        )
    return lines


def report(results):
    """Return the table of what was measured, as lines."""
    lines = [", ".join(f"{k} {v}" for k, v in results["machine"].items())]
    loads = ", ".join(f"{part} {load:.1f}" for part, load in results["load"].items())
    lines += [f"processes that wanted a core, at the beginning of each part: {loads}", ""]
    for threads in (1, 2):
        if f"training-{threads}" in results:
            lines += _training_lines(results[f"training-{threads}"])
    if "kernels" in results:
        lines += _kernel_lines(results["kernels"], results["machine"]["fma_gflops"])
    if "ladder" in results:
        top = next(name for name in results["ladder"] if name.startswith("5"))
        lines += [*comparison("== the ladder ==", results["ladder"], "ms", top), ""]
    for axis, data in results.get("growth", {}).items():
        points = ", ".join(f"{value:g}: {1e3 * t:.2f} ms" for value, t in data["points"])
        lines.append(f"growth with {axis}: exponent {data['exponent']:.2f} ({points})")
    if "start" in results:
        for name, row in results["start"].items():
            lines.append(
                f"process to first step, {name}: {row['seconds']:.2f} s ({row['cpu']:.2f} s of CPU)"
            )
    if "memory" in results:
        lines.append(f"peak memory of an epoch beyond the data: {results['memory']:.0f} MB")
    return lines


def _training_lines(part):
    lines = [f"== {part['threads']} thread(s) =="]
    for name, times in part["step"].items():
        lines += comparison(f"training step, {name}, batch 128", times, "ms")
    lines += comparison("part of an epoch, shuffled", part["epoch"], "s")
    whole = part["whole epoch"]["ours"]["median"]
    lines.append(f"epoch of 60000 images, ours alone: {whole:.2f} s")
    lines += comparison("one image", part["one image"], "us")
    lines += comparison("10,000 images", part["10,000 images"], "s")
    return [*lines, *(f"    not measured: {k}: {v}" for k, v in part["missing"].items()), ""]


def _kernel_lines(rows, peak):
    lines = ["== kernels, 32 images, one thread =="]
    for row in rows:
        lines.append(
            f"    {row['kernel']:26s}{row['microseconds']:9.0f} us {row['gflops']:7.0f} GFLOP/s"
            f" ({row['gflops'] / peak:5.0%} of direct arithmetic),"
            f" {row['reference_microseconds'] / row['microseconds']:6.1f} x the reference"
        )
    return [*lines, ""]


def memory():
    """Return the peak memory of an epoch in MB, measured in a fresh process."""
    code = "from tests.benchmarks.memory import peak_memory; print(peak_memory())"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    if run.returncode:
        raise SystemExit(f"benchmarks: the memory of an epoch was not measured.\n{run.stderr}")
    return float(run.stdout.splitlines()[-1])


def main():
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="two minutes instead of ten")
    parser.add_argument("--output", default="benchmark-results", help="folder for table and JSON")
    quick = parser.parse_known_args()[0].quick
    parts = {
        "training-1": lambda: contest.training(1, quick),
        "training-2": lambda: contest.training(2, quick),
        "kernels": limits.kernels,
        "ladder": lambda: limits.ladder(quick),
        "growth": lambda: limits.growth(quick),
        "start": limits.start,
        "memory": memory,
    }
    parser.add_argument("--only", nargs="+", choices=list(parts), help="measure these parts only")
    options = parser.parse_args()
    folder = Path(options.output)
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "benchmark.json"
    old = json.loads(file.read_text()) if options.only and file.exists() else {}
    results = {**old, "machine": {**machine(), "data": digits(1)[2]}, "load": old.get("load", {})}
    for name in options.only or parts:
        begin = time.perf_counter()
        results["load"][name] = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
        results[name] = parts[name]()
        file.write_text(json.dumps(results, indent=1))  # what is measured stays, whatever comes
        print(f"{name}: measured in {time.perf_counter() - begin:.0f} s", file=sys.stderr)
    text = "\n".join(report(results))
    print(text)
    (folder / "benchmark.txt").write_text(text + "\n")
    for line in pictures.draw(results, folder):
        print(line)


if __name__ == "__main__":
    main()
