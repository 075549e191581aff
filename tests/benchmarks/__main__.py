"""Measure everything: ``python -m tests.benchmarks [--quick] [--output FOLDER]``.

Prints a table, and writes it with JSON and pictures into the folder. Run it on an otherwise idle
machine; a load above 0.5 is said in the table.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

from tests.benchmarks import limits, pictures
from tests.benchmarks.timing import machine


def training(threads, quick):
    """Run ``tests.benchmarks.training`` in a process with its own number of threads."""
    command = [sys.executable, "-m", "tests.benchmarks.training", "--threads", str(threads)]
    flags = f"--xla_cpu_multi_thread_eigen={'false' if threads == 1 else 'true'}"
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "XLA_FLAGS": flags}
    run = subprocess.run(
        command + ["--quick"] * quick, env=environment, capture_output=True, text=True, check=False
    )
    if run.returncode:
        raise SystemExit(f"benchmarks: training on {threads} threads failed.\n{run.stderr}")
    return json.loads(run.stdout.splitlines()[-1])


def comparison(title, times, unit):
    """Return lines of a table: ours, then each peer with the ratio to ours."""
    factor = {"ms": 1e3, "s": 1.0, "us": 1e6}[unit]
    base = times["ours"]["median"]
    lines = [f"{title}"]
    for name, row in sorted(times.items(), key=lambda item: item[1]["median"]):
        low, high = row["quartiles"]
        lines.append(
            f"    {name:24s}{row['median'] * factor:10.3f} {unit}"
            f"  ({low * factor:.3f} to {high * factor:.3f})  {row['median'] / base:6.2f} x"
        )
    return lines


def report(results):
    """Return the whole table as lines."""
    lines = [", ".join(f"{k} {v}" for k, v in results["machine"].items()), ""]
    for part in results["training"]:
        lines.append(f"== {part['threads']} threads, data: {part['data']} ==")
        for name, times in part["step"].items():
            lines += comparison(f"training step, {name}, batch 128", times, "ms")
        epoch = dict(part["epoch"])
        images = epoch.pop("images")
        lines += comparison(f"epoch of {images} images", epoch, "s")
        lines += comparison("one image", part["one image"], "us")
        lines += comparison("10,000 images", part["10,000 images"], "s")
        lines += [f"    not measured: {k}: {v}" for k, v in part["missing"].items()]
        lines.append("")
    lines.append("== kernels, 32 images, one thread ==")
    peak = results["machine"]["fma_gflops"]
    for row in results["kernels"]:
        lines.append(
            f"    {row['kernel']:26s}{row['microseconds']:9.0f} us {row['gflops']:7.0f} GFLOP/s"
            f" ({row['gflops'] / peak:5.0%} of direct arithmetic),"
            f" {row['reference_microseconds'] / row['microseconds']:6.1f} x the reference"
        )
    lines += ["", *comparison("== the ladder ==", _first_as_base(results["ladder"]), "ms"), ""]
    for axis, data in results["growth"].items():
        points = ", ".join(f"{value:g}: {1e3 * t:.2f} ms" for value, t in data["points"])
        lines.append(f"growth with {axis}: exponent {data['exponent']:.2f} ({points})")
    begin = results["start"]
    lines.append(f"process to first step: cold {begin['cold']:.2f} s, warm {begin['warm']:.2f} s")
    lines.append(f"peak memory of an epoch beyond the data: {results['memory']:.0f} MB")
    return lines


def _first_as_base(ladder):
    return {"ours" if name.startswith("5") else name: row for name, row in ladder.items()}


def memory():
    """Return the peak memory of an epoch, measured in a fresh process."""
    code = "from tests.benchmarks.training import peak_memory; print(peak_memory())"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(run.stdout.splitlines()[-1])


def main():
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a minute instead of ten")
    parser.add_argument("--output", default="benchmark-results", help="folder for table and JSON")
    options = parser.parse_args()
    folder = Path(options.output)
    folder.mkdir(parents=True, exist_ok=True)
    results = {"machine": machine()}
    results["training"] = [training(threads, options.quick) for threads in (1, 2)]
    results["kernels"] = limits.kernels()
    results["ladder"] = limits.ladder(options.quick)
    results["growth"] = limits.growth(options.quick)
    results["start"] = limits.start()
    results["memory"] = memory()
    text = "\n".join(report(results))
    print(text)
    (folder / "benchmark.txt").write_text(text + "\n")
    (folder / "benchmark.json").write_text(json.dumps(results, indent=1))
    for line in pictures.draw(results, folder):
        print(line)


if __name__ == "__main__":
    main()
