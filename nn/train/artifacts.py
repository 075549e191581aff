"""The end of a training: the best weights, judged once, and all that stands beside them."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nn import runtime, saving
from nn.ensemble import Ensemble
from nn.models import Sequential
from nn.recognise.evaluation import wilson_interval
from nn.train import pictures, recipes, record, scores
from nn.train.trainer import Data, Run, beside


class Verdict(NamedTuple):
    """What the test images said: figures for the record, and what the pictures show."""

    figures: dict[str, Any]
    confusion: NDArray[np.int64]
    images: NDArray[np.uint8]
    labels: NDArray[Any]
    probabilities: NDArray[np.float32]


def judge(model: Sequential | Ensemble, data: Data) -> Verdict:
    """Open the test images and let ``model`` read them."""
    images, labels = data.test()
    probabilities = model.predict(recipes.to_network(images))
    confusion = scores.confusion_matrix(labels, probabilities.argmax(axis=1))
    figures = {
        **_figures(probabilities, labels),
        "confusion": confusion.tolist(),
        "digits": [row._asdict() for row in scores.class_scores(confusion)],
    }
    return Verdict(figures, confusion, images, labels, probabilities)


def _figures(probabilities: NDArray[np.float32], labels: NDArray[Any]) -> dict[str, Any]:
    right = int((probabilities.argmax(axis=1) == labels).sum())
    of_truth = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return {
        "images": len(labels),
        "right": right,
        "accuracy": right / len(labels),
        "interval_95": list(wilson_interval(right, len(labels))),
        "loss": float(-np.log(np.maximum(of_truth, 1e-7)).mean()),
    }


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
    try:  # Linux's rusage begins with what the process that started this one held
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        return 1024 * int(status.partition("VmHWM:")[2].split()[0])
    except (OSError, IndexError, ValueError):
        pass
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
    runs: Sequence[Run],
    output: Path,
    force: bool = False,
    arguments: list[str] | None = None,
    interrupted: bool = False,
    quiet: bool = False,
) -> Path:
    """Write the best weights of a training and what stands beside them; print what it came to.

    Parameters
    ----------
    runs : sequence of Run
        One, or the members of an ensemble; of each at least one epoch is done.
    output : Path
        The weights; record and pictures get its name with another ending. Weights that stand
        there are not replaced by worse ones, see `destination`.
    force : bool
        Replace them all the same.
    arguments : list of str, optional
        The command line, for the record.
    interrupted : bool
        The training is not over: the test images stay closed.
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
    first = runs[0]
    data, course = first.data, first.course
    for run in runs:
        run.model.set_weights(run.best_weights)
    model = first.model if len(runs) == 1 else Ensemble([run.model for run in runs])
    judged = {
        "images": len(data.validation[1]),
        "sha256": record.digest(*data.validation),
        "accuracy": course.best_accuracy,
        "loss": course.best_loss,
    }
    if len(runs) > 1:
        told = _figures(model.predict(recipes.to_network(data.validation[0])), data.validation[1])
        judged.update(accuracy=told["accuracy"], loss=told["loss"])
    model.metadata = {
        "trained_on": first.trained_on,
        "data": first.source,
        "settings": asdict(first.settings),
        "epoch": course.best_epoch,
        "members": len(runs),
        "validation": judged,
    }
    more: dict[str, Any] = {}
    if first.recipe.finish is not None and not interrupted:
        more = first.recipe.finish(model, *data.validation, data.folder)
    verdict = None if interrupted else judge(model, data)
    if verdict is not None:
        kept = ("images", "accuracy", "interval_95", "loss")
        model.metadata["test"] = {name: verdict.figures[name] for name in kept}
    members = [_member(run, verdict) for run in runs] if len(runs) > 1 else []
    path = destination(output, judged, force)
    saving.save_model(model, path)
    record.write_json(
        beside(path, ".json"),
        {
            "program": "train.py",
            "arguments": arguments,
            "settings": asdict(first.settings),
            "finished": not interrupted,
            "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "backend": runtime.backend(),
            "threads": runtime.num_threads(),
            "versions": record.describe_versions(),
            "machine": record.describe_machine(),
            "data": first.source,
            "training_images": len(data.train[1]),
            "parameters": model.count_params(),
            "history": course.history,
            "best_epoch": course.best_epoch,
            "seconds": sum(run.course.seconds for run in runs),
            "peak_memory_bytes": peak_memory(),
            "members": members,
            "validation": judged,
            "finish": more,
            "test": verdict and verdict.figures,
        },
    )
    if verdict is not None:
        drawn = draw_pictures(path, first, verdict)
        if not quiet:
            print(f"\n{scores.scores_table(verdict.confusion)}\n")
        for number, member in enumerate(members, 1):
            _print_test(f"Network {number}", member["test"], data.source["name"])
        _print_test("Test", verdict.figures, data.source["name"])
        print(f"Pictures  {drawn}")
    print(f"Record    {beside(path, '.json')}")
    what = f"epoch {course.best_epoch}" if len(runs) == 1 else f"{len(runs)} networks"
    print(f"Weights   {path} ({what}, trained on {first.trained_on})")
    if path != output:
        print(
            f"          {output} stands: it is better on the same validation images, or was "
            "judged on others. --force replaces it."
        )
    return path


def _member(run: Run, verdict: Verdict | None) -> dict[str, Any]:
    """Return what the record says of one network of an ensemble."""
    told = {
        "preset": run.settings.preset,
        "seed": run.settings.seed,
        "best_epoch": run.course.best_epoch,
        "validation": {"accuracy": run.course.best_accuracy, "loss": run.course.best_loss},
        "history": run.course.history,
    }
    if verdict is None:
        return told
    probabilities = run.model.predict(recipes.to_network(verdict.images))
    return {**told, "test": _figures(probabilities, verdict.labels)}


def _print_test(head: str, figures: dict[str, Any], name: str) -> None:
    low, high = figures["interval_95"]
    print(
        f"{head:<9} loss {figures['loss']:.4f}, accuracy {100 * figures['accuracy']:.2f} % "
        f"(95 % interval {100 * low:.2f} to {100 * high:.2f} %): {figures['right']} of "
        f"{figures['images']} test images ({name}) right"
    )
