"""A training run: epoch after epoch, the best one kept, able to stop and go on.

The state of a run is a checkpoint beside its weights: an ordinary model file (weights, optimiser
state) whose metadata also holds the settings and the course so far. With the randomness of an
epoch a function of (seed, epoch), that is all a run needs to continue to the same bits.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nn import runtime, saving
from nn.augment import MixedBatches
from nn.callbacks import WeightAveraging
from nn.train import recipes

if TYPE_CHECKING:
    from nn.models import Sequential
    from nn.train.progress import EpochLines

CHECKPOINT, BEST, AVERAGE = ".checkpoint.h5", ".best.checkpoint.h5", ".average.checkpoint.h5"
"""Endings of the files of a run: its last state, its best weights, its averaged weights."""


class DivergedError(ArithmeticError):
    """The loss of a training is no longer a finite number."""


class SettingsError(ValueError):
    """What a run was given does not fit together: a checkpoint of another training, say."""


REFUSALS = (DivergedError, SettingsError)
"""What a user may be told without a traceback."""


@dataclass
class Settings:
    """Everything that decides the weights; the checkpoint and the run record hold it."""

    data: str
    recipe: str
    preset: str
    epochs: int
    batch_size: int
    optimizer: str
    learning_rate: float
    seed: int
    validation_split: float
    limit: int | None
    teachers: dict[str, str] = field(default_factory=dict)  # names of files, their SHA-256


@dataclass
class Course:
    """How far a run has come."""

    history: dict[str, list[float]] = field(default_factory=dict)
    best_epoch: int = 0
    best_accuracy: float = -1.0
    best_loss: float = math.inf
    top_accuracy: float = -1.0
    seconds: float = 0.0

    @property
    def epochs_done(self) -> int:
        """Number of finished epochs."""
        return len(self.history.get("loss", ()))

    def add(self, logs: dict[str, float], seconds: float, tolerance: float = 0.0) -> bool:
        """Append an epoch; return whether it is to be kept rather than the one kept before.

        It is if it did better on the validation images, or, of two that are less than ``tolerance``
        below the best accuracy seen, because it came later.
        """
        for name, value in logs.items():
            self.history.setdefault(name, []).append(float(value))
        self.seconds += seconds
        accuracy, loss = float(logs["val_accuracy"]), float(logs["val_loss"])
        self.top_accuracy = max(self.top_accuracy, accuracy)
        better = (accuracy, -loss) > (self.best_accuracy, -self.best_loss)
        if better or accuracy > self.top_accuracy - tolerance:
            self.best_epoch, self.best_accuracy, self.best_loss = self.epochs_done, accuracy, loss
            return True
        return False


@dataclass
class Data:
    """The images of a run: pairs of images (N, 28, 28) uint8, ink 255, and labels (N,).

    ``test`` opens the test images; it is called once, when everything is decided. ``folder`` is
    where the user keeps data, for recipes that need more of it.
    """

    train: tuple[NDArray[np.uint8], NDArray[Any]]
    validation: tuple[NDArray[np.uint8], NDArray[Any]]
    test: Callable[[], tuple[NDArray[np.uint8], NDArray[Any]]]
    source: dict[str, Any]
    folder: str | None = None


def standard_error(accuracy: float, images: int) -> float:
    """Return the standard error of an accuracy measured on so many images."""
    return math.sqrt(max(accuracy * (1 - accuracy), 0.0) / images)


def beside(output: Path, ending: str) -> Path:
    """Return the file beside ``output`` that has its name and another ending."""
    return output.with_name(output.stem + ending)


def without_folders(described: Any) -> Any:
    """Return a description of data without the folders it lay in: those are nobody's business."""
    if not isinstance(described, dict):
        return described
    return {
        key: Path(value).name if key == "path" else without_folders(value)
        for key, value in described.items()
    }


def beats_chance(accuracy: float, labels: NDArray[Any]) -> bool:
    """Return whether ``accuracy`` is 3 standard deviations above the best constant answer."""
    chance = float(np.bincount(labels).max()) / len(labels)
    return accuracy > chance + 3 * math.sqrt(chance * (1 - chance) / len(labels))


def read_checkpoint(path: Path) -> tuple[Sequential, dict[str, Any]]:
    """Return the model of a checkpoint, and its state.

    Raises
    ------
    SettingsError
        If ``path`` is a model without a training's state.
    nn.saving.FormatError
        If it is no model.
    OSError
        If it cannot be read.
    """
    saved = saving.load_model(path)
    state = saved.metadata.get("checkpoint")
    if not isinstance(state, dict):
        raise SettingsError(
            f"checkpoint: expected a file that a training wrote to be resumed, received {path}, a "
            f"model without a training's state. Give the file that ends in {CHECKPOINT}, or start "
            "anew without --resume."
        )
    return saved, state


class Run:
    """A network on its way through its epochs.

    Parameters
    ----------
    settings : Settings
    data : Data
    output : Path, optional
        Where the weights will go; the checkpoint gets a name beside it. None: write nothing.
    progress : EpochLines
        Whom to tell.
    teachers : sequence of Sequential
        Better networks, whose probabilities are part of the targets.

    Raises
    ------
    SettingsError
        If there are teachers and the recipe has no batches for a network that is taught.
    """

    def __init__(
        self,
        settings: Settings,
        data: Data,
        output: Path | None,
        progress: EpochLines,
        teachers: Sequence[Sequential] = (),
    ) -> None:
        recipe = recipes.RECIPES[settings.recipe]
        self.recipe = recipe
        self.settings = settings
        self.data = data
        self.output = output
        self.progress = progress
        make: Callable[..., Any] | None = recipe.taught if teachers else recipe.batches
        if make is None:
            raise SettingsError(
                f"--teacher: expected a recipe of many variations, received {settings.recipe}, "
                "which shows the same images each epoch. Add --recipe strong."
            )
        self.batches: Any = make(*data.train, settings.batch_size, settings.seed, data.folder)
        if isinstance(self.batches, MixedBatches):
            self.batches.epochs = settings.epochs  # the next epoch's examples are made beside this
        if teachers:
            told = [recipes.Teacher.of(teacher) for teacher in teachers]
            self.batches = recipes.Distilled(self.batches, told)
        progress.images = getattr(self.batches, "samples", len(data.train[1]))
        self.source = dict(data.source)
        self.trained_on = str(data.source["name"])
        if hasattr(self.batches, "describe"):
            described = without_folders(self.batches.describe())
            self.source["sources"] = described
            if "beside" in described:
                self.trained_on += ", " + described["beside"]
        self.model = recipes.build(
            settings.preset, settings.seed, recipe.dropout.get(settings.preset, 1.0)
        )
        rate = recipe.schedule(settings.learning_rate, len(self.batches), settings.epochs)
        self.model.compile(
            optimizer=recipes.make_optimizer(settings.optimizer, rate),
            loss=recipe.loss,
            metrics=["accuracy"],
        )
        self.averaging = WeightAveraging(recipe.averaging) if recipe.averaging else None
        images, labels = data.validation
        self.validation = recipes.to_network(images), recipes.one_hot(labels)
        self.course = Course()
        self.best_weights = self.model.get_weights()
        self._better = False

    def resume(self, path: Path, saved: Sequential, state: dict[str, Any]) -> None:
        """Go back to where the checkpoint at ``path``, as `read_checkpoint` gave it, was written.

        Raises
        ------
        SettingsError
            If it is of other data, another network or another optimiser.
        """
        model, ours, theirs = self.model, self.model.optimizer, saved.optimizer
        if state["source"] != self.source:
            raise SettingsError(
                f"--resume: expected the data the training began with ({state['source']}), "
                f"received {self.source}. Give the same --data-dir and --limit."
            )
        if (
            theirs is None
            or type(ours) is not type(theirs)
            or set(ours.slots) != set(theirs.slots)
            or model.parameters.shape != saved.parameters.shape
        ):
            raise SettingsError(
                f"--resume: expected {model.count_params():,} parameters and the state of "
                f"{type(ours).__name__}, received {saved.count_params():,} and "
                f"{type(theirs).__name__} in {path}. Start anew without --resume."
            )
        model.set_weights(saved.get_weights())
        ours.restore(theirs.slots, theirs.iterations)
        self.course = Course(**state["course"])

        def other(ending: str) -> Sequential:
            return saving.load_model(path.with_name(path.name.removesuffix(CHECKPOINT) + ending))

        self.best_weights = other(BEST).get_weights()
        if self.averaging is not None:
            raw = [w.copy() for w in self._live()]
            model.set_weights(other(AVERAGE).get_weights())
            average = [w.copy() for w in self._live()]
            self.averaging.set_model(model)
            self.averaging.restore({**state["averaging"], "average": average, "raw": raw})

    def release(self) -> None:
        """Let go of what only the training needs: the batches."""
        self.batches = None

    def epochs(self, patience: int | None = None) -> Iterator[dict[str, float]]:
        """Train to the last epoch, or until ``patience`` epochs brought nothing better.

        Yields
        ------
        dict
            The figures of each epoch: ``loss``, ``accuracy``, ``val_loss``, ``val_accuracy``.

        Raises
        ------
        DivergedError
            If the loss is no longer finite; the checkpoint is that of the epoch before.
        OSError
            If the checkpoint cannot be written; the one before is still there.
        """
        while self.course.epochs_done < self.settings.epochs:
            since_best = self.course.epochs_done - self.course.best_epoch
            if patience and since_best >= patience:
                self.progress.say(f"Stopped: no better epoch in the last {patience}.")
                return
            yield self._epoch()

    def _epoch(self) -> dict[str, float]:
        epoch = self.course.epochs_done
        began = time.monotonic()
        self.batches.begin_epoch(epoch)
        recipes.reseed(self.model, self.settings.seed, epoch)
        fitted = self.model.fit(
            self.batches,
            initial_epoch=epoch,
            epochs=epoch + 1,
            callbacks=[*([self.averaging] if self.averaging else ()), self.progress],
            verbose=0,
        )
        logs = {name: float(values[-1]) for name, values in fitted.history.items()}
        loss, accuracy = self.model.evaluate(*self.validation, verbose=0)
        logs |= {"val_loss": float(loss), "val_accuracy": float(accuracy)}
        if not (math.isfinite(logs["loss"]) and math.isfinite(logs["val_loss"])):
            raise DivergedError(
                f"loss: expected a finite number, received {logs['loss']} in epoch {epoch + 1}: "
                f"the training diverged. Give a learning rate below "
                f"{self.settings.learning_rate:g}, say --lr {self.settings.learning_rate / 10:g}."
            )
        seconds = time.monotonic() - began
        with runtime.uninterrupted():
            tolerance = self.recipe.tolerance * standard_error(accuracy, len(self.validation[1]))
            better = self._better = self.course.add(logs, seconds, tolerance)
            if better:
                self.best_weights = self.model.get_weights()
            self.save_checkpoint()
        self.progress.epoch_done(epoch + 1, logs, seconds, "kept" if better else "")
        if epoch == 0 and not beats_chance(logs["val_accuracy"], self.data.validation[1]):
            self.progress.say(
                "After an epoch the network does not beat chance: "
                f"{100 * logs['val_accuracy']:.1f} % right on the validation images. Try more "
                f"images, more epochs or another rate than --lr {self.settings.learning_rate:g}."
            )
        return logs

    def save_checkpoint(self) -> None:
        """Write the state after an epoch; the model must not have gone on since.

        Raises
        ------
        OSError
            If a file cannot be written; the ones before are still there.
        """
        if self.output is None:
            return
        state: dict[str, Any] = {
            "settings": asdict(self.settings),
            "course": asdict(self.course),
            "source": self.source,
        }
        before, live = self.model.metadata, self._live()
        shown = [w.copy() for w in live]
        try:
            # The best and the averaged weights first: the state speaks of them.
            if self._better:
                saving.save_model(self.model, beside(self.output, BEST))
            if self.averaging is not None:
                saving.save_model(self.model, beside(self.output, AVERAGE))
                averaging = self.averaging.state()
                state["averaging"] = {"steps": averaging["steps"]}
                for w, raw in zip(live, averaging["raw"], strict=True):
                    w[...] = raw
            self.model.metadata = {**before, "checkpoint": state}
            saving.save_model(self.model, beside(self.output, CHECKPOINT))
        finally:
            self.model.metadata = before
            for w, value in zip(live, shown, strict=True):
                w[...] = value

    def _live(self) -> list[NDArray[Any]]:
        """Return the arrays the model computes with, as `WeightAveraging` orders them."""
        states = [w for layer in self.model.layers for w in layer.state.values()]
        return [self.model.parameters, *states]
