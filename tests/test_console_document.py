"""The console's decisions: answers in words, several digits, history, keys, colours, workers."""

from __future__ import annotations

import gc
import os
import string
import sys
import threading
import time
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from console_helpers import ScriptedReader, answer
from PIL import Image

from nn import runtime
from nn.console import jobs, process
from nn.console.commands import COMMANDS, MENUS, SECTIONS, section
from nn.console.document import card_text, files
from nn.console.document.card_text import CardText, bars, card
from nn.console.document.document import Document
from nn.console.document.drawing import Content, OpenedPicture
from nn.console.document.facts import UNKNOWN, facts
from nn.console.document.geometry import Fit
from nn.console.document.history import LENGTH, Entry, History
from nn.console.document.strokes import Stroke
from nn.console.jobs import CancelledError, Job, JobRunner
from nn.console.views.heat import Overlay, diverging
from nn.console.views.palette import DARK, LIGHT, rgb
from nn.recognise.answers import EMPTY, NOT_A_DIGIT, Reading, percent


def draw(document: Document, x: float = 100, y: float = 100) -> None:
    document.press(x, y)
    document.move(x + 10, y + 80)
    document.release()


def words(document: Document) -> CardText:
    return card_text.card_of(document, lambda name: COMMANDS[name].shown())


@pytest.fixture
def document() -> Document:
    return Document(reader=ScriptedReader(), loading=False)


@pytest.mark.parametrize("edit", ["undo", "clear"])
def test_editing_ends_a_sweep_of_the_eraser_so_that_every_change_can_be_undone(document, edit):
    for x in (100, 200, 300):
        draw(document, x)
    document.choose("eraser")
    document.press(105, 140)
    getattr(document, edit)()
    assert not document.gesture
    left = document.drawing.content
    document.release()
    assert document.drawing.content is left
    for _ in range(6):
        document.undo()
    assert document.drawing.empty


def test_the_times_of_strokes_survive_a_file_however_long_the_computer_has_been_on(
    tmp_path, monkeypatch
):
    now = 1e7  # seconds: in float32 the next number would be a second away
    monkeypatch.setattr(time, "perf_counter", lambda: now)
    document = Document()
    document.press(10, 10)
    for x, after in ((20, 0.01), (30, 0.25)):
        now = 1e7 + after
        document.move(x, 10)
    document.release()
    files.save(tmp_path / "a.json", document)
    (stroke,) = files.load_content(tmp_path / "a.json")[0].strokes
    np.testing.assert_allclose(stroke.times, [0, 0.01, 0.25], atol=1e-6)


def test_large_drawings_wait_to_be_read_beside_the_window(document):
    document.defer = True
    for i in range(14):
        draw(document, 20 * i, 50)
    assert not document.recognise()
    (request,) = document.deferred
    reading = replace(request.run(), seconds=0.2)
    assert document.keep(request.state[0], reading, request.size)
    assert document.history[0].number == "2"
    draw(document, 400, 50)  # drawing goes on while a worker reads
    newer = document.request()
    assert document.accept(newer, replace(newer.run(), seconds=0.2))
    assert document.request() is None
    stale = document.request(force=True)
    document.forget_reading()  # a lesson, say
    assert not document.accept(stale, reading)
    assert document.request() is not None


def test_a_few_strokes_are_read_at_once_unless_that_was_slow(document):
    draw(document)
    assert not document.slow(document.request())
    for i in range(4):
        draw(document, 50 * i, 50)
    assert document.slow(document.request())  # five, and none of them was read before
    document.read()
    draw(document, 300, 50)
    assert not document.slow(document.request())
    document.reading = Reading((), 0.5)
    for i in range(5):
        draw(document, 50 * i, 50)
    assert document.slow(document.request())
    document.open(Content((), OpenedPicture(np.ones((20, 20), np.float32))))
    assert document.slow(document.request())


# ------------------------------------------------------------------ words


def test_an_empty_canvas_names_no_digit(document):
    document.read()
    assert words(document).headline == EMPTY
    assert document.shown.number == ""
    assert all(bar.value == 0 and not bar.named for bar in bars(document.answer))


def read(*answers) -> Reading:
    return Reading(answers)


def test_a_sure_answer():
    reading = read(answer(7, 0.973))
    shown = card(reading, 0)
    assert (shown.large, shown.headline, reading.number) == ("7", "This is a 7", "7")
    assert shown.detail == "97.3 % sure"
    assert [bar.digit for bar in bars(reading.answers[0]) if bar.named] == [7]


def test_eight_has_its_article():
    assert card(read(answer(8)), 0).headline == "This is an 8"


def test_not_sure_names_both():
    shown = card(read(answer(4, 0.5, state="unsure", second=9)), 0)
    assert shown.headline == "Not sure: 4 or 9"
    assert shown.large == "4 / 9"
    assert shown.tone == "unsure"


def test_a_scribble_is_refused_without_a_digit_named():
    scribble = answer(3, state="not a digit")
    shown = card(read(scribble), 0)
    assert shown.headline == NOT_A_DIGIT
    assert shown.large == "?"
    assert not any(bar.named for bar in bars(scribble))


def test_several_digits_show_the_number_and_the_chosen_one():
    reading = read(answer(1), answer(9), answer(8, state="not a digit"), answer(4))
    shown = card(reading, 1)
    assert reading.number == "19?4"
    assert shown.large == "19?4"
    assert shown.detail.startswith("Digit 2 of 4")
    assert [bar.digit for bar in bars(reading.answers[1]) if bar.named] == [9]


def test_bars_can_be_sorted():
    shown = bars(answer(4, 0.6, second=9), "probability")
    assert [bar.digit for bar in shown][:2] == [4, 9]
    values = [bar.value for bar in shown]
    assert values == sorted(values, reverse=True)
    assert [bar.digit for bar in bars(answer(4), "digit")] == list(range(10))


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.0, "> 99.9 %"), (0.9996, "> 99.9 %"), (0.999, "99.9 %"), (0.0, "0.0 %"), (1e-6, "< 0.1 %")],
)
def test_percentages_never_claim_certainty(value, text):
    assert percent(value) == text


# ------------------------------------------------------------------ the document


def test_states_before_there_is_a_network():
    document = Document()
    assert words(document).headline == card_text.LOADING
    draw(document)  # one can draw at once
    assert not document.read()
    assert len(document.drawing.strokes) == 1
    document.loading = False
    assert words(document).headline == card_text.NO_NETWORK
    document.reader = ScriptedReader()
    assert document.read()
    assert document.shown.number == "2"


def test_reading_happens_once_for_each_state_of_the_canvas(document):
    draw(document)
    assert document.read()
    assert not document.read()
    document.undo()
    assert document.read()
    assert words(document).headline == EMPTY


def test_live_can_be_switched_off(document):
    document.live = False
    draw(document)
    assert not document.read()
    assert words(document).headline == card_text.PAUSED
    document.recognise()
    assert document.shown.number == "2"


def test_the_last_drawn_digit_is_looked_at():
    reader = ScriptedReader([(answer(1), (0, 0, 50, 100)), (answer(9), (200, 0, 260, 100))])
    document = Document(reader=reader, loading=False)
    draw(document, 10, 10)
    draw(document, 210, 10)
    document.read()
    assert document.selected == 1
    document.undo()
    document.undo()
    draw(document, 210, 10)
    draw(document, 10, 10)
    document.read()
    assert document.selected == 0
    document.select(document.selected - 1)
    assert document.selected == 1  # round at the end


def test_clear_and_recognise_fill_the_history_without_doubles(document):
    draw(document)
    document.recognise()
    document.recognise()
    assert len(document.history) == 1
    document.clear()
    assert len(document.history) == 1
    draw(document, 200)
    document.clear()
    assert len(document.history) == 2
    assert document.recall(1)
    document.read()
    assert len(document.drawing.strokes) == 1
    assert document.undo()  # going back is one more step, not a loss
    assert document.drawing.empty


def test_history_is_bounded():
    history = History()
    stroke = Stroke(np.zeros((1, 2), np.float32), np.zeros(1, np.float32))
    for _ in range(LENGTH + 20):
        history.add(Entry(Content((stroke,)), "1", (9, 9)))
    assert len(history) == LENGTH
    assert not history.add(Entry(Content(), "1", (9, 9)))
    assert not history.add(Entry(Content((stroke,)), "", (9, 9)))


def test_drawing_by_keys(document):
    start = document.cursor
    assert document.toggle_pen()
    assert document.step(1, 0)
    assert document.step(0, 1, large=True)
    assert not document.toggle_pen()
    (stroke,) = document.drawing.strokes
    np.testing.assert_allclose(stroke.points[0], start)
    np.testing.assert_allclose(stroke.points[-1] - stroke.points[0], [8, 32])
    assert not document.step(-1, 0)  # pen up: moves, does not draw
    for _ in range(200):
        document.step(1, 0, large=True)
    assert document.cursor[0] == document.page[2]  # stays on the canvas


def test_the_right_button_erases_whatever_the_tool(document):
    draw(document)
    document.press(105, 140, erase=True)
    assert document.release()
    assert document.drawing.empty
    document.undo()
    assert len(document.drawing.strokes) == 1
    assert document.tool == "pen"


def test_pen_widths_have_ends(document):
    for _ in range(20):
        thin = document.change_width(-1)
    for _ in range(20):
        thick = document.change_width(1)
    assert thin < thick
    draw(document)
    assert document.drawing.strokes[0].width == thick


def test_the_canvas_keeps_its_place_when_the_window_changes(document):
    document.resize(500, 500)
    draw(document)
    points = document.drawing.strokes[0].points
    before = document.page
    document.resize(900, 400)
    assert document.page == before
    np.testing.assert_array_equal(document.drawing.strokes[0].points, points)


def test_a_picture_is_read_as_a_picture(document):
    document.open(Content((), OpenedPicture(np.ones((20, 30), np.float32))), (30.0, 20.0))
    document.read()
    assert document.reader.pictures == 1
    assert document.page == (0, 0, 30, 20)


def test_the_film_runs_from_the_canvas_to_28_pixels(document):
    from nn.console.document.animation import animation

    draw(document)
    document.read()
    steps = document.steps()
    film = animation(steps, document.page)
    start = film.camera(0)
    assert start[2] - start[0] == pytest.approx(560)
    end = film.camera(film.seconds)
    assert end[2] - end[0] == pytest.approx(28 / steps.scale)
    assert end[:2] == pytest.approx(steps.to_drawing(0, 0))
    assert film.pixels(0) == 0
    assert film.pixels(film.seconds) == 1
    assert [film.step(t) for t in (0, 1.2, 3)] == [0, 1, 2]


# ------------------------------------------------------------------ keys, words, colours


def test_every_command_has_a_name_and_is_in_a_menu():
    listed = [command.name for menu in MENUS.values() for command in menu if command is not None]
    assert sorted(listed) == sorted(COMMANDS)
    assert all(command.text for command in COMMANDS.values())


def test_no_key_is_taken_twice_and_digits_stay_free():
    taken = [key for command in COMMANDS.values() for key in command.keys.split()]
    assert len(taken) == len(set(taken))
    assert not set(taken) & set(string.digits)


def test_the_cheat_sheet_lists_every_key():
    listed = [key for title in SECTIONS for key, _text in section(title)]
    assert sorted(listed) == sorted(c.shown() for c in COMMANDS.values() if c.keys)


def test_macs_use_the_command_key():
    command = COMMANDS["open"]
    assert command.shown("darwin") == "Command-O"
    assert command.patterns("darwin") == ["<Command-o>"]
    assert command.patterns("linux") == ["<Control-o>"]
    assert COMMANDS["about"].shown() == ""


def contrast(first: str, second: str) -> float:
    """Return the WCAG contrast ratio of two colours, 1 to 21."""

    def luminance(colour: str) -> float:
        c = rgb(colour) / 255
        linear = np.where(c <= 0.03928, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
        return float(linear @ (0.2126, 0.7152, 0.0722))

    dark, bright = sorted((luminance(first), luminance(second)))
    return (bright + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("p", [LIGHT, DARK], ids=["light", "dark"])
def test_text_is_readable(p):
    for text, ground in (
        (p.text, p.window),
        (p.text, p.card),
        (p.muted, p.window),
        (p.muted, p.card),
        (p.accent_text, p.accent),
        (p.accent, p.accent_soft),
        (p.warn, p.card),
        (p.refuse, p.card),
        (p.good, p.card),
        (p.ink, p.canvas),
    ):
        assert contrast(text, ground) >= 4.5, (text, ground)


def test_a_heat_map_over_the_canvas_is_the_same_in_pieces_and_as_a_whole():
    heat = np.zeros((28, 28), np.float32)
    heat[:14], heat[14:] = 1, -1
    overlay = Overlay(heat, diverging(LIGHT), (100, 50, 300, 250))

    def laid(box, fit):
        picture = Image.new("RGB", (box[2] - box[0], box[3] - box[1]), "white")
        overlay.lay(picture, box, (500, 400), fit)
        return np.asarray(picture).astype(int)

    whole = laid((0, 0, 500, 400), Fit(1.5, 10, 20))
    inked = np.argwhere((whole != 255).any(axis=2))
    assert (inked.min(axis=0) == (95, 160)).all()  # 50 * 1.5 + 20, 100 * 1.5 + 10
    assert (inked.max(axis=0) == (394, 459)).all()
    red, blue = whole[100, 200, 0], whole[380, 200, 0]
    assert red < 120 < blue  # positive is blue, negative orange
    part = laid((150, 80, 350, 300), Fit(1.5, 10, 20))
    np.testing.assert_array_equal(part, whole[80:300, 150:350])
    clipped = laid((0, 0, 500, 400), Fit(4, -200, -100))  # larger than the canvas
    assert (clipped[120:] != 255).any(axis=2).any()
    outside = laid((0, 0, 500, 400), Fit(1, 600, 0))
    assert (outside == 255).all()


# ------------------------------------------------------------------ facts about the network


def facts_of(metadata) -> dict[str, str]:
    reader = ScriptedReader()
    reader.model = SimpleNamespace(metadata=metadata, count_params=lambda: 1234)
    return dict(facts(reader))


def test_the_facts_name_the_accuracy_on_test_images_not_that_on_validation_images():
    known = facts_of(
        {
            "trained_on": "MNIST",
            "validation": {"accuracy": 0.9976},
            "calibration": {"ece_after": 0.002},
            "test": {"accuracy": 0.9973},
            "personal": {"lessons": 1, "corrections": 2},
        }
    )
    assert known["Test accuracy"] == "99.73 %"
    assert (known["Trained on"], known["Parameters"]) == ("MNIST", "1,234")
    assert known["Calibration"] == "Confidence is off by 0.2 % on average."
    assert known["Lessons"] == "1 lesson learned · 2 corrections in your set"
    assert facts_of({"validation": {"accuracy": 0.5}})["Test accuracy"] == UNKNOWN


@pytest.mark.parametrize("odd", [None, 3, "text", [], {"accuracy": "high", "ece_after": []}])
def test_facts_that_a_file_gives_in_another_form_are_left_out(odd):
    shown = facts_of({"test": odd, "calibration": odd, "personal": odd})
    assert shown["Test accuracy"] == shown["Trained on"] == UNKNOWN
    assert not {"Calibration", "Lessons"} & shown.keys()


# ------------------------------------------------------------------ workers


def collected(shop: JobRunner) -> None:
    end = time.monotonic() + 5
    while shop.deliver() and time.monotonic() < end:
        time.sleep(0.002)


def test_a_job_reports_progress_and_its_result_on_the_delivering_thread():
    shop, seen, threads = JobRunner(), [], set()

    def note(value):
        seen.append(value)
        threads.add(threading.get_ident())

    def work(report):
        report(0.5)
        return "done"

    shop.start(Job("x", note, note, note), work)
    assert shop.busy
    collected(shop)
    assert seen == [0.5, "done"]
    assert threads == {threading.get_ident()}
    assert not shop.busy


def test_errors_and_cancelling_arrive_as_errors():
    shop, errors = JobRunner(), []

    def broken(_report):
        raise KeyError("x")

    def endless(report):
        while True:
            report(0)
            time.sleep(0.001)

    shop.start(Job("a", print, errors.append), broken)
    shop.start(Job("b", print, errors.append), endless).cancel()
    collected(shop)
    assert {type(e) for e in errors} == {KeyError, CancelledError}


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux places single threads")
def test_workers_leave_a_core_to_the_window():
    shop, seen, unexpected = JobRunner(), [], []

    def own(_report=None):
        return os.sched_getaffinity(threading.get_native_id())

    cores = own()
    shop.start(Job("lesson", seen.append, unexpected.append), own)
    collected(shop)
    assert seen == [set(sorted(cores)[:-1]) or cores]
    assert own() == cores
    assert not unexpected


def test_a_lesson_rests_at_its_next_step_while_a_drawing_is_read(monkeypatch):
    monkeypatch.setattr(jobs, "PATIENCE", 30.0)
    shop, order, unexpected, go = JobRunner(), [], [], threading.Event()

    def read(_report):
        go.wait(5)
        order.append("read")

    def lesson(report):
        report(0.5)
        order.append("next step")

    shop.start(Job("read", print, unexpected.append, patient=False), read)
    shop.start(Job("lesson", print, unexpected.append), lesson)
    time.sleep(0.05)
    assert not order
    go.set()
    collected(shop)
    assert order == ["read", "next step"]
    assert not unexpected


def test_much_garbage_is_left_until_the_hand_rests(monkeypatch):
    runs = []

    def note(phase, _info):
        runs.append(phase)

    monkeypatch.setattr(process, "COLLECT_AFTER", -1.0)
    foreground = process.Foreground()
    foreground.begin()
    gc.callbacks.append(note)
    try:
        gc.collect()
        runs.clear()
        foreground.collect(resting=False)
        assert runs == ["start", "stop"]
        many = [[] for _ in range(process.FEW + 1)]
        foreground.collect(resting=False)
        assert len(runs) == 2
        foreground.collect(resting=True)
        assert len(runs) == 4
        assert many
        monkeypatch.setattr(process, "COLLECT_AFTER", 100.0)
        foreground.collect(resting=True)
        assert len(runs) == 4
    finally:
        gc.callbacks.remove(note)
        foreground.end()


def test_an_open_window_has_a_core_and_python_first_and_gives_them_back():
    before = sys.getswitchinterval(), runtime.num_threads(), gc.isenabled(), gc.get_freeze_count()
    foreground = process.Foreground()
    runtime.set_num_threads(4)
    try:
        foreground.begin()
        assert sys.getswitchinterval() == pytest.approx(process.SWITCH)
        assert not gc.isenabled()
        assert runtime.compile_worker()
        foreground.freeze()
        assert runtime.num_threads() == 3
        assert gc.get_freeze_count() > before[3]
        foreground.end()
        assert runtime.num_threads() == 4
        assert not runtime.compile_worker()
    finally:
        foreground.end()
        runtime.set_num_threads(before[1])
    after = sys.getswitchinterval(), runtime.num_threads(), gc.isenabled(), gc.get_freeze_count()
    assert after == (pytest.approx(before[0]), *before[1:])
