"""The user's own network: its corrections, its weights, and undo.

Everything is kept in the user's data folder: `personal-set.h5` (the corrections) and
`personal-weights.h5` (the network after the lessons, with the hash of the base network in its
metadata). The shipped weights are never written to.
"""

from __future__ import annotations

import copy
import hashlib
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nn.models import load_model
from nn.recognise.answers import Answer, percent
from nn.teach.lesson import Lesson, copy_of, fine_tune, near_copies
from nn.teach.personal_set import Example, PersonalSet, keep_aside
from nn.teach.replay import ReplaySet, replay_digits

VERY_SURE = 0.98  # from this probability of another digit on, `label_warning` warns
MOST_UNDO = 20


def data_folder() -> Path:
    """Return the folder of the user's own data; it is made at the first lesson."""
    from platformdirs import user_data_path

    return user_data_path("handwritten-digits", appauthor=False)


def label_warning(
    answer: Answer, label: int, personal: PersonalSet, image: NDArray[np.float32]
) -> str:
    """Return why teaching this label looks like a mistake, as a question; "" if it does not.

    Compares it with the network's answer and with earlier corrections of the image (28, 28).
    """
    earlier = personal.contradiction(image, label)
    if earlier is not None:
        return (
            f"You have taught nearly the same drawing as {earlier.label}. "
            f"Teach it as {label} all the same?"
        )
    if answer.state == "digit" and answer.digit != label and answer.confidence >= VERY_SURE:
        return (
            f"The network is {percent(answer.confidence)} sure that this is {answer.digit}, not "
            f"{label}. A wrong label makes it worse. Teach it all the same?"
        )
    return ""


class PersonalNetwork:
    """The user's own network: a base network and the lessons given to it."""

    def __init__(self, base: Any, source: Path, folder: Path) -> None:
        self.base, self.source = base, source  # the network chosen, before any lesson; its file
        self.folder = folder  # where corrections and weights are kept
        self.model = base  # the network after the lessons
        self.lessons = 0
        self.weights_path = folder / "personal-weights.h5"  # of the network after the lessons
        self.personal = PersonalSet(folder / "personal-set.h5")
        aside = self.personal.kept_aside
        self.problem = "" if aside is None else _kept_aside(aside)  # to be shown to the user
        self._replay: ReplaySet | None = None
        self._preparing = threading.Lock()
        self._before: list[tuple[list[NDArray[np.float32]], dict[str, Any], int]] = []

    @property
    def can_undo(self) -> bool:
        """Whether a lesson of this session can be undone."""
        return bool(self._before)

    def restore(self) -> bool:
        """Load the network of earlier lessons; returns whether there is one of this base."""
        if not self.weights_path.is_file():
            return False
        try:
            model = load_model(self.weights_path)
        except (OSError, ValueError) as error:
            self.problem = f"{_kept_aside(keep_aside(self.weights_path))} ({error})"
            return False
        note = model.metadata.get("personal")
        if not isinstance(note, dict) or note.get("base") != fingerprint(self.base):
            return False
        self.model, self.lessons = model, int(note.get("lessons", 0))
        return True

    def prepare(self) -> ReplaySet:
        """Get everything ready for the first lesson: digits, kernels, scores; once.

        Takes seconds; may be called in any thread. A second caller waits for the first.
        """
        with self._preparing:
            if self._replay is None:
                replay = replay_digits(model=self.base)
                replay.targets(self.base)
                replay.accuracy(self.base)
                replay.accuracy(self.model)
                spare = copy_of(self.model)
                spare.compile("adam", "categorical_crossentropy")
                one_hot = np.eye(10, dtype=np.float32)[replay.labels[:128]]
                spare.train_on_batch(replay.images[:128], one_hot)
                near_copies(replay.images[0], 1, np.random.default_rng(0))
                self._replay = replay
            return self._replay

    @property
    def ready(self) -> bool:
        """Whether everything is ready for a lesson, or is being prepared."""
        return self._replay is not None or self._preparing.locked()

    def teach(
        self,
        image: NDArray[np.float32],
        label: int,
        predicted: int,
        strokes: list[NDArray[np.float32]],
        report: Callable[[float], None],
    ) -> Lesson:
        """Give one lesson; `accept` then makes its result the network. For a worker thread.

        The correction itself (see `nn.teach.Example`) joins the personal set first: it is kept
        even if the lesson is cancelled. `report`: see `nn.teach.fine_tune`.
        """
        earlier = self.personal.arrays()
        self.personal.add(Example(image, label, predicted, time.time(), strokes))
        replay = self.prepare()
        return fine_tune(
            self.model, image, label, replay, earlier, self.base, seed=self.lessons, report=report
        )

    def accept(self, lesson: Lesson, oddness: float = 0.0) -> None:
        """Make a lesson's network the current one and save it.

        Where the network would call an example of this oddness, in [0, 1], "not a digit", its
        limit moves up so far that it passes.
        """
        # Only the weights: a network that has answered holds buffers many times their size.
        metadata = copy.deepcopy(self.model.metadata)
        self._before.append((self.model.get_weights(), metadata, self.lessons))
        del self._before[:-MOST_UNDO]
        rejection = lesson.model.metadata.get("rejection")
        if isinstance(rejection, dict) and rejection.get("limit", 1.0) < oddness < 0.999:
            rejection["limit"] = min(oddness + 1e-3, 0.999)
        self.model = lesson.model
        self.lessons += 1
        self._save()

    def undo(self) -> bool:
        """Undo the last lesson of this session, and its correction; False if there is none."""
        if not self._before:
            return False
        weights, metadata, self.lessons = self._before.pop()
        self.model = self.base
        if self.lessons > 0:
            self.model = copy_of(self.base)
            self.model.set_weights(weights)
            self.model.metadata = metadata
        self.personal.remove_last()
        self._save()
        return True

    def reset(self) -> None:
        """Go back to the network as it was before all lessons; the corrections are kept."""
        self._before.clear()
        self.model, self.lessons = self.base, 0
        self._save()

    def _save(self) -> None:
        if self.lessons == 0:
            self.weights_path.unlink(missing_ok=True)
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        self.model.metadata["personal"] = {
            "base": fingerprint(self.base),
            "base_file": self.source.name,
            "lessons": self.lessons,
            "corrections": len(self.personal),
        }
        self.model.save(self.weights_path)


def _kept_aside(path: Path) -> str:
    return f"A damaged file was found among your lessons and kept aside as {path.name}."


def fingerprint(model: Any) -> str:
    """Return a short hash of a network's weights."""
    digest = hashlib.sha256()
    for array in model.get_weights():
        digest.update(np.ascontiguousarray(array, np.float32).tobytes())
    return digest.hexdigest()[:16]
