"""`train.py` as people use it: real processes, real files, few images.

They run on whichever backend `NN_BACKEND` names; what they test does not depend on it.
"""

import contextlib
import dataclasses
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

import nn
import train
from nn.train import config, pictures, recipes

ROOT = Path(__file__).resolve().parents[1]
TINY = ["--data", "synthetic", "--limit", "240", "--epochs", "2", "--batch-size", "32"]


class Result(NamedTuple):
    """What a run printed."""

    stdout: str
    stderr: str


def run(*arguments, code=0):
    """Run `train.main` here; return what it printed after checking its exit status."""
    out, err = io.StringIO(), io.StringIO()
    terminated = signal.getsignal(signal.SIGTERM)
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = train.main([str(argument) for argument in arguments])
        except SystemExit as end:  # argparse
            status = end.code or 0
        finally:
            signal.signal(signal.SIGTERM, terminated)
    assert status == code, out.getvalue() + err.getvalue()
    return Result(out.getvalue(), err.getvalue())


def run_process(*arguments, code=0, env=None, **options):
    """Run train.py in a process of its own; the same otherwise."""
    process = subprocess.run(
        [sys.executable, str(ROOT / "train.py"), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=280,
        env={**os.environ, **(env or {})},
        **options,
    )
    assert process.returncode == code, process.stdout + process.stderr
    return Result(process.stdout, process.stderr)


def refused(*arguments, runner=run, **options):
    """Run train.py with something it must refuse; return the one sentence it says."""
    result = runner(*arguments, code=2, **options)
    assert "Traceback" not in result.stderr
    return result.stderr.strip().splitlines()[-1]


def weights(path):
    return np.concatenate([w.ravel() for w in nn.load_model(path).get_weights()])


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch):
    """Save the second that the pictures take; `trained`, a process of its own, draws them."""
    monkeypatch.setattr(pictures, "available", lambda: False)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A finished training of two epochs: its folder and what it printed."""
    folder = tmp_path_factory.mktemp("trained")
    process = run_process(*TINY, "--output", folder / "digits.h5")
    return folder, process.stdout


# --- what comes out ---------------------------------------------------------------------------


def test_help_has_examples_and_is_quick():
    process = run_process("--help")
    assert "python train.py --resume" in process.stdout
    for flag in (  # noqa: SIM905
        "epochs batch-size lr optimizer seed validation-split data-dir limit threads output "
        "resume dry-run quiet data recipe preset force patience"
    ).split():
        assert f"--{flag}" in process.stdout


def test_a_training_tells_what_it_does(trained):
    _, printed = trained
    assert "synthetic digits: 220 images to train on, 20 to choose the epoch by" in printed
    lines = [line for line in printed.splitlines() if line.startswith("epoch ")]
    assert [line.split()[1] for line in lines] == ["1/2", "2/2"]
    assert re.search(r"Test +loss \d\.\d{4}, accuracy [\d.]+ % \(95 % interval", printed)
    assert "digit  precision     recall         F1  images" in printed


def test_the_run_record_holds_the_run(trained):
    folder, _ = trained
    record = json.loads((folder / "digits.json").read_text())
    assert record["settings"] == {
        "data": "synthetic", "recipe": "original", "preset": "original", "epochs": 2,
        "batch_size": 32, "optimizer": "adadelta", "learning_rate": 1.0, "seed": 1,
        "validation_split": pytest.approx(1 / 12), "limit": 240, "teachers": {},
    }  # fmt: skip
    assert record["finished"] is True
    assert record["backend"] == nn.runtime.backend()
    assert record["parameters"] == 233_162
    assert record["data"]["name"] == "synthetic digits"
    assert [len(values) for values in record["history"].values()] == [2, 2, 2, 2]
    test = record["test"]
    assert np.sum(test["confusion"]) == test["images"] == 240
    assert np.trace(test["confusion"]) == test["right"]
    low, high = test["interval_95"]
    assert low < test["accuracy"] < high
    assert record["versions"]["numpy"] == np.__version__
    assert record["arguments"][:2] == TINY[:2]


def test_the_weights_say_what_they_were_trained_on(trained):
    folder, _ = trained
    model = nn.load_model(folder / "digits.h5")
    record = json.loads((folder / "digits.json").read_text())
    assert model.metadata["trained_on"] == "synthetic digits"
    assert model.metadata["validation"] == record["validation"]
    assert model.metadata["test"]["accuracy"] == record["test"]["accuracy"]


def test_the_weights_are_those_that_were_judged(trained):
    folder, _ = trained
    images, labels = config.synthetic_digits(240, seed=0, start=10**9)
    predicted = nn.load_model(folder / "digits.h5").predict(recipes.to_network(images))
    record = json.loads((folder / "digits.json").read_text())
    assert (predicted.argmax(axis=1) == labels).sum() == record["test"]["right"]


def test_pictures_are_drawn_or_named_as_skipped(trained):
    folder, printed = trained
    names = [f"digits-{name}.png" for name in ("curves", "confusion", "mistakes")]
    told = re.search(r"Pictures +(.*)", printed)[1]
    assert all(name in told for name in names)
    assert [(folder / name).exists() for name in names] == ["skipped" not in told] * 3


def test_without_matplotlib_the_pictures_are_skipped(tmp_path):
    process = run("--data=synthetic", "--limit=60", "--epochs=1", "--output", tmp_path / "x.h5")
    assert "Pictures  skipped (x-curves.png, x-confusion.png, x-mistakes.png)" in process.stdout
    assert not list(tmp_path.glob("*.png"))


def test_a_dry_run_writes_nothing(tmp_path):
    process = run(*TINY, "--dry-run", "--output", tmp_path / "new" / "x.h5")
    assert "Dry run: a batch was trained, loss 2." in process.stdout
    assert os.listdir(tmp_path) == []


def test_quiet_prints_the_result_only(tmp_path):
    process = run(*TINY, "--quiet", "--output", tmp_path / "x.h5")
    heads = [line.split()[0] for line in process.stdout.splitlines()]
    assert heads == ["Test", "Pictures", "Record", "Weights"]


# --- the same bits ----------------------------------------------------------------------------


def test_two_processes_make_the_same_bits_whatever_the_threads(trained, tmp_path):
    run_process(*TINY, "--threads", "1", "--output", tmp_path / "again.h5")
    np.testing.assert_array_equal(weights(tmp_path / "again.h5"), weights(trained[0] / "digits.h5"))
    run(*TINY, "--seed", "2", "--output", tmp_path / "other.h5")
    assert (weights(tmp_path / "other.h5") != weights(tmp_path / "again.h5")).any()


def test_resuming_makes_the_same_bits_as_not_stopping(trained, tmp_path):
    output = tmp_path / "x.h5"
    run(*TINY, "--epochs", "1", "--output", output)
    process = run("--resume", "--epochs", "2", "--output", output)
    assert "Going on after epoch 1 of 2" in process.stdout
    kept = json.loads((tmp_path / "x.json").read_text())
    straight = json.loads((trained[0] / "digits.json").read_text())
    assert kept["history"] == straight["history"]
    assert kept["best_epoch"] == straight["best_epoch"]
    np.testing.assert_array_equal(weights(output), weights(trained[0] / "digits.h5"))


OWN_PRESET = """
from nn import layers, saving
from nn.train.recipes import PRESETS

@saving.register_keras_serializable("mine")
class Halved(layers.Layer):
    def _forward(self, x, training):
        return x / 2
    def _backward(self, dy):
        return dy / 2

PRESETS["mine"] = lambda: [
    layers.Input((28, 28, 1)), Halved(), layers.Flatten(), layers.Dense(10, activation="softmax"),
]
"""


def test_a_network_with_a_layer_of_ones_own_trains_and_resumes(tmp_path, monkeypatch):
    (tmp_path / "my_network.py").write_text(OWN_PRESET)
    monkeypatch.chdir(tmp_path)
    mine = [*TINY, "--preset", "mine", "--output", tmp_path / "x.h5"]
    assert "--preset: expected one of" in refused(*mine)
    run(*mine, "--epochs", "1", "--import", "my_network")
    try:
        process = run("--resume", "--epochs", "2", "--output", "x.h5", "--import", "my_network")
        assert "Going on after epoch 1 of 2" in process.stdout
        assert type(nn.load_model("x.h5").layers[0]).__name__ == "Halved"
        nn.saving.get_custom_objects().clear()
        said = refused("--resume", "--epochs", "3", "--output", "x.h5")
        assert "mine>Halved is a class or function of one's own" in said
        assert "--import: expected modules" in refused(*mine, "--import", "not_there")
    finally:
        nn.saving.get_custom_objects().clear()
        recipes.PRESETS.pop("mine")
        sys.modules.pop("my_network")


def test_averaged_weights_resume_to_the_same_bits(tmp_path, monkeypatch):
    averaged = dataclasses.replace(recipes.ORIGINAL, averaging=0.9)
    monkeypatch.setitem(recipes.RECIPES, "original", averaged)
    straight, stopped = tmp_path / "a.h5", tmp_path / "b.h5"
    run(*TINY, "--epochs", "3", "--output", straight)
    run(*TINY, "--output", stopped)
    run("--resume", "--epochs", "3", "--output", stopped)
    for ending in (".checkpoint.h5", ".average.checkpoint.h5", ".best.checkpoint.h5", ".h5"):
        one, other = (weights(path.with_name(path.stem + ending)) for path in (straight, stopped))
        np.testing.assert_array_equal(one, other, err_msg=ending)
    raw, average = (weights(tmp_path / f"a{kind}.checkpoint.h5") for kind in ("", ".average"))
    assert (raw != average).any()


def test_patience_stops_and_a_resumed_training_remembers_its_best_epoch(tmp_path):
    output = tmp_path / "{x}.h5"
    learns_nothing = [*TINY, "--lr", "1e-12", "--output", output]
    process = run(*learns_nothing, "--epochs", "9", "--patience", "2")
    assert "Stopped: no better epoch in the last 2." in process.stdout
    before = json.loads((tmp_path / "{x}.json").read_text())
    done = len(before["history"]["loss"])
    assert done == before["best_epoch"] + 2 < 9
    process = run("--resume", "--patience", "2", "--output", output)
    assert "Stopped: no better epoch in the last 2." in process.stdout
    run("--resume", "--epochs", done + 1, "--output", output)
    after = json.loads((tmp_path / "{x}.json").read_text())
    assert after["history"]["loss"][:done] == before["history"]["loss"]
    best = np.argmax(after["history"]["val_accuracy"])
    assert after["validation"]["accuracy"] == after["history"]["val_accuracy"][best]


def test_a_recipe_may_describe_its_data_and_finish_the_weights(tmp_path, monkeypatch):
    class Described(recipes.Batches):
        def describe(self):
            return {"extra": {"path": "/home/me/strokes.gz"}, "beside": "pens"}

    def finish(model, images, labels, folder):
        model.metadata["temperature"] = 1.5
        return {"validation images": len(labels), "folder": folder}

    recipe = dataclasses.replace(
        recipes.ORIGINAL, finish=finish, batches=lambda *told: Described(*told[:4])
    )
    monkeypatch.setitem(recipes.RECIPES, "original", recipe)
    run(*TINY, "--epochs", "1", "--data-dir", "my folder", "--output", tmp_path / "x.h5")
    record = json.loads((tmp_path / "x.json").read_text())
    assert record["finish"] == {"validation images": 20, "folder": "my folder"}
    assert record["data"]["sources"]["extra"] == {"path": "strokes.gz"}
    metadata = nn.load_model(tmp_path / "x.h5").metadata
    assert metadata["temperature"] == 1.5
    assert metadata["trained_on"] == "synthetic digits, pens"


def interrupted(output, sign):
    """Start a long training, send it ``sign`` in its third epoch; return the process and output."""
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "train.py"), *TINY, "--epochs", "500", "--output", str(output)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    printed = ""
    for line in process.stdout:
        printed += line
        if line.startswith("epoch   2/"):
            process.send_signal(sign)
            break
    printed += process.communicate(timeout=200)[0]
    return process.returncode, printed


@pytest.mark.skipif(os.name == "nt", reason="Windows sends no signals to single processes")
@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_training_keeps_the_best_and_can_go_on(tmp_path, sign):
    output = tmp_path / "x.h5"
    code, printed = interrupted(output, sign)
    assert code == 130
    assert "Traceback" not in printed
    assert "its part is left out" in printed
    record = json.loads((tmp_path / "x.json").read_text())
    assert record["finished"] is False
    assert record["test"] is None
    done = len(record["history"]["loss"])
    best = nn.load_model(output).metadata["validation"]["accuracy"]
    assert best == max(record["history"]["val_accuracy"])
    command = re.search(r"Resume +python train.py (.*)", printed)[1]
    process = run(*command.split(), "--epochs", done + 1)
    assert f"Going on after epoch {done} of {done + 1}" in process.stdout
    resumed = json.loads((tmp_path / "x.json").read_text())
    assert resumed["history"]["loss"][:done] == record["history"]["loss"]


# --- teachers and ensembles -------------------------------------------------------------------


def test_a_teacher_needs_a_recipe_of_many_variations(trained, tmp_path):
    teacher = trained[0] / "digits.h5"
    said = refused(*TINY, "--teacher", teacher, "--output", tmp_path / "x.h5")
    assert "--teacher: expected a recipe of many variations, received original" in said


def test_a_teacher_that_is_not_there_or_is_none(tmp_path):
    said = refused(*TINY, "--teacher", tmp_path / "none.h5", "--output", tmp_path / "x.h5")
    assert "--teacher: expected a model file" in said
    (tmp_path / "text.h5").write_text("not a model")
    refused(*TINY, "--teacher", tmp_path / "text.h5", "--output", tmp_path / "x.h5")


def test_two_teachers_of_one_name_are_refused(trained, tmp_path):
    teacher = trained[0] / "digits.h5"
    said = refused(*TINY, "--teacher", teacher, teacher, "--output", tmp_path / "x.h5")
    assert "--teacher: expected files of different names" in said


def test_a_checkpoint_with_other_settings_is_refused():
    recorded = {"data": "mnist", "teacher": None}
    with pytest.raises(
        config.ConfigError, match=r"expected a checkpoint of this version.*teachers"
    ):
        config.resumed(train.parser().parse_args(["--resume"]), recorded)


def test_an_ensemble_averages_networks_of_seeds_that_follow(trained, tmp_path):
    output = tmp_path / "x.h5"
    presets = "original,strided"
    process = run(*TINY, "--preset", presets, "--ensemble", "2", "--output", output)
    assert "Network 2 of 2: strided, seed 2" in process.stdout
    record = json.loads((tmp_path / "x.json").read_text())
    assert [member["seed"] for member in record["members"]] == [1, 2]
    assert [member["preset"] for member in record["members"]] == presets.split(",")
    single = json.loads((trained[0] / "digits.json").read_text())
    assert record["members"][0]["test"]["loss"] == pytest.approx(single["test"]["loss"], rel=1e-4)
    model = nn.load_model(output)
    images, labels = config.synthetic_digits(240, seed=0, start=10**9)
    told = model.predict(recipes.to_network(images)).argmax(axis=1)
    assert (told == labels).sum() == record["test"]["right"]
    assert sorted(os.listdir(tmp_path))[-2:] == ["x.h5", "x.json"]
    said = refused(*TINY, "--preset", presets, "--output", output)
    assert "--preset: expected one network, or --ensemble with as many" in said
    said = refused(*TINY, "--preset", "original,wide", "--ensemble", "2", "--output", output)
    assert "--preset: expected one of original, large," in said
    said = refused(*TINY, "--ensemble", "2", "--resume", "--output", output)
    assert "--resume: expected one network" in said


# --- nothing is lost --------------------------------------------------------------------------


def test_better_weights_stand_and_no_better_ones_give_way(trained, tmp_path):
    output = tmp_path / "digits.h5"
    better = nn.load_model(trained[0] / "digits.h5")
    better.metadata["validation"]["accuracy"] = 0.99
    better.save(output)
    before = output.read_bytes()
    process = run(*TINY, "--output", output)
    assert output.read_bytes() == before
    assert f"{output} stands" in process.stdout
    assert (tmp_path / "digits-2.json").exists()
    # what stands beside is as good: it gives way, no third name is taken
    run(*TINY, "--output", output)
    assert not (tmp_path / "digits-3.h5").exists()
    run(*TINY, "--output", output, "--force")
    np.testing.assert_array_equal(weights(output), weights(trained[0] / "digits.h5"))


def test_weights_judged_on_other_images_are_not_compared(trained, tmp_path):
    output = tmp_path / "digits.h5"
    shutil.copy(trained[0] / "digits.h5", output)
    before = output.read_bytes()
    process = run(*TINY, "--limit", "300", "--output", output)
    assert "--force replaces it" in process.stdout
    assert output.read_bytes() == before


def test_a_file_that_is_no_model_is_not_replaced(tmp_path):
    output = tmp_path / "x.h5"
    output.write_text("my thesis")
    run(*TINY, "--epochs", "1", "--output", output)
    assert output.read_text() == "my thesis"
    assert nn.load_model(tmp_path / "x-2.h5").metadata["trained_on"] == "synthetic digits"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no limit on the size of files")
def test_a_full_disk_loses_nothing(trained, tmp_path):
    output = tmp_path / "digits.h5"
    shutil.copy(trained[0] / "digits.h5", output)
    before = output.read_bytes()

    def limit():
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    said = refused(*TINY, "--force", "--output", output, runner=run_process, preexec_fn=limit)
    assert re.match(r"train.py: error: .*(could not be written|write)", said)
    assert output.read_bytes() == before
    assert not [name for name in os.listdir(tmp_path) if "checkpoint" in name]


# --- what it refuses --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--epochs", "0"], "argument --epochs: expected a whole number from 1, received '0'"),
        (["--epochs", "ten"], "expected a whole number from 1, received 'ten'"),
        (["--batch-size", "-3"], "expected a whole number from 1, received '-3'"),
        (["--lr", "0"], "argument --lr: expected a number above 0, received '0'"),
        (["--lr", "nan"], "expected a number above 0, received 'nan'"),
        (["--seed", "-1"], "argument --seed: expected a whole number from 0"),
        (["--validation-split", "1.0"], "expected a share below 1 or a whole number of images"),
        (["--optimizer", "lion"], "argument --optimizer: invalid choice: 'lion'"),
        (["--data-dri", "x"], "unrecognized arguments: --data-dri x"),
        ([*TINY, "--validation-split", "240"], "expected from 1 to 239 of 240 images"),
        (["--output", "weights/mnist.txt"], "expected a name that ends in .h5, .hdf5, .keras"),
    ],
)
def test_flags_that_make_no_sense(arguments, sentence):
    assert sentence in refused(*arguments)


def test_a_data_folder_that_is_none(tmp_path):
    said = refused("--data-dir", tmp_path / "nowhere", "--dry-run")
    assert "data_dir: expected a folder with the MNIST files" in said
    assert "nowhere" in said
    said = refused("--data-dir", tmp_path, "--dry-run")
    assert "train-images-idx3-ubyte" in said


def test_a_truncated_file(tmp_path):
    for name, size in (
        ("train-images-idx3-ubyte", 5000), ("train-labels-idx1-ubyte", 500),
        ("t10k-images-idx3-ubyte", 500), ("t10k-labels-idx1-ubyte", 50),
    ):  # fmt: skip
        (tmp_path / name).write_bytes(b"\0\0\x08\x03" + bytes(size))
    assert "train-images-idx3-ubyte: expected" in refused("--data-dir", tmp_path, "--dry-run")


def test_an_output_that_is_a_folder(tmp_path):
    folder = tmp_path / "weights.h5"
    folder.mkdir()
    assert "expected a file, received the folder" in refused(*TINY, "--output", folder)


def test_an_output_below_a_file(tmp_path):
    (tmp_path / "file").write_text("")
    said = refused(*TINY, "--output", tmp_path / "file" / "x.h5")
    assert "expected a folder that can be written" in said


@pytest.mark.skipif(
    os.name == "nt" or os.geteuid() == 0, reason="needs a user who may not write everywhere"
)
def test_a_read_only_folder(tmp_path):
    tmp_path.chmod(0o500)
    said = refused(*TINY, "--output", tmp_path / "x.h5")
    assert "expected a folder that can be written" in said


def test_resuming_what_is_not_there(tmp_path, trained):
    said = refused("--resume", "--output", tmp_path / "x.h5")
    assert "expected a checkpoint, received" in said
    said = refused("--resume", trained[0] / "digits.h5", "--output", tmp_path / "x.h5")
    assert "a model without a training's state" in said
    (tmp_path / "x.checkpoint.h5").write_bytes(b"\x89HDF\r\n\x1a\n but no more")
    refused("--resume", "--output", tmp_path / "x.h5")


def test_resuming_with_another_seed(trained):
    said = refused("--resume", "--seed", "5", "--output", trained[0] / "digits.h5")
    assert "--seed: expected 1, as the training to resume began, received 5" in said


def test_a_training_that_diverges(tmp_path):
    said = refused(*TINY, "--optimizer", "sgd", "--lr", "1e30", "--output", tmp_path / "x.h5")
    assert "the training diverged" in said
    assert "--lr 1e+29" in said


def test_a_training_that_learns_nothing_says_so(tmp_path):
    process = run(*TINY, "--lr", "1e-12", "--epochs", "1", "--output", tmp_path / "x.h5")
    assert "does not beat chance" in process.stdout


def test_a_missing_digit_is_named(tmp_path):
    process = run("--data=synthetic", "--limit=12", "--epochs=1", "--output", tmp_path / "x.h5")
    assert re.search(r"Note: no training image shows \d", process.stdout)


# --- where there is no MNIST ------------------------------------------------------------------


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    """Make MNIST be in no folder and on no mirror."""
    empty = str(tmp_path / "home")
    for name in ("HOME", "USERPROFILE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, empty)
    for name in ("NN_DATA_DIR", "NN_MIRROR"):
        monkeypatch.setenv(name, "")
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("nowhere")
def test_no_mnist_falls_back_loudly(tmp_path):
    arguments = ["--limit", "120", "--epochs", "1", "--quiet", "--output", tmp_path / "x.h5"]
    process = run(*arguments)
    assert "NO MNIST: TRAINING ON SYNTHETIC DIGITS INSTEAD" in process.stderr
    assert "--data-dir" in process.stderr
    assert json.loads((tmp_path / "x.json").read_text())["data"]["name"] == "synthetic digits"
    assert "trained on synthetic digits" in process.stdout


@pytest.mark.usefixtures("nowhere")
def test_asking_for_mnist_where_there_is_none_is_refused(tmp_path):
    said = refused("--data", "mnist", "--output", tmp_path / "x.h5")
    assert "MNIST: expected its four files" in said
    assert "--data synthetic" in said


# --- on MNIST ---------------------------------------------------------------------------------


def test_mnist_is_learned(mnist, mnist_option, tmp_path):
    assert len(mnist[0]) == 60_000
    started = time.monotonic()
    process = run(
        "--limit", "3000", "--epochs", "2", "--optimizer", "adam", *mnist_option,
        "--output", tmp_path / "x.h5",
    )  # fmt: skip
    record = json.loads((tmp_path / "x.json").read_text())
    assert record["test"]["accuracy"] > 0.8, process.stdout
    assert record["data"]["sha256"]["train-images-idx3-ubyte"].startswith("ba891046e6505d7a")
    assert record["seconds"] < time.monotonic() - started


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_ten_epochs_of_the_original_recipe(mnist, mnist_option, tmp_path):
    assert len(mnist[0]) == 60_000
    subprocess.run(
        [sys.executable, str(ROOT / "train.py"), *mnist_option, "--output", str(tmp_path / "x.h5")],
        check=True, timeout=1700,
    )  # fmt: skip
    record = json.loads((tmp_path / "x.json").read_text())
    assert record["test"]["accuracy"] >= 0.992
    assert record["peak_memory_bytes"] is None or record["peak_memory_bytes"] < 2**30
