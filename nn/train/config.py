"""The configuration of a training, from the options of train.py: settings, teachers, data."""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import importlib
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nn import datasets, synthetic
from nn.models import Sequential, load_model
from nn.train import recipes

Examples = tuple[NDArray[np.uint8], NDArray[Any]]
"""Images (N, 28, 28), ink 255, and labels (N,)."""
Source = tuple[Examples, Callable[[], Examples], dict[str, Any]]
"""Training examples, what opens the test examples, and a description of both."""

SUFFIXES = (".h5", ".hdf5", ".keras")
FALLBACK = """\
*** NO MNIST: TRAINING ON SYNTHETIC DIGITS INSTEAD.
*** They are drawn by a program, not written by people. The run record and the weights say so."""


class ConfigError(ValueError):
    """The options contradict each other, a file or a checkpoint: what this module raises."""


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
class Data:
    """The images of a run."""

    train: Examples
    validation: Examples
    test: Callable[[], Examples]  # called once, when everything is decided
    source: dict[str, Any]  # description for the run record; "name" is the name of the data
    folder: str | None = None  # where recipes that need more data look for it


def import_modules(names: Sequence[str]) -> None:
    """Import the user's modules, which may add presets and register classes for files."""
    sys.path.insert(0, os.getcwd())
    try:
        for name in names:
            importlib.import_module(name)
    except ImportError as error:
        raise ConfigError(
            f"--import: expected modules in this folder or installed, received {name} ({error})."
        ) from None
    finally:
        sys.path.remove(os.getcwd())


def resolve(args: argparse.Namespace) -> Settings:
    """Return the settings of a new training; every preset must exist and have a network."""
    name, presets = args.recipe or "original", _presets(args)
    for preset in presets:
        if preset not in recipes.PRESETS:
            choices = ", ".join(recipes.PRESETS)
            raise ConfigError(f"--preset: expected one of {choices}, received {preset}.")
    if len(presets) > (args.ensemble or 1):
        raise ConfigError(
            f"--preset: expected one network, or --ensemble with as many, received {args.preset}. "
            f"Add --ensemble {len(presets)}."
        )
    recipe = recipes.RECIPES[name]
    optimizer = args.optimizer or recipe.optimizer
    return Settings(
        data=args.data or "mnist",
        recipe=name,
        preset=presets[0],
        epochs=args.epochs or recipe.epochs,
        batch_size=args.batch_size or recipe.batch_size,
        optimizer=optimizer,
        learning_rate=args.lr or recipe.learning_rates[optimizer],
        seed=1 if args.seed is None else args.seed,
        validation_split=args.validation_split or 1 / 12,
        limit=args.limit,
    )


def _presets(args: argparse.Namespace) -> list[str]:
    return (args.preset or "original").split(",")


def members(args: argparse.Namespace, settings: Settings) -> list[Settings]:
    """Return the settings of each network to train: one, or those of an ensemble.

    The seeds of an ensemble follow each other; its presets are taken in turn.
    """
    if not args.ensemble:
        return [settings]
    presets = _presets(args)
    return [
        dataclasses.replace(settings, preset=presets[i % len(presets)], seed=settings.seed + i)
        for i in range(args.ensemble)
    ]


def resumed(args: argparse.Namespace, recorded: dict[str, Any]) -> Settings:
    """Return the settings recorded in a checkpoint, with the number of epochs of ``args``.

    The checkpoint must be of this version, and no other option may differ from what it records.
    """
    differing = {field.name for field in dataclasses.fields(Settings)} ^ set(recorded)
    if differing:
        raise ConfigError(
            "--resume: expected a checkpoint of this version, received one with other settings "
            f"({', '.join(sorted(differing))}). Start anew without --resume."
        )
    settings = Settings(**recorded)
    for name, old in recorded.items():
        option = "lr" if name == "learning_rate" else name
        value = getattr(args, option, None)
        if value not in (None, old) and name != "epochs":
            flag = "--" + option.replace("_", "-")
            raise ConfigError(
                f"{flag}: expected {old}, as the training to resume began, received {value}. "
                f"Leave {flag} out, or start anew without --resume."
            )
    if args.epochs and args.epochs != settings.epochs:
        if recipes.RECIPES[settings.recipe].fixed_length:
            raise ConfigError(
                f"--epochs: expected {settings.epochs}, since the schedule of the recipe "
                f"{settings.recipe} ends there, received {args.epochs}. Start anew."
            )
        settings.epochs = args.epochs
    return settings


def check_output(output: Path) -> None:
    """Make the folder of ``output``; check that it can be written, and a model file's name."""
    if output.suffix not in SUFFIXES:
        raise ConfigError(
            f"--output: expected a name that ends in {', '.join(SUFFIXES)}, received {output}. "
            f"Try {output}.h5."
        )
    if output.is_dir():
        raise ConfigError(
            f"--output: expected a file, received the folder {output}. Name one in it."
        )
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=output.parent).close()
    except OSError as error:
        raise ConfigError(
            f"--output: expected a folder that can be written, received {output.parent} "
            f"({error.strerror or error}). Choose another place with --output FILE."
        ) from error


def load_teachers(args: argparse.Namespace, settings: Settings) -> list[Sequential]:
    """Return the networks to learn from, if any; record their names and hashes in ``settings``.

    The names must differ, and the files must be those with which a resumed training began.
    """
    # A checkpoint holds names without folders: they are looked for beside the output.
    paths = args.teacher or [args.output.with_name(name) for name in settings.teachers]
    found, teachers = {}, []
    for path in paths:
        if not path.is_file():
            raise ConfigError(f"--teacher: expected a model file, received {path} (not there).")
        if path.name in found:
            raise ConfigError(f"--teacher: expected files of different names, received {path} too.")
        found[path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
        teachers.append(load_model(path))
    if settings.teachers and settings.teachers != found:
        began, received = (
            ", ".join(f"{name} with SHA-256 {digest}" for name, digest in files.items())
            for files in (settings.teachers, found)
        )
        raise ConfigError(
            f"--teacher: expected the files the training began with, {began}; received {received}."
        )
    settings.teachers = found
    return teachers


def load_data(
    args: argparse.Namespace, settings: Settings, say: Callable[[str], None] = print
) -> Data:
    """Return the data, split; synthetic digits where there is no MNIST and none was asked for.

    Raises
    ------
    ConfigError
        If the validation split leaves no images on one side.
    nn.datasets.DataError
        If MNIST was asked for, or is to be resumed with, and is not there or damaged.
    """
    found = None
    if settings.data == "mnist":
        try:
            found = _mnist(args.data_dir, settings.limit)
        except datasets.MissingDataError as error:
            if args.data == "mnist" or args.resume:
                raise
            settings.data = "synthetic"
            print(f"{error}\n\n{FALLBACK}\n", file=sys.stderr)
    (images, labels), test, source = found or _synthetic(settings.limit, settings.seed)
    share = settings.validation_split
    held = round(share * len(labels)) if share < 1 else int(share)
    if not 0 < held < len(labels):
        raise ConfigError(
            f"--validation-split: expected from 1 to {len(labels) - 1} of {len(labels)} images, "
            f"received {held}. Change the split or --limit."
        )
    missing = sorted(set(range(10)) - set(labels[:-held].tolist()))
    if missing:
        say(f"Note: no training image shows {', '.join(map(str, missing))}: never to be read.")
    train, validation = (images[:-held], labels[:-held]), (images[-held:], labels[-held:])
    return Data(train, validation, test, source, args.data_dir)


def _mnist(data_dir: str | None, limit: int | None) -> Source:
    found = datasets.mnist.find(data_dir=data_dir)

    def read(part: str) -> Examples:
        images, labels = found.read(part)
        return images[:limit], labels[:limit]

    described = found.describe()
    source = {key: described[key] for key in ("name", "place")}
    source["sha256"] = {name: file["sha256"] for name, file in described["files"].items()}
    return read("train"), lambda: read("test"), source


def _synthetic(limit: int | None, seed: int) -> Source:
    # The test images: far behind what any training uses, and the same for every seed.
    test = partial(synthetic_digits, min(limit or 10_000, 10_000), seed=0, start=10**9)
    source = {"name": "synthetic digits", "seed": seed}
    return synthetic_digits(limit or 60_000, seed), test, source


def synthetic_digits(count: int, seed: int, start: int = 0) -> Examples:
    """Return ``count`` digits of the generator, as bytes like MNIST's, and their labels."""
    images, labels = synthetic.generate(count, seed=seed, start=start)
    return np.rint(255 * images).astype(np.uint8), labels
