#!/usr/bin/env python3
"""Train the digit network from scratch and save it to HDF5.

Without arguments: the original program's recipe on MNIST. A validation split cut from the
*training* images decides which epoch is kept; the test images are opened once, at the end.
`python train.py --help` lists what can be changed.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import shlex
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the library is imported after the arguments are parsed: --help is instant
    from nn.train.checkpoint import Checkpoint
    from nn.train.trainer import Run

HERE = Path(__file__).resolve().parent
# Installed as a package, the folder beside this file is not the place for results.
DEFAULT_OUTPUT = (HERE if (HERE / "pyproject.toml").exists() else Path()) / "weights" / "mnist.h5"

EXAMPLES = """\
examples:
  python train.py                              the original recipe on MNIST, 10 epochs
  python train.py --dry-run                    one batch, nothing written: does it run here?
  python train.py --limit 6000 --epochs 3      a quick look on a tenth of the images
  python train.py --data synthetic             digits drawn by a program: no files, no network
  python train.py --optimizer adam --seed 7 --output weights/adam.h5
  python train.py --recipe strong              distortions, pen strokes, averaged weights
  python train.py --recipe record --preset large --ensemble 4 --output weights/record.h5
  python train.py --resume                     go on where Ctrl-C stopped the last training
  python train.py --resume --epochs 20         ten epochs more

MNIST is looked for in --data-dir, $NN_DATA_DIR, the user's cache, and the folders of Keras and
torchvision; if it is nowhere, it is downloaded.
"""


def whole(lowest: int) -> Callable[[str], int]:
    """Return an argparse type for whole numbers from ``lowest``."""

    def convert(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = lowest - 1
        if value < lowest:
            raise argparse.ArgumentTypeError(
                f"expected a whole number from {lowest}, received {text!r}"
            )
        return value

    return convert


def positive(text: str) -> float:
    """Return ``text`` as a positive number; an argparse type."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"expected a number above 0, received {text!r}")
    return value


def split(text: str) -> float:
    """Return ``text`` as a share in (0, 1) or a count from 1; an argparse type."""
    value = positive(text)
    if value >= 1 and not text.strip().isdecimal():
        raise argparse.ArgumentTypeError(
            f"expected a share below 1 or a whole number of images, received {text!r}"
        )
    return value


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    make = argparse.ArgumentParser(
        description="Train the digit network from scratch and save it to HDF5.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    # fmt: off
    what = make.add_argument_group("what to train")
    what.add_argument("--data", choices=("mnist", "synthetic"),
                      help="training data (default: mnist)")
    what.add_argument("--data-dir", metavar="FOLDER", help="folder that holds MNIST")
    what.add_argument("--limit", type=whole(2), metavar="N",
                      help="use the first N training and test images only")
    what.add_argument("--validation-split", type=split, metavar="S",
                      help="share or number of training images, the last ones, that decide which "
                      "epoch is kept (default: a twelfth, 5,000 of 60,000)")
    what.add_argument("--recipe", choices=("original", "strong", "record"),
                      help="how to train (default: original)")
    what.add_argument("--preset", metavar="NAME[,NAME…]",
                      help="which network: original (default), large, deep or strided; several for "
                      "an ensemble that takes them in turn")
    what.add_argument("--teacher", type=Path, metavar="FILE", nargs="+", default=[],
                      help="better networks, whose answers the new one learns beside the labels, "
                      "each on images of the kinds it was trained on")
    what.add_argument("--ensemble", type=whole(2), metavar="N",
                      help="train N networks with seeds that follow each other, saved as one file "
                      "that averages their answers")
    what.add_argument("--import", dest="modules", metavar="MODULE", nargs="+", default=[],
                      help="Python modules with presets, layers and functions of your own "
                      "(nn.train.recipes.PRESETS, nn.saving.register_keras_serializable)")
    how = make.add_argument_group("how to train it (defaults: as the recipe says)")
    how.add_argument("--epochs", type=whole(1), metavar="N")
    how.add_argument("--batch-size", type=whole(1), metavar="N")
    how.add_argument("--optimizer", choices=("adadelta", "adam", "adamw", "sgd"))
    how.add_argument("--lr", type=positive, metavar="RATE", help="learning rate")
    how.add_argument("--seed", type=whole(0), metavar="N",
                     help="decides all randomness (default: 1)")
    how.add_argument("--patience", type=whole(1), metavar="N",
                     help="stop after N epochs without a better validation accuracy")
    how.add_argument("--threads", type=whole(1), metavar="N",
                     help="threads to use (default: all cores); the result does not depend on it")
    out = make.add_argument_group("what comes out")
    out.add_argument("--output", type=Path, default=DEFAULT_OUTPUT, metavar="FILE",
                     help="weights to write (default: weights/mnist.h5); the run record and the "
                     "pictures get names beside it")
    out.add_argument("--force", action="store_true",
                     help="replace FILE even by weights that are worse or cannot be compared")
    out.add_argument("--resume", nargs="?", type=Path, const=Path(), metavar="CHECKPOINT",
                     help="go on from a checkpoint (default: the one beside FILE)")
    out.add_argument("--dry-run", action="store_true",
                     help="train one batch, write nothing")
    out.add_argument("--quiet", action="store_true", help="print errors and the result only")
    # fmt: on
    return make


def train(args: argparse.Namespace) -> int:
    """Do what the command line says; return the exit status."""
    from nn import runtime
    from nn.train import config
    from nn.train.artifacts import finish
    from nn.train.trainer import Run

    def say(text: str) -> None:
        if not args.quiet:
            print(text, flush=True)

    config.import_modules(args.modules)
    if not args.dry_run:
        config.check_output(args.output)
    if args.threads:
        runtime.set_num_threads(args.threads)
    checkpoint = None if args.resume is None else open_checkpoint(args)
    recorded = checkpoint and checkpoint.state["settings"]
    settings = config.resumed(args, recorded) if recorded else config.resolve(args)
    teachers = config.load_teachers(args, settings)
    data = config.load_data(args, settings, say)
    output = None if args.dry_run or args.ensemble else args.output

    runs: list[Run] = []
    for number, own in enumerate(config.members(args, settings), 1):
        run = Run(own, data, output, teachers, args.quiet)
        if number == 1:
            say(run.describe())
        if args.dry_run:
            return dry_run(run)
        if checkpoint is not None:
            run.resume(checkpoint)
            say(f"Going on after epoch {run.history.epochs_done} of {own.epochs}.")
        if args.ensemble:
            say(f"\nNetwork {number} of {args.ensemble}: {own.preset}, seed {own.seed}")
        try:
            run.train(args.patience)
        except KeyboardInterrupt:
            return interrupted(args, runs, run)
        runs.append(run)
    finish(runs, args.output, args.force, args.argv, quiet=args.quiet)
    return 0


def interrupted(args: argparse.Namespace, runs: list[Run], last: Run) -> int:
    """Save what is finished: whole networks of an ensemble, else epochs; return the exit status."""
    from nn.train.artifacts import finish

    done = last.history.epochs_done
    if done and not args.ensemble:
        runs = [last]
    if not runs:
        print("Interrupted before there was anything to save.")
        return 130
    print(f"\nInterrupted in epoch {done + 1}: its part is left out.")
    finish(runs, args.output, args.force, args.argv, interrupted=True, quiet=args.quiet)
    if not args.ensemble:
        place = [] if args.output == DEFAULT_OUTPUT else ["--output", str(args.output)]
        place += ["--import", *args.modules] if args.modules else []
        print(f"Resume    {shlex.join(['python', 'train.py', '--resume', *place])}")
    return 130


def open_checkpoint(args: argparse.Namespace) -> Checkpoint:
    """Return the checkpoint to resume: the one that was named, or the one beside the output."""
    from nn.train.checkpoint import CHECKPOINT, beside, read_checkpoint
    from nn.train.config import ConfigError

    if args.ensemble:
        raise ConfigError("--resume: expected one network, received --ensemble. Leave one out.")
    return read_checkpoint(args.resume if args.resume.name else beside(args.output, CHECKPOINT))


def dry_run(run: Run) -> int:
    """Train one batch, write nothing; return the exit status."""
    from nn.callbacks.progress import CompilationNotice

    x, y = run.batches[0]
    notices = [] if run.quiet else [CompilationNotice()]
    done = run.model.fit(x, y, len(x), shuffle=False, callbacks=notices, verbose=0)
    print(f"Dry run: a batch was trained, loss {done.history['loss'][0]:.4f}. Nothing was written.")
    return 0


def main(argv: list[str] | None = None) -> int:
    """Run the program; return its exit status: 0 done, 2 refused, 130 interrupted."""
    args = parser().parse_args(argv)
    args.argv = sys.argv[1:] if argv is None else list(argv)
    # A terminated process ends as an interrupted one does: best weights saved.
    with contextlib.suppress(ValueError):  # not in the main thread: nothing to set
        signal.signal(signal.SIGTERM, lambda number, frame: signal.raise_signal(signal.SIGINT))
    try:
        return train(args)
    except KeyboardInterrupt:
        print("Interrupted before the training began.", file=sys.stderr)
        return 130
    except MemoryError:
        reason = "memory: expected room for the data, received none. Try --limit or --batch-size."
    except OSError as error:
        name = f" {error.filename}" if error.filename else ""
        reason = f"A file could not be written or read:{name} {error.strerror or error}."
    except (ArithmeticError, ValueError) as error:
        from nn.datasets import DataError
        from nn.saving import FormatError
        from nn.train.config import ConfigError
        from nn.train.trainer import DivergedError

        if not isinstance(error, (ConfigError, DataError, FormatError, DivergedError)):
            raise
        reason = str(error)
    print(f"train.py: error: {reason}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
