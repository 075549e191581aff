"""The end of a training: the best weights, judged once, and all that stands beside them."""

from __future__ import annotations

import math
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nn import recipes, runtime, saving
from nn.report import pictures, record, scores
from nn.runs import Run, beside


class Verdict(NamedTuple):
    """What the test images said: figures for the record, and what the pictures show."""

    figures: dict[str, Any]
    confusion: NDArray[np.int64]
    images: NDArray[np.uint8]
    labels: NDArray[Any]
    probabilities: NDArray[np.float32]


def judge(run: Run) -> Verdict:
    """Open the test images and let the network of ``run`` read them."""
    images, labels = run.data.test()
    probabilities = run.model.predict(recipes.to_network(images), verbose=0)
    predicted = probabilities.argmax(axis=1)
    right = int((predicted == labels).sum())
    of_truth = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    confusion = scores.confusion_matrix(labels, predicted)
    figures = {
        "images": len(labels),
        "right": right,
        "accuracy": right / len(labels),
        "interval_95": list(scores.wilson_interval(right, len(labels))),
        "loss": float(-np.log(np.maximum(of_truth, 1e-7)).mean()),
        "confusion": confusion.tolist(),
        "digits": [row._asdict() for row in scores.class_scores(confusion)],
    }
    return Verdict(figures, confusion, images, labels, probabilities)


def destination(output: Path, judged: dict[str, Any], force: bool) -> Path:
    """Return where to write weights judged on validation images: ``output``, or beside it.

    A file that stands there gives way to weights that are at least as good on the same
    validation images, or to ``force``. Otherwise the next free name is taken.
    """
    path, number = output, 1
    while path.exists() and not force:
        try:
            standing = saving.load_model(path).metadata.get("validation", {})
        except (saving.FormatError, OSError):
            standing = {}  # no model of ours: not to be lost either
        same = standing.get("sha256") == judged["sha256"]
        if same and judged["accuracy"] >= standing.get("accuracy", math.inf):
            break
        number += 1
        path = beside(output, f"-{number}{output.suffix}")
    return path


def peak_memory() -> int | None:
    """Return the most memory this process has held, in bytes; None where that is not told."""
    if sys.platform == "win32":
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def draw_pictures(output: Path, run: Run, verdict: Verdict) -> str:
    """Draw the pictures beside ``output``; return a line on them."""
    names = [beside(output, f"-{name}.png") for name in ("curves", "confusion", "mistakes")]
    told = ", ".join(path.name for path in names)
    if not pictures.available():
        return f"skipped ({told}): matplotlib is missing, pip install -e '.[plots]' brings it"
    figures = (
        pictures.learning_curves(run.course.history, run.course.best_epoch),
        pictures.confusion(verdict.confusion),
        pictures.confident_mistakes(verdict.images, verdict.labels, verdict.probabilities),
    )
    for path, figure in zip(names, figures, strict=True):
        pictures.save(figure, path)
    return told


def finish(
    run: Run,
    output: Path,
    force: bool = False,
    arguments: list[str] | None = None,
    interrupted: bool = False,
    quiet: bool = False,
) -> Path:
    """Write the best weights of a run and what stands beside them; print what it came to.

    Parameters
    ----------
    run : Run
        At least one epoch of it is done.
    output : Path
        The weights; record and pictures get its name with another ending. Weights that stand
        there are not replaced by worse ones, see `destination`.
    force : bool
        Replace them all the same.
    arguments : list of str, optional
        The command line, for the record.
    interrupted : bool
        The run is not over: the test images stay closed.
    quiet : bool
        Leave out the table of digits.

    Returns
    -------
    Path
        Where the weights were written.

    Raises
    ------
    OSError
        If a file cannot be written; what stood in its place before is still there.
    """
    course, source = run.course, run.source
    run.model.set_weights(run.best_weights)
    judged = {
        "images": len(run.data.validation[1]),
        "sha256": record.digest(*run.data.validation),
        "accuracy": course.best_accuracy,
        "loss": course.best_loss,
    }
    run.model.metadata = {
        "trained_on": run.trained_on,
        "data": source,
        "settings": asdict(run.settings),
        "epoch": course.best_epoch,
        "validation": judged,
    }
    more: dict[str, Any] = {}
    if run.recipe.finish is not None and not interrupted:
        more = run.recipe.finish(run.model, *run.data.validation, run.data.folder)
    verdict = None if interrupted else judge(run)
    if verdict is not None:
        kept = ("images", "accuracy", "interval_95", "loss")
        run.model.metadata["test"] = {name: verdict.figures[name] for name in kept}
    path = destination(output, judged, force)
    saving.save_model(run.model, path)
    record.write_json(
        beside(path, ".json"),
        {
            "program": "train.py",
            "arguments": arguments,
            "settings": asdict(run.settings),
            "finished": not interrupted,
            "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "backend": runtime.backend(),
            "threads": runtime.num_threads(),
            "versions": record.describe_versions(),
            "machine": record.describe_machine(),
            "data": source,
            "training_images": len(run.data.train[1]),
            "parameters": run.model.count_params(),
            "history": course.history,
            "best_epoch": course.best_epoch,
            "seconds": course.seconds,
            "peak_memory_bytes": peak_memory(),
            "validation": judged,
            "finish": more,
            "test": verdict and verdict.figures,
        },
    )
    if verdict is not None:
        drawn = draw_pictures(path, run, verdict)
        if not quiet:
            print(f"\n{scores.scores_table(verdict.confusion)}\n")
        figures = verdict.figures
        low, high = figures["interval_95"]
        print(
            f"Test      loss {figures['loss']:.4f}, accuracy {100 * figures['accuracy']:.2f} % "
            f"(95 % interval {100 * low:.2f} to {100 * high:.2f} %): {figures['right']} of "
            f"{figures['images']} test images ({source['name']}) right"
        )
        print(f"Pictures  {drawn}")
    print(f"Record    {beside(path, '.json')}")
    print(f"Weights   {path} (epoch {course.best_epoch}, trained on {run.trained_on})")
    if path != output:
        print(
            f"          {output} stands: it is better on the same validation images, or was "
            "judged on others. --force replaces it."
        )
    return path
