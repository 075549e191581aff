"""What the console's tests share: scripted answers, a display, a window, real pointer events."""

from __future__ import annotations

import contextlib
import gc
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from nn.recognise.answers import Reading

ROOT = Path(__file__).resolve().parent.parent
TWO = [(180, 150), (200, 110), (260, 90), (320, 110), (340, 160), (310, 230), (250, 300)]
TWO += [(190, 380), (260, 380), (350, 375)]


def answer(digit, p=0.96, state="digit", second=None):
    """Return an Answer that names a digit with probability p, the rest spread evenly."""
    from nn.recognise import Answer

    probabilities = np.full(10, (1 - p) / 9)
    if second is not None:
        probabilities[:] = 0.1 * (1 - p) / 8
        probabilities[second] = 0.9 * (1 - p)
    probabilities[digit] = p
    image = np.zeros((28, 28), np.float32)
    image[4:24, 13:16] = 1
    other = int(np.argsort(-probabilities)[1])
    return Answer(state, digit, other, probabilities / probabilities.sum(), image, 0.1)


class ScriptedReader:
    """Reads whatever it was told to."""

    name, milliseconds = "scripted", 0.1
    inside, inside_note, teach_note = None, "", "A script cannot be taught."
    path = Path("scripted.h5")
    model = SimpleNamespace(metadata={}, count_params=lambda: 0)

    def __init__(self, found=None):
        self.script = found if found is not None else [(answer(2), None)]
        self.pictures = 0

    def _reading(self):
        return Reading(tuple(replace(a, box=box) for a, box in self.script))

    def read(self, ink):
        self.pictures += isinstance(ink, np.ndarray)
        return self._reading() if len(ink) else Reading()

    def use(self, model, note):
        raise AssertionError("a scripted reader is not taught")


def real_weights() -> Path | None:
    """Return a file with a trained network: the shipped one, else the original program's."""
    data = os.environ.get("NN_DATA_DIR") or ROOT.parent / "shared" / "data"
    for path in (ROOT / "weights" / "mnist.h5", Path(data) / "keras" / "mnist-keras-2.3.h5"):
        if path.is_file():
            return path
    return None


@contextlib.contextmanager
def display() -> Iterator[str]:
    """Give a display: the one there is, else an Xvfb of our own."""
    pytest.importorskip("tkinter", reason="tkinter is not installed")
    if os.environ.get("DISPLAY") and not os.environ.get("NN_OWN_DISPLAY"):
        yield os.environ["DISPLAY"]
        return
    if os.name == "nt":
        yield ""
        return
    server = shutil.which("Xvfb")
    if server is None:
        pytest.skip("no display, and Xvfb is not installed (apt install xvfb)")
    read, write = os.pipe()
    process = subprocess.Popen(
        [server, "-displayfd", str(write), "-screen", "0", "2800x1900x24", "-nolisten", "tcp"],
        pass_fds=(write,),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(write)
    try:
        with os.fdopen(read) as stream:
            number = stream.readline().strip()
        if not number:
            pytest.skip("Xvfb did not start")
        before = os.environ.get("DISPLAY")
        os.environ["DISPLAY"] = f":{number}"
        try:
            yield f":{number}"
        finally:
            if before is None:
                os.environ.pop("DISPLAY", None)
            else:
                os.environ["DISPLAY"] = before
    finally:
        process.terminate()
        process.wait(10)


class Window:
    """A console window in this process, driven step by step."""

    def __init__(self, root, reader, folder, *, scale=1.0, theme="light"):
        from nn.console.app import App, Options

        options = Options(
            scale=scale, theme=theme, data_folder=folder, log_file=folder / "console.log"
        )
        load = reader if callable(reader) else lambda: reader
        self.root = root
        root.geometry("")
        self.app = App(root, options, load)
        self.settle()
        self.fit()

    def fit(self):
        """Keep the window on the screen, so that real pointer events reach all of it."""
        root = self.root
        width = min(root.winfo_width(), max(root.winfo_screenwidth(), root.minsize()[0]))
        height = min(root.winfo_height(), max(root.winfo_screenheight(), root.minsize()[1]))
        if (width, height) != (root.winfo_width(), root.winfo_height()):
            root.geometry(f"{width}x{height}+0+0")
            self.settle()

    def settle(self, seconds=0.05, limit=60.0):
        """Handle events until nothing is under way."""
        end, last = time.monotonic() + seconds, time.monotonic() + limit
        while time.monotonic() < end or self.under_way:
            self.root.update()
            time.sleep(0.002)
            assert time.monotonic() < last, "the window did not settle"
        self.root.update()

    @property
    def under_way(self):
        """Whether a worker, the warming up, an answer or another size is still due."""
        app = self.app
        answering = app.scheduler.busy or app.canvas._resizing is not None
        return app.jobs.busy or app.document.loading or answering or app.queue.busy

    def draw(self, points=TWO, button=1):
        """Draw with events generated inside Tk."""
        canvas, scale = self.app.canvas, self.app.theme.scale
        places = [(round(x * scale), round(y * scale)) for x, y in points]
        canvas.event_generate(f"<ButtonPress-{button}>", x=places[0][0], y=places[0][1])
        for x, y in places[1:]:
            canvas.event_generate(f"<B{button}-Motion>", x=x, y=y)
        canvas.event_generate(f"<ButtonRelease-{button}>", x=places[-1][0], y=places[-1][1])
        self.settle()

    def key(self, sequence, widget=None):
        """Press a key."""
        widget = widget or self.app.canvas
        widget.focus_force()
        self.root.update()
        widget.event_generate(sequence)
        self.settle()

    def point(self, *commands, pause=0.1):
        """Send real pointer events through the X server while the window handles them."""
        tool = shutil.which("xdotool")
        if tool is None:
            pytest.skip("xdotool is not installed (apt install xdotool)")
        process = subprocess.Popen([tool, *map(str, commands)])
        while process.poll() is None:
            self.root.update()
            time.sleep(0.002)
        assert process.returncode == 0
        self.settle(pause)

    def place(self, widget, x=None, y=None):
        """Return where a place of a widget is on the screen."""
        x = widget.winfo_width() // 2 if x is None else x
        y = widget.winfo_height() // 2 if y is None else y
        return widget.winfo_rootx() + round(x), widget.winfo_rooty() + round(y)

    def click(self, widget, x=None, y=None):
        """Click with the real pointer."""
        self.root.update()
        self.point("mousemove", *self.place(widget, x, y), "sleep", 0.02, "click", 1)

    def drag(self, points=TWO, button=1):
        """Draw with the real pointer, handling each motion: Tk merges those that must wait."""
        scale = self.app.theme.scale
        for i, (x, y) in enumerate(points):
            self.point("mousemove", *self.place(self.app.canvas, x * scale, y * scale), pause=0.02)
            if i == 0:
                self.point("mousedown", button, pause=0.02)
        self.point("mouseup", button)

    def shot(self, name):
        """Write a screenshot of everything on the display, cropped to the windows."""
        folder = os.environ.get("NN_SCREENSHOTS")
        tool = shutil.which("import")
        if folder is None or tool is None:
            return None
        Path(folder).mkdir(parents=True, exist_ok=True)
        theme, scale = self.app.theme.palette.name, self.app.theme.scale
        path = Path(folder) / f"{name}-{theme}-{scale:g}.png"
        self.settle(0.1)
        subprocess.run([tool, "-window", "root", str(path)], check=True, timeout=60)
        from PIL import Image

        with Image.open(path) as image:
            box = (0, 0, self.root.winfo_rootx() * 2 + self.root.winfo_width(), 0)
            width = min(max(box[2], self.root.winfo_width()), image.width)
            height = self.root.winfo_rooty() + self.root.winfo_height()
            image.convert("RGB").crop((0, 0, width, height)).save(path, optimize=True)
        return path

    def close(self):
        """Close the window's contents; the root is kept for the next one."""
        for job_end in range(400):
            if not self.app.jobs.busy:
                break
            self.root.update()
            time.sleep(0.01 + 0 * job_end)
        for child in list(self.root.winfo_children()):
            child.destroy()
        for after in self.root.tk.splitlist(self.root.tk.call("after", "info")):
            self.root.after_cancel(after)
        self.root.update()
        self.app.process.end()
        gc.collect()
