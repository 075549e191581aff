"""What a training was asked for: its settings, data and teachers, from train.py's options."""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from nn import datasets, synthetic
from nn.models import Sequential, load_model
from nn.train import recipes
from nn.train.trainer import Data, Settings

SUFFIXES = (".h5", ".hdf5", ".keras")

FALLBACK = """\
*** NO MNIST: TRAINING ON SYNTHETIC DIGITS INSTEAD.
*** They are drawn by a program, not written by people. The run record and the weights say so."""


class Refused(ValueError):  # noqa: N818 - a refusal is no error of the program
    """Something the user asked for cannot be done; the text is one sentence for them."""


def resolve(args: argparse.Namespace) -> Settings:
    """Return the settings of a new training."""

    def chosen(kind: str, name: str, known: dict[str, Any]) -> Any:
        if name not in known:
            raise Refused(f"--{kind}: expected one of {', '.join(known)}, received {name}.")
        return known[name]

    name = args.recipe or "original"
    recipe = chosen("recipe", name, recipes.RECIPES)
    presets = presets_of(args)
    for preset in presets:
        chosen("preset", preset, recipes.PRESETS)
    if len(presets) > (args.ensemble or 1):
        raise Refused(
            f"--preset: expected one network, or --ensemble with as many, received {args.preset}. "
            f"Add --ensemble {len(presets)}."
        )
    optimizer = args.optimizer or recipe.optimizer
    return Settings(
        data=args.data or "mnist",
        recipe=name,
        preset=presets[0],
        epochs=args.epochs or recipe.epochs,
        batch_size=args.batch_size or recipe.batch_size,
        optimizer=optimizer,
        learning_rate=args.lr or recipe.learning_rate(optimizer),
        seed=1 if args.seed is None else args.seed,
        validation_split=args.validation_split or 1 / 12,
        limit=args.limit,
    )


def presets_of(args: argparse.Namespace) -> list[str]:
    """Return the presets that were asked for; the members of an ensemble take them in turn."""
    return (args.preset or "original").split(",")


def resumed(args: argparse.Namespace, recorded: dict[str, Any]) -> Settings:
    """Return the settings a checkpoint was made with, ``--epochs`` aside."""
    known = {field.name for field in dataclasses.fields(Settings)}
    if set(recorded) != known:
        raise Refused(
            "--resume: expected a checkpoint of this version, received one with other settings "
            f"({', '.join(sorted(known ^ set(recorded)))}). Start anew without --resume."
        )
    settings = Settings(**recorded)
    given = {"learning_rate": args.lr} | {
        name: getattr(args, name) for name in recorded if hasattr(args, name)
    }
    for name, value in given.items():
        if value is not None and value != recorded[name] and name != "epochs":
            flag = "--lr" if name == "learning_rate" else "--" + name.replace("_", "-")
            raise Refused(
                f"{flag}: expected {recorded[name]}, as the training to resume began, received "
                f"{value}. Leave {flag} out, or start anew without --resume."
            )
    if args.epochs and args.epochs != settings.epochs:
        if recipes.RECIPES[settings.recipe].fixed_length:
            raise Refused(
                f"--epochs: expected {settings.epochs}, since the schedule of the recipe "
                f"{settings.recipe} ends there, received {args.epochs}. Start anew."
            )
        settings.epochs = args.epochs
    return settings


def check_output(output: Path) -> None:
    """Make the folder of ``output`` and see whether it can be written, before hours are spent."""
    if output.suffix not in SUFFIXES:
        raise Refused(
            f"--output: expected a name that ends in {', '.join(SUFFIXES)}, received {output}. "
            f"Try {output}.h5."
        )
    if output.is_dir():
        raise Refused(f"--output: expected a file, received the folder {output}. Name one in it.")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=output.parent):
            pass
    except OSError as error:
        raise Refused(
            f"--output: expected a folder that can be written, received {output.parent} "
            f"({error.strerror or error}). Choose another place with --output FILE."
        ) from error


def find_teachers(args: argparse.Namespace, settings: Settings) -> list[Sequential]:
    """Return the networks to learn from, if any; note in the settings which they are."""
    # A resumed run knows the names only, so that no record holds anybody's folders.
    paths = args.teacher or [args.output.with_name(name) for name in settings.teachers]
    found, teachers = {}, []
    for path in paths:
        if not path.is_file():
            raise Refused(f"--teacher: expected a model file, received {path} (not there).")
        if path.name in found:
            raise Refused(f"--teacher: expected files of different names, received {path} too.")
        found[path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
        teachers.append(load_model(path))
    if settings.teachers and settings.teachers != found:
        raise Refused(
            f"--teacher: expected the files the training began with, {_hashes(settings.teachers)}; "
            f"received {_hashes(found)}."
        )
    settings.teachers = found
    return teachers


def _hashes(teachers: dict[str, str]) -> str:
    return ", ".join(f"{name} with SHA-256 {digest}" for name, digest in teachers.items())


def synthetic_digits(count: int, seed: int, start: int = 0) -> tuple[Any, Any]:
    """Return ``count`` digits drawn by the program, as bytes like MNIST's, and their labels."""
    images, labels = synthetic.generate(count, seed=seed, start=start)
    return np.rint(255 * images).astype(np.uint8), labels


def load(args: argparse.Namespace, settings: Settings, say: Callable[[str], None]) -> Data:
    """Return the data; falls back from MNIST to synthetic digits, loudly, unless told which."""
    limit = settings.limit
    if settings.data == "mnist":
        try:
            source = datasets.mnist.find(data_dir=args.data_dir)
            images, labels = source.read("train")
        except datasets.MissingDataError as error:
            if args.data == "mnist" or args.resume:
                raise
            settings.data = "synthetic"
            print(f"{error}\n\n{FALLBACK}\n", file=sys.stderr)
    if settings.data == "mnist":
        told = source.describe()
        hashes = {name: file["sha256"] for name, file in told["files"].items()}
        described = {"name": told["name"], "place": told["place"], "sha256": hashes}

        def test() -> tuple[Any, Any]:
            images, labels = source.read("test")
            return images[:limit], labels[:limit]
    else:
        images, labels = synthetic_digits(limit or 60_000, settings.seed)
        described = {"name": "synthetic digits", "seed": settings.seed}

        def test() -> tuple[Any, Any]:
            # A part of the endless row that no training reaches, the same for every seed.
            return synthetic_digits(min(limit or 10_000, 10_000), seed=0, start=10**9)

    images, labels = images[:limit], labels[:limit]
    share = settings.validation_split
    held = round(share * len(labels)) if share < 1 else int(share)
    if not 0 < held < len(labels):
        raise Refused(
            f"--validation-split: expected from 1 to {len(labels) - 1} of {len(labels)} images, "
            f"received {held}. Change the split or --limit."
        )
    missing = sorted(set(range(10)) - set(labels[:-held].tolist()))
    if missing:
        say(f"Note: no training image shows {', '.join(map(str, missing))}: never to be read.")
    train, validation = (images[:-held], labels[:-held]), (images[-held:], labels[-held:])
    return Data(train, validation, test, described, args.data_dir)
