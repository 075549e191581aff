"""The window itself: real pointer events for the main path, generated ones for the rest."""

from __future__ import annotations

import json
import os
import time
from functools import partial
from itertools import pairwise

import numpy as np
import pytest
from console_helpers import TWO, ScriptedReader, Window, answer, display, real_weights
from console_monkey import Monkey, nobody
from PIL import Image

from nn.console.commands import COMMANDS, TOOLS
from nn.console.document import card_text
from nn.console.document.drawing import Content
from nn.console.document.strokes import strokes_from_arrays
from nn.console.views import dialogs
from nn.console.views.teach import TEACH_ANYWAY
from nn.recognise.answers import EMPTY

pytestmark = [pytest.mark.console, pytest.mark.timeout(120)]


@pytest.fixture(scope="session")
def root():
    """One Tk for the whole process: more than one is not stable."""
    with display():
        import tkinter as tk

        root = tk.Tk(className="Digits")
        width, height = root.winfo_screenwidth(), root.winfo_screenheight()
        if width < 1024 or height < 600:
            root.destroy()
            pytest.skip(f"the screen, {width}×{height}, is smaller than the window's 1024×600")
        yield root
        root.destroy()


@pytest.fixture
def window(root, tmp_path):
    window = Window(root, ScriptedReader(), tmp_path)
    yield window
    problems = window.app.dialogs.problems
    window.close()
    assert problems == []


@pytest.fixture(scope="session")
def network():
    """A reader with a trained network, loaded once."""
    path = real_weights()
    if path is None:
        pytest.skip("no trained network: neither weights/mnist.h5 nor the shared Keras file")
    from nn.recognise.reader import load

    return load(path)


@pytest.fixture
def real(root, tmp_path, network):
    base = network.model
    window = Window(root, network, tmp_path)
    yield window
    problems = window.app.dialogs.problems
    window.close()
    network.use(base, "")
    assert problems == []


def headline(window) -> str:
    return window.app.card._headline.cget("text")


def marked_tool(app) -> str:
    return ", ".join(tool for tool in TOOLS if app.marks[tool].get())


def ink(window) -> np.ndarray:
    return np.asarray(window.app.canvas.surface.image)


# ------------------------------------------------------------------ the main path, real pointer


def test_draw_with_the_pointer_read_undo_clear(real):
    """A 2 drawn by real pointer events is read as a 2 while the pen moves."""
    seen = []
    document = real.app.document
    notify = document.notify

    def noted(change):
        if change == "answer":
            seen.append(len(document.drawing.strokes))
        notify(change)

    document.notify = noted
    real.drag()
    assert len(document.drawing.strokes) == 1
    assert len(document.drawing.strokes[0].points) >= 6
    assert document.shown.number == "2", document.shown
    assert len(seen) > 2  # answers came while the pen moved
    # One solid line: every place between two points has ink.
    for (x0, y0), (x1, y1) in pairwise(TWO):
        x, y = round((x0 + x1) / 2) - 2, round((y0 + y1) / 2) - 2
        assert ink(real)[y - 8 : y + 8, x - 8 : x + 8].max() == 255
    real.shot("drawn")

    real.click(real.app.toolbar.recognise)
    assert len(document.history) == 1
    undo = real.app.toolbar.buttons["undo"]
    real.click(undo)
    assert document.drawing.empty
    assert ink(real).max() == 0
    assert headline(real) == EMPTY
    redo = real.app.toolbar.buttons["redo"]
    real.click(redo)
    assert document.shown.number == "2"
    clear = real.app.toolbar.buttons["clear"]
    real.click(clear)
    assert document.drawing.empty
    real.click(real.app.strip, 30, 30)  # back from the history
    assert document.shown.number == "2"


def test_quick_strokes_from_the_same_place_are_all_drawn(window):
    """The bar of a 5 begins where its back began: no double click, but a stroke."""
    canvas = window.app.canvas
    for end in (200, 300, 400):
        x, y = window.place(canvas, 100, 100)
        window.point("mousemove", x, y, "mousedown", 1, pause=0)
        window.point("mousemove", x + end - 100, y + end // 2, "mouseup", 1, pause=0)
    assert len(window.app.document.drawing.strokes) == 3


def test_erase_with_the_right_button(window):
    window.drag([(100, 100), (300, 100)])
    window.drag([(100, 300), (300, 300)])
    assert len(window.app.document.drawing.strokes) == 2
    window.drag([(200, 60), (200, 140)], button=3)
    assert len(window.app.document.drawing.strokes) == 1
    assert ink(window)[100 - 2, 200].max() == 0
    window.key("<Control-z>")
    assert len(window.app.document.drawing.strokes) == 2


def test_save_and_open_again(real, tmp_path):
    real.drag()
    points = real.app.document.drawing.strokes[0].points
    for name in ("two.json", "two.svg", "two.png"):
        real.app.files.save(tmp_path / name)
        assert (tmp_path / name).stat().st_size > 100
    assert "<svg" in (tmp_path / "two.svg").read_text()[:200]
    real.app.run("clear")
    real.app.files.open(tmp_path / "two.json")
    real.settle()
    np.testing.assert_allclose(real.app.document.drawing.strokes[0].points, points, atol=2e-3)
    assert real.app.document.shown.number == "2"
    real.app.files.open(tmp_path / "two.png")
    real.settle()
    assert real.app.document.drawing.picture is not None
    assert real.app.document.shown.number == "2"
    real.shot("picture")
    real.app.run("undo")
    real.settle()
    assert real.app.document.drawing.strokes


def test_teach_with_the_pointer(real, monkeypatch):
    """A drawing taught as 7 is read as 7 at once; undo brings the 2 back."""
    monkeypatch.setattr("nn.teach.personal_network.VERY_SURE", 0.5)  # whatever network there is
    real.drag()
    assert real.app.document.shown.number == "2"
    real.app.run("teach")
    real.settle()
    panel = real.app.panels.get("teach")
    real.shot("teach")
    real.click(panel.buttons[7])
    assert real.app.dialogs.current is not None  # the network is sure of 2: it asks first
    assert real.app.dialogs.current.winfo_exists()
    real.shot("teach-question")
    ask = real.app.dialogs.current
    yes = next(w for w in _all(ask) if _text(w) == TEACH_ANYWAY)
    real.click(yes)
    real.settle(limit=100)
    assert real.app.document.shown.number == "7", panel.line.cget("text")
    assert len(real.app.session.personal.personal) == 1
    assert "1 lesson" in real.root.title()
    real.shot("taught")
    real.app.panels.get("teach").undo()
    real.settle()
    assert real.app.document.shown.number == "2"
    assert len(real.app.session.personal.personal) == 0


def _all(widget):
    yield widget
    for child in widget.winfo_children():
        yield from _all(child)


def _text(widget):
    import tkinter as tk

    try:
        return widget.cget("text")
    except tk.TclError:  # this kind of widget has none
        return ""


# ------------------------------------------------------------------ generated events


def test_one_can_draw_before_the_network_is_there(root, tmp_path):
    import threading

    gate = threading.Event()

    def slow():
        gate.wait(30)
        return ScriptedReader()

    window = Window.__new__(Window)
    from nn.console.app import App, Options

    window.root = root
    window.app = App(root, Options(scale=1, data_folder=tmp_path), slow)
    for _ in range(60):
        root.update()
    canvas = window.app.canvas
    canvas.event_generate("<ButtonPress-1>", x=100, y=100)
    canvas.event_generate("<B1-Motion>", x=200, y=200)
    canvas.event_generate("<ButtonRelease-1>", x=200, y=200)
    root.update()
    assert len(window.app.document.drawing.strokes) == 1
    assert ink(window).max() == 255
    assert headline(window) == card_text.LOADING
    gate.set()
    window.settle(0.3)
    assert window.app.document.shown.number == "2"
    window.close()


def test_importing_the_window_imports_no_numba():
    import subprocess
    import sys

    code = (
        "import sys, nn.console.app, nn.console.launch; "
        "bad = {'numba', 'h5py', 'matplotlib', 'rich', 'pooch'} & set(sys.modules); "
        "sys.exit(f'imported {bad}' if bad else 0)"
    )
    pytest.importorskip("tkinter")
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_the_window_carries_out_every_command(window):
    assert window.app.actions.keys() == COMMANDS.keys()


def test_keys_do_what_the_cheat_sheet_says(window):
    app = window.app
    window.draw()
    window.key("<Key-u>")
    assert app.document.drawing.empty
    window.key("<Key-r>")
    assert not app.document.drawing.empty
    window.key("<Return>")
    assert len(app.document.history) == 1
    window.key("<Key-c>")
    assert app.document.drawing.empty
    window.key("<Key-e>")
    assert app.document.tool == marked_tool(app) == "eraser"
    window.key("<Key-a>")
    assert app.document.tool == "rubber"
    window.key("<Key-p>")
    assert app.document.tool == "pen"
    width = app.document.drawing.width
    window.key("<bracketright>")
    assert app.document.drawing.width > width
    window.key("<bracketleft>")
    assert app.document.drawing.width == width
    window.key("<Key-b>")
    assert app.document.order == "probability"
    window.key("<Key-l>")
    assert app.document.live is False
    window.key("<Key-l>")
    window.key("<Key-d>")
    assert app.theme.palette.name == "dark"
    window.key("<question>")
    assert app.dialogs.current.winfo_exists()
    window.shot("keys")
    app.dialogs.current.event_generate("<Escape>")
    window.settle()
    assert not app.dialogs.current.winfo_exists()


def test_a_button_pressed_by_a_key_looks_pressed_while_the_window_hears_on(window):
    window.draw()
    button = window.app.toolbar.recognise
    button.focus_force()
    window.root.update()
    button.event_generate("<space>")  # Tk's own binding sleeps until the button is let go
    assert button.instate(["pressed"])
    assert len(window.app.document.history) == 1
    window.settle(0.2)
    assert not button.instate(["pressed"])
    button.state(["disabled"])
    button.event_generate("<space>")
    assert not button.instate(["pressed"])
    assert len(window.app.document.history) == 1


def test_the_ink_takes_the_colours_of_the_other_theme(window):
    window.draw()
    canvas, theme = window.app.canvas, window.app.theme
    x, y = (round(v) for v in canvas.fit.to_pixels(260, 90))
    for _ in range(2):
        window.key("<Key-d>")
        for place, colour in (((x, y), theme.palette.ink), ((5, 5), theme.palette.canvas)):
            shown = window.root.tk.call(str(canvas._screen), "get", *place)
            assert tuple(shown) == tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5))


def test_large_drawings_are_read_beside_the_window_one_at_a_time(window, monkeypatch):
    app, under_way = window.app, []
    start = app.jobs.start

    def started(job, work):
        start(job, work)
        under_way.append([j.name for j in app.jobs.jobs])
        return job

    monkeypatch.setattr(app.jobs, "start", started)
    line = np.array([(0, 0), (0, 80)], np.float32)
    for _ in range(3):
        app.document.open(
            Content(tuple(strokes_from_arrays([line + 20 * i for i in range(14)], 8)))
        )
    app.notified("content")
    window.settle()
    assert under_way == [["read"]] * 3
    assert len(app.document.history) == 2
    assert app.document.request() is None


def test_drawing_with_arrows_and_space(window):
    window.key("<space>")
    for _ in range(5):
        window.key("<Shift-Right>")
    window.key("<space>")
    (stroke,) = window.app.document.drawing.strokes
    assert stroke.points[-1, 0] - stroke.points[0, 0] == pytest.approx(5 * 32)
    window.shot("keyboard")
    assert window.app.document.shown.number == "2"


def test_tab_reaches_everything_visibly(window):
    """Every control takes the focus by Tab, and the canvas shows a ring when it does."""
    window.root.focus_force()
    window.app.canvas.focus_force()
    window.root.update()
    reached, widget = [], window.app.canvas
    for _ in range(40):
        widget = widget.tk_focusNext()
        reached.append(widget)
        if widget is window.app.canvas:
            break
    assert window.app.toolbar.recognise in reached
    assert window.app.strip in reached
    assert window.app.card.steps_button in reached
    assert all(button in reached for button in window.app.toolbar.buttons.values())
    window.app.canvas.event_generate("<<TraverseIn>>")
    window.root.update()
    assert window.app.canvas.cget("highlightcolor") == window.app.theme.palette.accent


def test_several_digits_are_boxed_and_copied(root, tmp_path):
    found = [(answer(d), (90 * i + 10, 60, 90 * i + 80, 200)) for i, d in enumerate((1, 9, 8, 4))]
    window = Window(root, ScriptedReader(found), tmp_path)
    window.draw([(20, 70), (60, 180)])
    assert window.app.document.shown.number == "1984"
    canvas = window.app.canvas
    frames = [f for f, _t, _l in canvas._frames if canvas.itemcget(f, "state") == "normal"]
    assert len(frames) == 4
    window.key("<period>")
    assert window.app.document.selected == 1
    window.key("<Control-c>")
    assert window.root.clipboard_get() == "1984"
    left, top, right, bottom = canvas.coords(canvas._frames[3][1])
    window.click(canvas, (left + right) / 2, (top + bottom) / 2)  # its label selects a digit
    assert window.app.document.selected == 3
    assert len(window.app.document.drawing.strokes) == 1
    window.shot("number")
    window.app.run("clear")
    window.settle()
    assert all(canvas.itemcget(f, "state") == "hidden" for f, _t, _l in canvas._frames)
    window.close()


def test_the_drawing_scales_with_the_window(window):
    window.draw()
    before = ink(window).shape
    points = window.app.document.drawing.strokes[0].points.copy()
    window.root.geometry("1500x1100")
    window.settle(0.2)
    after = ink(window)
    assert after.shape[0] > before[0]
    rows = np.flatnonzero(after.max(axis=1))
    assert np.ptp(rows) > (np.ptp(points[:, 1]) + 10) * 1.2
    np.testing.assert_array_equal(window.app.document.drawing.strokes[0].points, points)
    window.root.geometry("")
    window.settle(0.2)


def test_the_window_follows_the_hand_that_resizes_it(window):
    """A redraw of everything takes a twentieth of a second; tiny tiles once made it two."""
    window.draw()
    seconds = []
    for size in ("1400x1100", "1100x800", "1300x1000", "1000x720", "1200x900"):
        start = time.perf_counter()
        window.root.geometry(size)
        window.root.update()
        seconds.append(time.perf_counter() - start)
        window.settle()
    window.root.geometry("")
    assert sorted(seconds)[1] < 0.4, seconds


@pytest.mark.parametrize("name", ["steps", "inside", "why", "teach"])
def test_panels_open_tear_off_and_close(real, name):
    real.draw()
    real.app.run(name)
    real.settle(0.4)
    assert real.app.panels.get(name) is not None
    if name == "inside":
        panel = real.app.panels.get("inside")
        for index, row in enumerate(panel.rows):
            unit = np.unravel_index(int(np.argmax(row.output.values)), row.output.values.shape)
            panel.choose(index, tuple(int(i) for i in unit))
            real.root.update()
            assert panel.unit_view.find_all()
        panel.choose(1, (8, 10, 3))
    if name == "why":
        for mode in ("occlusion", "towards", "gradient"):
            real.app.panels.get("why").mode.set(mode)
            real.app.panels.get("why").overlay.set(True)
            real.app.panels.get("why").refresh()
            real.settle(0.3)
            assert real.app.panels.get("why").heat is not None
            real.shot(f"why-{mode}")
    real.shot(name)
    real.app.run("tear_off")
    real.settle(0.2)
    assert real.app.panels.holders[name].torn
    real.app.document.select(0)
    real.app.show_answer()
    real.app.panels.close_torn(name)
    real.app.run(name)
    real.app.run("close_panel")
    real.settle()
    assert real.app.panels.get(name) is None
    assert real.app.canvas.overlay is None


@pytest.mark.parametrize("kind", ["ensemble", "transposed"])
def test_panels_say_what_they_cannot_show(root, tmp_path, network, kind):
    """Several networks as one, and a stranger that wants its pictures turned."""
    from nn.recognise.reader import NetworkReader, TransposedModel
    from nn.saving import Ensemble

    if kind == "ensemble":
        model = Ensemble([network.model, network.model])
        model.metadata = dict(network.model.metadata)
    else:
        model = TransposedModel(network.model)
    reader = NetworkReader(model, tmp_path / f"{kind}.h5")
    window = Window(root, lambda: reader, tmp_path)
    window.draw()
    app = window.app
    for name in ("steps", "inside", "why", "teach"):
        app.run(name)
        window.settle(0.3)
        window.shot(f"{kind}-{name}")
    window.key("<Key-7>")
    assert app.panels.get("teach").line.cget("text") == reader.teach_note
    app.run("inside")
    window.settle(0.2)
    panel = app.panels.get("inside")
    assert panel._note.cget("text") == reader.inside_note
    assert bool(panel.rows) == (kind == "ensemble")
    panel._walk(0, 1, None)
    app.run("why")
    for mode in ("occlusion", "towards"):
        app.panels.get("why").mode.set(mode)
        app.panels.get("why").refresh()
        window.settle(0.4)
    assert (app.panels.get("why").heat is not None) == (kind == "ensemble")
    app.run("info")
    window.settle()
    app.dialogs.current.destroy()
    assert app.dialogs.problems == []
    window.close()


def test_bad_files_end_in_one_sentence(real, tmp_path):
    real.draw()
    (tmp_path / "text.png").write_text("not a picture")
    (tmp_path / "strokes.json").write_text("{")
    (tmp_path / "net.h5").write_text("not a network")
    Image.new("L", (40, 40), 255).save(tmp_path / "white.png")
    Image.new("L", (40, 40), 0).save(tmp_path / "black.png")
    opened = [
        tmp_path / n for n in ("text.png", "strokes.json", "white.png", "black.png", "no.png")
    ]
    for path in opened:
        real.app.files.open(path)
        real.settle()
    real.app.session.choose(tmp_path / "net.h5", real.app.dialogs.fail)
    real.settle()
    real.app.files.save(tmp_path / "no-such-folder" / "x.png")
    real.app.files.save(tmp_path / "x.doc")
    problems = real.app.dialogs.problems
    assert len(problems) == 8
    assert all("Traceback" not in p and len(p) < 500 for p in problems), problems
    assert len(real.app.document.drawing.strokes) == 1  # nothing is lost
    assert real.app.document.shown.number == "2"
    real.shot("error")
    real.app.dialogs.current.destroy()
    problems.clear()


def test_dialogs_take_each_others_place(window):
    app = window.app

    def message():
        app.dialogs.message("A message", "that nobody closes")

    for show in (message, partial(app.run, "keys"), partial(app.run, "keys"), message):
        show()
        window.settle()
        shown = [w for w in app.root.winfo_children() if isinstance(w, dialogs.Dialog)]
        assert shown == [app.dialogs.current]
    app.dialogs.current.destroy()


def test_an_error_in_a_callback_is_one_dialog_and_the_log(window, caplog):
    def broken():
        raise ZeroDivisionError("on purpose")

    window.root.after(1, broken)
    window.settle(0.1)
    assert len(window.app.dialogs.problems) == 1
    assert "ZeroDivisionError: on purpose" in window.app.dialogs.problems[0]
    assert "on purpose" in caplog.text
    window.app.dialogs.current.destroy()
    window.draw()  # the window lives on
    assert window.app.document.shown.number == "2"
    window.app.dialogs.problems.clear()


def test_missing_weights_are_said_and_drawing_goes_on(root, tmp_path):
    from nn.recognise.reader import load

    window = Window(root, lambda: load(tmp_path / "none.h5"), tmp_path)
    assert "python train.py" in window.app.dialogs.problems[0]
    window.app.dialogs.current.destroy()
    window.draw()
    assert headline(window) == card_text.NO_NETWORK
    window.close()


def test_a_damaged_personal_set_is_kept_aside(root, tmp_path, network):
    (tmp_path / "personal-set.h5").write_bytes(b"damaged")
    window = Window(root, network, tmp_path)
    kept = list(tmp_path.glob("personal-set.damaged-*.h5"))
    assert [k.read_bytes() for k in kept] == [b"damaged"]
    assert kept[0].name in window.app.dialogs.problems[0]
    window.close()


@pytest.mark.parametrize(("theme", "scale"), [("light", 1), ("dark", 1), ("light", 2), ("dark", 2)])
def test_screens_in_both_themes_and_scales(root, tmp_path, network, theme, scale):
    """Nothing is cut off: every widget has the room it asked for."""
    window = Window(root, network, tmp_path, scale=scale, theme=theme)
    root.geometry("")
    window.settle(0.1)
    window.shot("empty")
    window.draw()
    window.app.run("recognise")
    window.settle()
    window.shot("answer")
    for name in ("inside", "teach"):
        window.app.run(name)
        window.settle(0.4)
        window.shot(f"panel-{name}")
        for widget in _all(window.app.outer):
            if widget.winfo_ismapped() and widget.winfo_class() in ("TLabel", "TButton", "Label"):
                assert widget.winfo_width() >= widget.winfo_reqwidth() - 1, str(widget)
                assert widget.winfo_height() >= widget.winfo_reqheight() - 1, str(widget)
    assert window.app.dialogs.problems == []
    window.close()
    root.geometry("")


# ------------------------------------------------------------------ monkeys


def survives(window, events, seed, tmp_path):
    animal = Monkey(window, tmp_path, seed)
    with nobody():
        animal.run(events)
        window.settle(limit=300)
    print(*animal.report(), sep="\n")
    unexpected = [p for p in window.app.dialogs.problems if "junk" not in p]
    assert unexpected == []
    window.app.dialogs.problems.clear()
    if window.app.dialogs.current is not None and window.app.dialogs.current.winfo_exists():
        window.app.dialogs.current.destroy()
    window.app.panels.close()
    window.root.geometry("1100x800")
    window.app.document.choose("pen")
    window.app.run("clear")
    window.settle()
    window.draw()
    assert window.app.document.drawing.strokes
    window.root.geometry("")
    return animal


def test_a_short_monkey(window, tmp_path):
    survives(window, 250, 1, tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_long_monkey(real, tmp_path):
    """20,000 events: after the first quarter memory has found its level."""
    events = int(os.environ.get("NN_MONKEY", "20000"))
    animal = survives(real, events, 2, tmp_path)
    memories = animal.memories[len(animal.memories) // 4 :]
    if len(memories) > 4 and not np.isnan(memories).any():
        assert memories[-1] - memories[0] < 60, memories
    slow = [c for c in animal.costs if c.processor > 0.1]  # processor time, not the clock
    assert len(slow) <= events // 1000, slow


@pytest.mark.slow
def test_memory_stays_flat_over_an_hour_of_drawing(window):
    """100,000 points and 1,000 undo steps: after the first tenth, memory grows by little."""
    resource = pytest.importorskip("resource")

    rng = np.random.default_rng(0)
    app = window.app
    used = []
    for stroke in range(1000):
        app.document.press(*rng.uniform(50, 500, 2))
        for point in rng.uniform(50, 500, (100, 2)):
            app.document.move(*point)
        app.document.release()
        if stroke % 10 == 9:
            app.document.clear()
        if stroke % 50 == 0:
            app.notified("content")
            window.root.update()
        if stroke % 100 == 99:
            used.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    for _ in range(1000):
        app.document.drawing.undo()  # not shown each time
    app.notified("content")
    window.root.update()
    used.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    print("resident MiB after each 100 strokes, then undone:", *(round(u) for u in used))
    assert used[-1] - used[0] < 30, used  # MiB; the points themselves take 1.2


def test_idle_means_idle(window):
    """With nothing to do, no timer runs but those of Tk itself."""

    def timers():
        return window.root.tk.splitlist(window.root.tk.call("after", "info"))

    window.draw()
    last = time.monotonic() + 20
    while timers() and time.monotonic() < last:  # a tip, if the pointer rests on a button
        window.settle()
    window.settle(0.3)
    assert timers() == ()


def test_json_of_saved_strokes_keeps_times(window, tmp_path):
    window.draw()
    window.app.files.save(tmp_path / "x.json")
    saved = json.loads((tmp_path / "x.json").read_text())
    assert len(saved["strokes"][0][0]) == 3
    assert saved["strokes"][0][0][2] == 0
