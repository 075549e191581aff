"""The artifacts of a training: weights, test figures, run record, pictures."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nn import runtime, saving
from nn.recognise.evaluation import wilson_interval
from nn.saving import Ensemble
from nn.saving.ensemble import Network
from nn.train import pictures, recipes, record, scores
from nn.train.checkpoint import beside
from nn.train.trainer import Run


class Predictions:
    """A model's probabilities (N, 10) for images (N, 28, 28) with labels (N,), and their scores.

    ``confusion`` is the confusion matrix (10, 10); ``figures`` are the number of images, the
    accuracy with its interval and the loss in nats.
    """

    def __init__(self, model: Network, images: NDArray[np.uint8], labels: NDArray[Any]) -> None:
        self.images, self.labels = images, labels
        self.probabilities = model.predict(recipes.to_network(images))
        self.confusion = scores.confusion_matrix(labels, self.probabilities.argmax(axis=1))
        total, right = len(labels), int(np.trace(self.confusion))
        of_label = self.probabilities[np.arange(total), labels].astype(np.float64)
        self.figures: dict[str, Any] = {
            "images": total,
            "right": right,
            "accuracy": right / total,
            "interval_95": list(wilson_interval(right, total)),
            "loss": float(-np.log(np.maximum(of_label, 1e-7)).mean()),
        }


def finish(
    runs: Sequence[Run],
    output: Path,
    force: bool = False,
    arguments: list[str] | None = None,
    interrupted: bool = False,
    quiet: bool = False,
) -> None:
    """Test the best weights once; write them, the run record and pictures; print the result.

    Parameters
    ----------
    runs : sequence of Run
        One, or the members of an ensemble; each has finished at least one epoch.
    output : Path
        The weights; record and pictures get its name with another ending.
    force : bool
        Replace better weights, too (see `destination`).
    arguments : list of str, optional
        The command line, for the record.
    interrupted : bool
        The training is not over: the test images stay closed.
    quiet : bool
        Leave out the table of digits.

    Raises
    ------
    OSError
        If a file cannot be written; what stood in its place before is still there.
    """
    first = runs[0]
    data, history = first.data, first.history
    model = first.model if len(runs) == 1 else Ensemble([run.model for run in runs])
    validation = _validation(model, first)
    model.metadata = {
        "trained_on": first.trained_on,
        "data": first.source,
        "settings": asdict(first.settings),
        "epoch": history.best_epoch,
        "members": len(runs),
        "validation": validation,
    }
    finished: dict[str, Any] = {}
    test = details = None
    if not interrupted:
        if first.recipe.finish is not None:
            finished = first.recipe.finish(model, *data.validation, data.folder)
        test = Predictions(model, *data.test())
        model.metadata["test"] = {k: v for k, v in test.figures.items() if k != "right"}
        digits = [row._asdict() for row in scores.class_scores(test.confusion)]
        details = {**test.figures, "confusion": test.confusion.tolist(), "digits": digits}
    members = [_member(run, test) for run in runs] if len(runs) > 1 else []
    path = destination(output, validation, force)
    saving.save_model(model, path)
    parts = {"members": members, "validation": validation, "finish": finished, "test": details}
    written = _describe(runs, arguments, not interrupted) | parts
    record.write_json(beside(path, ".json"), written)
    if test is not None:
        drawn = _draw_pictures(path, first, test)
        if not quiet:
            print(f"\n{scores.scores_table(test.confusion)}\n")
        for number, member in enumerate(members, 1):
            _print_figures(f"Network {number}", member["test"], first)
        _print_figures("Test", test.figures, first)
        print(f"Pictures  {drawn}")
    print(f"Record    {beside(path, '.json')}")
    what = f"epoch {history.best_epoch}" if len(runs) == 1 else f"{len(runs)} networks"
    print(f"Weights   {path} ({what}, trained on {first.trained_on})")
    if path != output:
        print(
            f"          {output} stands: it is better on the same validation images, or was "
            "judged on others. --force replaces it."
        )


def _validation(model: Network, run: Run) -> dict[str, Any]:
    """Return the figures of ``model`` on the validation images, and which images they are."""
    images, labels = run.data.validation
    figures = run.history.best_figures()
    if model is not run.model:
        figures = Predictions(model, images, labels).figures
    digest = record.digest(images, labels)
    kept = {name: figures[name] for name in ("accuracy", "loss")}
    return {"images": len(labels), "sha256": digest, **kept}


def destination(output: Path, validation: dict[str, Any], force: bool) -> Path:
    """Return where to write weights with these validation figures: ``output``, or beside it.

    A model file is replaced if its figures on the same validation images are not better, or with
    ``force``. Otherwise the next free name is taken.
    """
    path, number = output, 1
    while path.exists() and not force:
        try:
            standing = saving.load_model(path).metadata.get("validation", {})
        except (saving.FormatError, OSError):
            standing = {}  # another kind of file: not replaced either
        same = standing.get("sha256") == validation["sha256"]
        if same and validation["accuracy"] >= standing.get("accuracy", math.inf):
            break
        number += 1
        path = beside(output, f"-{number}{output.suffix}")
    return path


def _describe(runs: Sequence[Run], arguments: list[str] | None, finished: bool) -> dict[str, Any]:
    """Return what the run record says of the training itself."""
    first = runs[0]
    return {
        "program": "train.py",
        "arguments": arguments,
        "settings": asdict(first.settings),
        "finished": finished,
        "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "backend": runtime.backend(),
        "threads": runtime.num_threads(),
        "versions": record.describe_versions(),
        "machine": record.describe_machine(),
        "data": first.source,
        "training_images": len(first.data.train[1]),
        "parameters": sum(run.model.count_params() for run in runs),
        "history": first.history.history,
        "best_epoch": first.history.best_epoch,
        "seconds": sum(run.history.seconds for run in runs),
        "peak_memory_bytes": record.peak_memory(),
    }


def _member(run: Run, test: Predictions | None) -> dict[str, Any]:
    """Return what the run record says of one network of an ensemble."""
    member = {
        "preset": run.settings.preset,
        "seed": run.settings.seed,
        "best_epoch": run.history.best_epoch,
        "validation": run.history.best_figures(),
        "history": run.history.history,
    }
    if test is not None:
        member["test"] = Predictions(run.model, test.images, test.labels).figures
    return member


def _print_figures(head: str, figures: dict[str, Any], run: Run) -> None:
    low, high = figures["interval_95"]
    print(
        f"{head:<9} loss {figures['loss']:.4f}, accuracy {100 * figures['accuracy']:.2f} % "
        f"(95 % interval {100 * low:.2f} to {100 * high:.2f} %): {figures['right']} of "
        f"{figures['images']} test images ({run.data.source['name']}) right"
    )


def _draw_pictures(output: Path, run: Run, test: Predictions) -> str:
    """Draw the pictures beside ``output``; return their names, or why they are skipped."""
    paths = [beside(output, f"-{name}.png") for name in ("curves", "confusion", "mistakes")]
    names = ", ".join(path.name for path in paths)
    if not pictures.available():
        return f"skipped ({names}): matplotlib is missing, pip install -e '.[plots]' brings it"
    figures = (
        pictures.learning_curves(run.history.history, run.history.best_epoch),
        pictures.confusion(test.confusion),
        pictures.confident_mistakes(test.images, test.labels, test.probabilities),
    )
    for path, figure in zip(paths, figures, strict=True):
        pictures.save(figure, path)
    return names
