"""The console without a window: pictures in, answers out; measuring; looking inside."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from console_helpers import TWO, ScriptedReader, answer, real_weights
from PIL import Image

import gui_console
from nn.explain import attribution, inside
from nn.recognise import evaluation, headless
from nn.recognise.reader import as_plain, load

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def two(tmp_path_factory) -> Path:
    """Return a picture of a 2, dark on light."""
    from nn.drawing import render_ink

    ink = render_ink([np.array(TWO, float)], (560, 520), 24)
    path = tmp_path_factory.mktemp("pictures") / "2-drawn.png"
    Image.fromarray((255 - 255 * ink).astype(np.uint8)).save(path)
    return path


@pytest.fixture(scope="module")
def weights() -> str:
    path = real_weights()
    if path is None:
        pytest.skip("no trained network: neither weights/mnist.h5 nor the shared Keras file")
    return str(path)


def test_a_picture_as_text_json_and_csv(two, weights, capsys):
    common = ["--weights", weights, "--image", str(two)]
    assert gui_console.main(common) == 0
    assert "  2  " in capsys.readouterr().out
    assert gui_console.main([*common, "--json"]) == 0
    row = json.loads(capsys.readouterr().out)
    assert row["text"] == "2"
    assert row["state"] == "digit"
    assert len(row["digits"][0]["probabilities"]) == 10
    assert sum(row["digits"][0]["probabilities"]) == pytest.approx(1, abs=1e-4)
    assert gui_console.main([*common, "--csv"]) == 0
    header, line = capsys.readouterr().out.strip().split("\n")
    assert header == ",".join(headless.COLUMNS)
    assert ",2," in line


def test_a_folder_reads_what_can_be_read(two, weights, tmp_path, capsys):
    (tmp_path / "a.png").write_bytes(two.read_bytes())
    (tmp_path / "b.png").write_text("no picture")
    assert gui_console.main(["--weights", weights, "--image", str(tmp_path), "--json"]) == 1
    out = capsys.readouterr()
    rows = json.loads(out.out)
    assert [r["file"] for r in rows] == ["a.png", "b.png"]
    assert rows[0]["text"] == "2"
    assert "error" in rows[1]
    assert out.err.startswith("gui_console: b.png")


def test_standard_input(two, weights):
    result = subprocess.run(
        [sys.executable, "gui_console.py", "--weights", weights, "--image", "-", "--json"],
        input=two.read_bytes(),
        capture_output=True,
        cwd=ROOT,
    )
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["text"] == "2"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--image", "none.png"], "none.png"),
        (["--image", "."], "expected a folder with pictures"),
        (["--evaluate", "none.txt"], "none.txt"),
    ],
)
def test_bad_input_is_one_sentence_and_status_2(arguments, says, weights, tmp_path, capsys):
    arguments = [str(tmp_path / a) if a in (".", "none.png", "none.txt") else a for a in arguments]
    assert gui_console.main(["--weights", weights, *arguments]) == 2
    out = capsys.readouterr()
    assert out.out == ""
    assert says in out.err
    assert out.err.count("\n") == 1


def test_missing_weights(two, tmp_path, capsys):
    missing = str(tmp_path / "none.h5")
    assert gui_console.main(["--weights", missing, "--image", str(two)]) == 2
    assert "python train.py" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [["--scale", "9"], ["--input-scale", "0"], ["--json"], ["--image", "x", "--json", "--csv"]],
)
def test_wrong_arguments_end_with_status_2(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        gui_console.main(arguments)
    assert stop.value.code == 2
    assert "expected" in (err := capsys.readouterr().err) or "need" in err or "not allowed" in err


def run_without(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    import os

    env = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY")}
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**env, **environment},
    )


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="these always have a display")
def test_no_display_says_so():
    pytest.importorskip("tkinter")
    result = run_without("import gui_console, sys; sys.exit(gui_console.main([]))")
    assert result.returncode == 2
    assert "there is no display" in result.stderr
    assert result.stderr.count("\n") == 1


def test_no_tkinter_says_what_to_install():
    code = (
        "import sys; sys.modules['tkinter'] = None; import gui_console; "
        "sys.exit(gui_console.main([]))"
    )
    result = run_without(code)
    assert result.returncode == 2
    for words in ("apt install python3-tk", "dnf install python3-tkinter", "brew install"):
        assert words in result.stderr


def test_help_imports_nothing_heavy():
    code = (
        "import sys, gui_console\n"
        "try: gui_console.main(['--help'])\n"
        "except SystemExit: pass\n"
        "sys.exit(bool({'numpy', 'tkinter', 'nn'} & set(sys.modules)))"
    )
    assert run_without(code).returncode == 0


# ------------------------------------------------------------------ several digits as rows


def test_a_number_is_printed_with_its_boxes():
    reading = ScriptedReader(
        [(answer(1), (0, 0, 10, 20)), (answer(9), (20, 0, 30, 20)), (answer(4), (40, 0, 50, 20))]
    )._reading()
    out = io.StringIO()
    headless.write([headless.row_of("x.png", reading)], "text", out, many=False)
    assert "194" in out.getvalue()
    assert "at 20,0,30,20" in out.getvalue()


# ------------------------------------------------------------------ evaluation


class Recogniser:
    """Says what the middle pixel column holds: fake, so that the figures are known."""

    def __init__(self, said):
        self.said = iter(said)

    def read_strokes(self, _strokes):
        return next(self.said)


UNIPEN = """.COORD X Y
.SEGMENT DIGIT 0 ? "3"
.PEN_DOWN
 10 10
 20 30
.PEN_UP
.SEGMENT DIGIT 1 ? "3"
.PEN_DOWN
 10 10
 20 30
.PEN_UP
.SEGMENT DIGIT 2 ? "5"
.PEN_DOWN
 10 10
 20 30
.PEN_UP
"""


def test_evaluation_counts(tmp_path):
    path = tmp_path / "strokes.txt"
    path.write_text(UNIPEN)
    said = [answer(3), answer(8, 0.6, "unsure"), answer(5, state="not a digit")]
    result = evaluation.evaluate(Recogniser(said), path)
    record = result.as_json()
    assert record["n"] == 3
    assert record["accuracy"] == pytest.approx(2 / 3)
    assert (record["unsure"], record["refused"], record["skipped"]) == (1, 1, 0)
    assert record["confusion"][3][3] == 1
    assert record["confusion"][3][8] == 1
    assert record["confusion"][5][5] == 1
    assert [(m.label, m.answer.digit) for m in result.mistakes] == [(3, 8)]
    evaluation.save_sheet(result, tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.width > 500
    assert "66.67 %" in evaluation.as_text(result)


def test_wilson_interval_against_known_values():
    """Newcombe 1998, table I: 81 of 263 gives 0.2553 to 0.3662; 0 of 20 gives 0 to 0.1611."""
    assert evaluation.wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert evaluation.wilson_interval(0, 20) == pytest.approx((0, 0.1611), abs=5e-5)
    assert evaluation.Evaluation().interval == (0.0, 1.0)


def test_labels_from_names(tmp_path):
    assert evaluation.label_of(tmp_path / "7" / "a.png") == 7
    assert evaluation.label_of(tmp_path / "7-x.png") == 7
    assert evaluation.label_of(tmp_path / "x.png") is None


def test_evaluate_a_folder_prints_one_json_object(two, weights, tmp_path, capsys):
    (tmp_path / "2").mkdir()
    (tmp_path / "2" / "a.png").write_bytes(two.read_bytes())
    (tmp_path / "nameless.png").write_bytes(two.read_bytes())
    arguments = ["--weights", weights, "--evaluate", str(tmp_path), "--json"]
    assert gui_console.main(arguments) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["n"] == 1
    assert record["accuracy"] == 1.0
    assert record["skipped"] == 1


# ------------------------------------------------------------------ inside and why


@pytest.fixture(scope="module")
def model():
    import nn
    from nn import layers

    return nn.Sequential(
        [
            layers.Input((28, 28, 1)),
            layers.Conv2D(4, 5, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(6, 3, activation="relu", padding="same"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(16, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(10, activation="softmax"),
        ],
        seed=3,
    )


@pytest.fixture(scope="module")
def image():
    from nn.drawing import strokes_to_mnist

    return strokes_to_mnist([np.array(TWO, float)])


def test_every_unit_is_the_sum_it_is_said_to_be(model, image):
    look = inside.Inspector(model)
    outputs = look.outputs(image)
    assert [s.kind for s in outputs] == [
        "Input",
        "Conv2D",
        "MaxPooling2D",
        "Conv2D",
        "MaxPooling2D",
        "Dense",
        "Dense",
    ]
    rng = np.random.default_rng(0)
    for output in outputs[1:]:
        for _ in range(8):
            unit = tuple(int(rng.integers(0, n)) for n in output.values.shape)
            shown = look.explain(output, unit)
            if shown.kind == "convolution":
                total = sum(t.product for t in shown.terms) + shown.rest + shown.bias
                assert total == pytest.approx(shown.total, abs=1e-5)
                assert max(shown.total, 0) == pytest.approx(shown.value, abs=1e-5)
                first = shown.terms[0].product
                assert (shown.patch * shown.kernel).sum() == pytest.approx(first, abs=1e-5)
            elif shown.kind == "pooling":
                assert shown.patch[shown.kernel == 1][0] == pytest.approx(shown.value)
                assert shown.kernel.sum() == 1
            else:
                assert shown.kind == "dense"
                total = sum(t.product for t in shown.terms) + shown.rest + shown.bias
                assert total == pytest.approx(shown.total, abs=1e-4)
                if shown.activation == "relu":
                    assert max(shown.total, 0) == pytest.approx(shown.value, abs=1e-4)


def test_the_field_is_exactly_what_changes_a_unit(model, image):
    """Outside its field a pixel never changes the unit; the field's size follows the layers."""
    look = inside.Inspector(model)
    outputs = look.outputs(image)
    output = outputs[3]
    unit = (5, 6, 2)
    top, left, bottom, right = look.receptive_field(output.index, 5, 6)
    assert (bottom - top, right - left) == (10, 10)  # 5, pooled by 2, then 3: 5 + 1 + 2 * 2
    outside = np.ones((28, 28), bool)
    outside[top:bottom, left:right] = False
    changed = image.copy()
    changed[outside] = 1 - changed[outside]
    assert look.outputs(changed)[3].values[unit] == pytest.approx(output.values[unit], abs=1e-6)
    changed = image.copy()
    changed[top:bottom, left:right] = 1 - changed[top:bottom, left:right]
    maps = look.outputs(changed)[3].values[5, 6], output.values[5, 6]
    assert not np.allclose(*maps)


def test_the_gradient_is_that_of_the_log_odds(image):
    """Against central differences, on a network without kinks."""
    import nn
    from nn import layers

    model = nn.Sequential(
        [
            layers.Input((28, 28, 1)),
            layers.Conv2D(4, 5, activation="tanh"),
            layers.AveragePooling2D(2),
            layers.Flatten(),
            layers.Dense(10, activation="softmax"),
        ],
        seed=3,
    )
    gradient = attribution.log_odds_gradient(model, image, 3, 5)
    rng = np.random.default_rng(1)
    for _ in range(6):
        i, j = rng.integers(6, 22, 2)
        values = []
        for step in (1e-2, -1e-2):
            moved = image.copy()
            moved[i, j] += step
            p = attribution.probabilities(model, moved[None])[0]
            values.append(np.log(p[3]) - np.log(p[5]))
        numeric = (values[0] - values[1]) / 2e-2
        assert gradient[i, j] == pytest.approx(numeric, abs=2e-3 + 0.02 * abs(numeric))


def test_saliency_is_zero_without_ink(model, image):
    heat = attribution.gradient_times_input(model, image, 2)
    assert heat.shape == (28, 28)
    assert not heat[image == 0].any()
    blank = np.zeros((28, 28), np.float32)
    assert not attribution.occlusion(model, blank, 2).any()
    far = attribution.occlusion(model, image, 2)
    assert far.any()
    assert far[0, 0] == 0


def test_towards_another_digit_raises_its_probability(weights, image):
    reader = load(Path(weights))
    before = attribution.probabilities(reader.model, image[None])[0]
    assert before.argmax() == 2
    change = attribution.counterfactual(reader.model, image, 8)
    assert change.reached
    assert change.after > 0.5 > change.before
    assert change.image.min() >= 0
    assert change.image.max() <= 1
    np.testing.assert_allclose(change.image - change.difference, image, atol=1e-6)


@pytest.mark.parametrize(
    ("shape", "convention"),
    [
        ((28, 28, 1), {"scale": 255.0}),
        ((784,), {"scale": 2.0, "offset": -1.0}),
        ((28, 28, 1), {"invert": True}),
        ((28, 28, 3), {}),
        ((32, 32, 1), {"scale": 255.0, "invert": True}),
        ((28, 28, 1), {"transpose": True}),
    ],
)
def test_foreign_models_answer_the_same_behind_the_front_layers(shape, convention, image):
    import nn
    from nn import layers
    from nn.saving import digit_probabilities

    model = nn.Sequential(
        [layers.Input(shape), layers.Flatten(), layers.Dense(10, activation="softmax")], seed=1
    )
    model.metadata["input"] = {"scale": 1.0, "offset": 0.0, **convention}
    plain = as_plain(model)
    expected = digit_probabilities(model, image[None])
    np.testing.assert_allclose(plain(image[None, :, :, None]), expected, atol=1e-5)
    assert tuple(plain.x_shape) == (28, 28, 1)


@pytest.mark.parametrize("convention", [{}, {"scale": 255.0, "invert": True}, {"transpose": True}])
def test_an_ensemble_answers_the_same_and_opens_its_first(convention, image):
    import nn
    from nn import layers
    from nn.recognise.reader import NetworkReader
    from nn.saving import DigitInput, Ensemble, digit_probabilities

    shape = (784,) if convention else (28, 28, 1)
    members = [
        nn.Sequential(
            [layers.Input(shape), layers.Flatten(), layers.Dense(10, activation="softmax")],
            seed=seed,
        )
        for seed in (1, 2)
    ]
    model = Ensemble(members)
    model.metadata["input"] = {"scale": 1.0, "offset": 0.0, **convention}
    expected = digit_probabilities(model, image[None])
    reader = NetworkReader(as_plain(model), Path("several.h5"))
    np.testing.assert_allclose(reader.model(image[None, :, :, None]), expected, atol=1e-5)
    assert reader.teach_note
    if convention.get("transpose"):
        assert reader.inside is None
        assert "transposed" in reader.inside_note
    else:
        assert "first" in reader.inside_note
        outputs = inside.Inspector(reader.inside).outputs(image)
        first = DigitInput.of(model).prepare(image[None], shape)
        np.testing.assert_allclose(outputs[-1].values, members[0](first)[0], atol=1e-5)
