"""Scripts as people have them, under Keras and with nn in its place: they learn equally well.

``python tests/peers/run_script.py nn cnn_keras2`` runs one of them.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SCRIPTS = sorted(path.stem for path in (HERE / "scripts").glob("*.py"))
# Of 2,000 images, and another order of examples: twice what ten seeds of one script differ by.
NOISE = 0.05
# What runs under no Keras 3 (older spellings, or libraries it needs) must reach this instead.
FLOORS = {
    "cnn_keras1": 0.86,
    "kaggle_augmented": 0.90,
    "kaggle_fit_generator": 0.90,
    "mlp_keras1": 0.86,
    "predict_classes": 0.86,
    "tensorboard": 0.85,
}

# What is refused, and the sentence that says so.
REFUSED = {
    "autoencoder": "expected a last layer with outputs (N, K), received 9 layers and outputs",
    "multilabel": "optimizer: expected one of SGD, Adadelta, Adam, AdamW, RMSprop, received",
}


def run(package, script):
    return subprocess.run(
        [sys.executable, HERE / "run_script.py", package, script],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONPATH": str(HERE.parents[1])},
        check=False,
    )


def score(package, script):
    """Run a script to its end, and return its SCORE."""
    done = run(package, script)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])["score"]


def test_floors_are_of_scripts():
    says_no = {
        name for name in SCRIPTS if "KERAS 3: NO" in (HERE / f"scripts/{name}.py").read_text()
    }
    assert says_no == set(FLOORS)
    assert len(SCRIPTS) >= 25


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_learns_as_well_as_under_keras(script, keras):
    if script in REFUSED:
        last = run("nn", script).stderr.splitlines()[-1]
        assert REFUSED[script] in last
        print(f"\n{script}: refused: {last}")
        return
    ours = score("nn", script)
    if script in FLOORS:
        print(f"\n{script}: {ours:.4f}, at least {FLOORS[script]}")
        assert ours >= FLOORS[script]
        return
    theirs = score("keras", script)
    print(f"\n{script}: {ours:.4f}, Keras {theirs:.4f}")
    assert abs(ours - theirs) <= NOISE
