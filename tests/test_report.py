"""Tables, intervals, the run record and the pictures."""

import json
import math
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import train
from nn.atomic import write_atomically
from nn.callbacks import progress
from nn.recognise.evaluation import wilson_interval
from nn.train import config, pictures, record, scores
from nn.train.trainer import Run, epoch_line

ROOT = Path(__file__).resolve().parent.parent


def test_confusion_counts_rows_as_truth():
    matrix = scores.confusion_matrix(np.array([0, 0, 1, 2]), np.array([0, 1, 1, 1]), classes=3)
    assert matrix.tolist() == [[1, 1, 0], [0, 1, 0], [0, 1, 0]]


def test_scores_worked_by_hand():
    zero, one, two = scores.class_scores(np.array([[1, 1, 0], [0, 1, 0], [0, 1, 0]]))
    assert zero == (0, 1.0, 0.5, 2 / 3, 2)
    assert one == (1, 1 / 3, 1.0, 0.5, 1)
    assert math.isnan(two.precision)
    assert two[2:] == (0.0, 0.0, 1)


def test_the_table_names_the_most_frequent_mistake():
    matrix = np.diag([10] * 10)
    matrix[4, 9] = 3
    rows = scores.scores_table(matrix).splitlines()
    assert len(rows) == 11
    assert " ".join(rows[5].split()) == "4 100.00 % 76.92 % 86.96 % 13 9 (3 times)"
    assert "times" not in rows[6]


@pytest.mark.parametrize(
    ("labels", "predicted", "message"),
    [
        ([1, 2], [1], r"one shape \(N,\), received \(2,\) and \(1,\)"),
        ([1, 11], [1, 1], "from 0 to 9, received 1 to 11"),
        ([1, 2], [-1, 1], "received -1 to 2"),
    ],
)
def test_confusion_refuses(labels, predicted, message):
    with pytest.raises(ValueError, match=message):
        scores.confusion_matrix(np.array(labels), np.array(predicted))


@pytest.mark.parametrize(
    ("right", "total", "low", "high"),
    # Newcombe, Statistics in Medicine 17 (1998) 857, table I, method 3
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611),
     (1, 29, 0.0061, 0.1718)],
)  # fmt: skip
def test_wilson_agrees_with_the_published_table(right, total, low, high):
    assert wilson_interval(right, total) == pytest.approx((low, high), abs=5e-5)
    mirrored = wilson_interval(total - right, total)
    assert mirrored == pytest.approx((1 - high, 1 - low), abs=5e-5)


@pytest.mark.parametrize(("right", "total"), [(1, 0), (-1, 5), (6, 5)])
def test_wilson_refuses(right, total):
    with pytest.raises(ValueError, match="0 <= right <= total"):
        wilson_interval(right, total)


def test_digest_depends_on_content_shape_and_type():
    a = np.arange(6, dtype=np.uint8)
    digests = {
        record.digest(a),
        record.digest(a.reshape(2, 3)),
        record.digest(a.astype(np.int16)),
        record.digest(a[::-1]),
        record.digest(a, a),
    }
    assert len(digests) == 5
    assert record.digest(a) == record.digest(a.copy())


def test_json_is_strict(tmp_path):
    path = tmp_path / "run.json"
    value = {"a": np.float32(0.5), "b": [math.nan, np.int64(3)], "c": tmp_path, "d": np.arange(2)}
    record.write_json(path, value)
    assert json.loads(path.read_text()) == {
        "a": 0.5, "b": [None, 3], "c": str(tmp_path), "d": [0, 1],
    }  # fmt: skip


def test_a_failed_write_leaves_what_was_there(tmp_path):
    path = tmp_path / "run.json"
    record.write_json(path, {"kept": True})
    with pytest.raises(TypeError):
        record.write_json(path, {"kept": object()})
    with pytest.raises(IsADirectoryError):
        write_atomically(tmp_path, b"")
    assert json.loads(path.read_text()) == {"kept": True}
    assert os.listdir(tmp_path) == ["run.json"]


def test_the_record_names_no_person_and_no_host():
    described = json.dumps(record.describe_machine())
    assert os.environ.get("HOSTNAME", "\0") not in described
    assert {"python", "numpy"} <= set(record.describe_versions())


@pytest.fixture
def drawn():
    pytest.importorskip("matplotlib", reason="the extra plots is not installed")
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 10, 50)
    probabilities = rng.dirichlet(np.ones(10), 50).astype(np.float32)
    return labels, probabilities, rng.integers(0, 255, (50, 28, 28), dtype=np.uint8)


def test_pictures_are_drawn_alike_each_time(drawn, tmp_path):
    labels, probabilities, images = drawn
    history = {
        "loss": [1.0, 0.5], "accuracy": [0.6, 0.8], "val_loss": [0.8, 0.4],
        "val_accuracy": [0.7, 1.0],
    }  # fmt: skip
    matrix = scores.confusion_matrix(labels, probabilities.argmax(axis=1))
    for make in (
        lambda: pictures.learning_curves(history, 2),
        lambda: pictures.confusion(matrix),
        lambda: pictures.confident_mistakes(images, labels, probabilities),
    ):
        files = [tmp_path / "a.png", tmp_path / "b.png"]
        for path in files:
            pictures.save(make(), path)
        first, second = (path.read_bytes() for path in files)
        assert first.startswith(b"\x89PNG")
        assert first == second


def test_the_surest_mistake_comes_first(drawn):
    labels, probabilities, images = drawn
    labels = probabilities.argmax(axis=1)
    labels[[3, 8]] = (labels[[3, 8]] + 1) % 10
    probabilities[[3, 8]] *= [[0.5], [1.0]]
    figure = pictures.confident_mistakes(images, labels, probabilities)
    titles = [axes.get_title() for axes in figure.axes if axes.get_title()]
    assert titles[0].startswith(f"{labels[8]} read as")
    assert titles[1].startswith(f"{labels[3]} read as")
    assert len(titles) == 2


class Steps:
    """Stands for a stream; keeps what was written."""

    def __init__(self):
        self.text = ""

    def write(self, text):
        self.text += text
        return len(text)

    def flush(self):
        pass

    def isatty(self):
        return True


LOGS = {"loss": 0.25, "accuracy": 0.5, "val_loss": 0.125, "val_accuracy": 0.75}
PARAMS = {"epochs": 12, "samples": 600, "steps": 6}


def logger(stream, **options):
    """A progress logger as `fit` has set it up."""
    made = progress.ProgressLogger(stream=stream, **options)
    made.set_params(PARAMS)
    made.on_train_begin()
    return made


def test_one_line_an_epoch():
    stream = Steps()
    lines = logger(
        stream,
        live=False,
        line=lambda epoch, logs: epoch_line(epoch + 1, 12, 600, 2.0, logs) + "  best so far",
    )
    lines.on_epoch_begin(2)
    lines.on_train_batch_end(0, {})
    lines.on_epoch_end(2, LOGS)
    lines.on_train_end()
    assert stream.text == (
        "epoch  3/12  loss 0.2500  accuracy 50.00 %  validation loss 0.1250  accuracy 75.00 %  "
        "2.0 s  300 images/s  best so far\n"
    )


def test_a_long_first_step_is_explained(monkeypatch):
    monkeypatch.setattr(progress, "COMPILING_AFTER", 0.01)
    monkeypatch.setattr(progress, "compilations", lambda: 3)
    lines = []
    notice = progress.CompilationNotice(lines.append)
    notice.on_train_begin()
    notice._watcher.join()
    notice.on_train_batch_end(0, {})
    notice.on_train_batch_end(1, {})
    notice.close()
    assert "Compiling the kernels" in lines[0]
    assert "".join(lines).count("the first step was done after") == 1


def test_a_slow_machine_is_not_taken_for_a_compiler(monkeypatch):
    monkeypatch.setattr(progress, "COMPILING_AFTER", 0.01)
    monkeypatch.setattr(progress, "compilations", lambda: 0)
    lines = []
    notice = progress.CompilationNotice(lines.append)
    notice.on_train_begin()
    time.sleep(0.05)
    notice.on_train_batch_end(0, {})
    notice.close()
    assert lines == []


def test_the_live_bar_shows_figures_and_goes_away():
    stream = Steps()
    bar = logger(stream)
    bar.on_epoch_begin(1)
    bar.on_train_batch_end(2, {"loss": 0.5, "accuracy": 0.25})
    task = bar._bar.tasks[0]
    assert (task.completed, task.total) == (900, 7200)
    assert "loss 0.5000  accuracy 25.00 %" in task.fields["figures"]
    bar.say("[a line]")
    bar.close()
    bar.close()
    bar.say("after")
    assert "[a line]" in stream.text
    assert stream.text.endswith("after\n")


def test_quiet_says_nothing(capsys):
    args = train.parser().parse_args(["--data=synthetic", "--limit=60", "--epochs=1"])
    settings = config.resolve(args)
    run = Run(settings, config.load_data(args, settings, [].append), quiet=True)
    run.train()
    assert run.history.epochs_done == 1
    assert capsys.readouterr().out == ""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells it so")
def test_the_peak_of_memory_is_that_of_this_process_alone():
    held = np.ones(75_000_000)  # 600 MB, which a process that we start would count as its own
    code = "from nn.train.record import peak_memory; print(peak_memory())"
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert 20e6 < int(told) < 0.8 * held.nbytes
