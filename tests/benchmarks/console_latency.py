"""From the end of a motion event to the bars on screen, in a real window.

    xvfb-run -a python tests/benchmarks/console_latency.py [--panel]

Prints the distribution in milliseconds: without a panel, and with all feature maps live.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from console_helpers import TWO, Window, display, real_weights  # noqa: E402

from nn.console.ink import smoothed  # noqa: E402
from nn.console.reader import load  # noqa: E402


def main() -> int:
    """Draw the same 2 many times and time every answer."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--panel", action="store_true", help="with the inside panel open")
    args = parser.parse_args()
    weights = real_weights()
    if weights is None:
        print("no trained network found: train one with python train.py", file=sys.stderr)
        return 2
    with display(), tempfile.TemporaryDirectory() as folder:
        import tkinter as tk

        root = tk.Tk()
        window = Window(root, load(weights), Path(folder))
        app, paper = window.app, window.app.paper
        if args.panel:
            app.do_inside()
            window.settle(0.5)
        times: list[float] = []
        asked: list[float] = []
        show = app.show

        def shown() -> None:
            show()
            root.update_idletasks()
            times.extend(1000 * (time.perf_counter() - start) for start in asked)
            asked.clear()

        app.show = shown
        changed = paper.changed

        def moved(ended: bool) -> None:
            changed(ended)
            if not ended:
                asked.append(time.perf_counter())

        paper.changed = moved
        points = list(
            dict.fromkeys((round(x), round(y)) for x, y in smoothed(np.array(TWO, np.float32)))
        )
        for _ in range(args.rounds):
            paper.event_generate("<ButtonPress-1>", x=points[0][0], y=points[0][1])
            root.update()
            for x, y in points[1:]:
                paper.event_generate("<B1-Motion>", x=x, y=y)
                end = time.perf_counter() + 0.01  # a hand's events come about 10 ms apart
                while time.perf_counter() < end:
                    root.update()
                    time.sleep(0.0005)
            paper.event_generate("<ButtonRelease-1>", x=x, y=y)
            app.do_clear()
            root.update()
        median, late, worst = np.percentile(times, [50, 99, 100])
        panel = "open" if args.panel else "closed"
        print(
            f"{len(times)} answers, inside panel {panel}: median {median:.1f} ms, "
            f"99 % within {late:.1f} ms, worst {worst:.1f} ms"
        )
        window.close()
        root.destroy()
    return 0


if __name__ == "__main__":
    sys.exit(main())
