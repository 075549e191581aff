"""The user's own network: its corrections, its weights, and undo.

Everything lives in the user's data folder: `personal-set.h5` (the corrections) and
`personal-weights.h5` (the network after the lessons, which remembers what it grew from). The
shipped weights are never written to.
"""

from __future__ import annotations

import copy
import hashlib
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nn import teach
from nn.recognise.answers import Answer
from nn.recognise.wording import percent
from nn.teach import Lesson

VERY_SURE = 0.98
"""From this probability of another digit on, `label_warning` warns."""
MOST_UNDO = 20


def data_folder() -> Path:
    """Return the folder of the user's own data; it is made at the first lesson."""
    from platformdirs import user_data_path

    return user_data_path("handwritten-digits", appauthor=False)


def label_warning(
    answer: Answer, label: int, personal: teach.PersonalSet, image: NDArray[np.float32]
) -> str:
    """Return why teaching this label looks like a mistake, as a question; "" if it does not."""
    earlier = personal.contradiction(image, label)
    if earlier is not None:
        return (
            f"You have taught nearly the same drawing as {earlier.label}. "
            f"Teach it as {label} all the same?"
        )
    if answer.state == "digit" and answer.digit != label and answer.confidence >= VERY_SURE:
        return (
            f"The network is {percent(answer.confidence)} sure that this is {answer.digit}, "
            f"not {label}. "
            "A wrong label makes it worse. Teach it all the same?"
        )
    return ""


def kept_aside(name: str) -> str:
    """Return the message that a damaged file was renamed, not deleted."""
    return f"A damaged file was found among your lessons and kept aside as {name}."


@dataclass
class PersonalNetwork:
    """The user's own network: a base network and the lessons given to it.

    Parameters
    ----------
    base : Sequential
        The network chosen, before any lesson.
    source : Path
        Its file; lessons of another file are not mixed in.
    folder : Path
    """

    base: Any
    source: Path
    folder: Path
    personal: teach.PersonalSet = field(init=False)
    model: Any = field(init=False)
    lessons: int = 0
    problem: str = ""
    _known: teach.Known | None = None
    _preparing: threading.Lock = field(default_factory=threading.Lock)
    _before: list[tuple[list[NDArray[np.float32]], dict[str, Any], int]] = field(
        default_factory=list
    )

    def __post_init__(self) -> None:
        self.model = self.base
        self.personal = teach.PersonalSet(self.folder / "personal-set.h5")
        if self.personal.kept_aside is not None:
            self.problem = kept_aside(self.personal.kept_aside.name)

    @property
    def weights_path(self) -> Path:
        """Where the network after the lessons is kept."""
        return self.folder / "personal-weights.h5"

    @property
    def can_undo(self) -> bool:
        """Whether a lesson of this session can be taken back."""
        return bool(self._before)

    def restore(self) -> bool:
        """Take up the network of earlier lessons, if it grew from this base; else keep the base."""
        import nn

        if not self.weights_path.is_file():
            return False
        try:
            model = nn.load_model(self.weights_path)
        except (OSError, ValueError) as error:
            stamp = time.strftime("%Y%m%d-%H%M%S")
            aside = self.weights_path.with_name(f"personal-weights.damaged-{stamp}.h5")
            os.replace(self.weights_path, aside)
            self.problem = kept_aside(aside.name) + f" ({error})"
            return False
        note = model.metadata.get("personal")
        if not isinstance(note, dict) or note.get("base") != fingerprint(self.base):
            return False
        self.model = model
        self.lessons = int(note.get("lessons", 0))
        return True

    def prepare(self) -> None:
        """Get everything ready for the first lesson, in a worker: digits, kernels, scores.

        Does it once: who comes while it is under way waits for the end.
        """
        with self._preparing:
            if self._known is None:
                self._known = self._prepared()

    @property
    def ready(self) -> bool:
        """Whether everything is ready for a lesson, or is being made so."""
        return self._known is not None or self._preparing.locked()

    def _prepared(self) -> teach.Known:
        known = teach.known_digits(model=self.base)
        known.answers(self.base)
        known.accuracy(self.base)
        known.accuracy(self.model)
        spare = teach.copy_of(self.model)
        spare.compile("adam", "categorical_crossentropy")
        spare.train_on_batch(known.images[:128], np.eye(10, dtype=np.float32)[known.labels[:128]])
        return known

    def teach(
        self,
        image: NDArray[np.float32],
        label: int,
        said: int,
        strokes: list[NDArray[np.float32]],
        report: Callable[[float], None],
    ) -> Lesson:
        """Give one lesson, in a worker; `accept` then makes its result the network.

        The correction itself joins the personal set first: it is kept even if the lesson is
        cancelled.
        """
        earlier = self.personal.arrays()
        self.personal.add(teach.Example(image, label, said, time.time(), strokes))
        self.prepare()
        known = self._known
        if known is None:
            raise RuntimeError("prepare() gave no digits to replay")
        return teach.learn(
            self.model,
            image,
            label,
            known,
            earlier,
            self.base,
            seed=self.lessons,
            report=report,
        )

    def accept(self, lesson: Lesson, oddness: float = 0.0) -> None:
        """Make a lesson's network the current one and save it.

        Parameters
        ----------
        lesson : Lesson
        oddness : float
            How odd the example looks to the judge of scribbles: if the judge refuses it, its
            limit moves up so far that this drawing passes.
        """
        # Only the weights: a network that has answered holds buffers many times their size.
        metadata = copy.deepcopy(self.model.metadata)
        self._before.append((self.model.get_weights(), metadata, self.lessons))
        del self._before[:-MOST_UNDO]
        judge = lesson.model.metadata.get("rejection")
        if isinstance(judge, dict) and judge.get("limit", 1.0) < oddness < 0.999:
            judge["limit"] = min(oddness + 1e-3, 0.999)
        self.model = lesson.model
        self.lessons += 1
        self._save()

    def undo(self) -> bool:
        """Take the last lesson of this session back, and its correction with it."""
        if not self._before:
            return False
        weights, metadata, self.lessons = self._before.pop()
        if self.lessons == 0:
            self.model = self.base
        else:
            self.model = teach.copy_of(self.base)
            self.model.set_weights(weights)
            self.model.metadata = metadata
        self.personal.remove_last()
        self._save()
        return True

    def reset(self) -> None:
        """Go back to the network as it was before all lessons; the corrections are kept."""
        self._before.clear()
        self.model, self.lessons = self.base, 0
        self.weights_path.unlink(missing_ok=True)

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


def fingerprint(model: Any) -> str:
    """Return a short hash of a network's weights."""
    digest = hashlib.sha256()
    for array in model.get_weights():
        digest.update(np.ascontiguousarray(array, np.float32).tobytes())
    return digest.hexdigest()[:16]
