"""``TensorBoard``: the figures of a training as event files, which ``tensorboard`` shows.

A file is a row of records: the length (uint64), its masked CRC-32C, the bytes of a protocol buffer
``Event``, their masked CRC-32C. Of ``Event`` a scalar needs four fields, written here by hand:
https://github.com/tensorflow/tensorboard/blob/master/tensorboard/compat/proto/event.proto
"""

from __future__ import annotations

import itertools
import os
import socket
import struct
import time
import warnings
from pathlib import Path
from typing import BinaryIO

from nn.callbacks.base import Callback, Logs
from nn.spellings import spellings

_NUMBER = itertools.count()
_SCALARS = dict.fromkeys(
    ("batch_size", "write_grads", "embeddings_layer_names", "embeddings_data"),
    "Only the figures are written.",
)


class TensorBoard(Callback):
    """Write loss and metrics for TensorBoard, under Keras's names: ``epoch_loss`` and so on.

    Parameters
    ----------
    log_dir : str or Path
        Gets folders ``train`` and ``validation``.
    update_freq : "epoch", "batch" or int
        Write ``batch_loss`` and so on as well, after every so many batches.
    write_graph
        Keras's; there is no graph.
    histogram_freq, write_images, write_steps_per_second, profile_batch, embeddings_freq, embeddings_metadata
        Keras's; what they ask for is not written, and a warning says so.
    """  # noqa: E501

    @spellings("TensorBoard", neutral=_SCALARS)
    def __init__(
        self,
        log_dir: str | os.PathLike[str] = "logs",
        histogram_freq: int = 0,
        write_graph: bool = True,
        write_images: bool = False,
        write_steps_per_second: bool = False,
        update_freq: str | int = "epoch",
        profile_batch: int | tuple[int, int] = 0,
        embeddings_freq: int = 0,
        embeddings_metadata: object = None,
    ) -> None:
        wanted = {
            "histogram_freq": histogram_freq,
            "write_images": write_images,
            "write_steps_per_second": write_steps_per_second,
            "profile_batch": profile_batch,
            "embeddings_freq": embeddings_freq,
        }
        for name, value in wanted.items():
            if value:
                warnings.warn(
                    f"TensorBoard: {name}={value!r} changes nothing. Only the figures are written.",
                    stacklevel=3,
                )
        every = 1 if update_freq == "batch" else update_freq
        if every != "epoch" and not (isinstance(every, int) and every > 0):
            raise ValueError(
                "TensorBoard: expected update_freq 'epoch', 'batch' or a number of batches, "
                f"received {update_freq!r}."
            )
        self.log_dir, self.every = Path(log_dir), every
        self.files: dict[str, BinaryIO] = {}

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.batches = 0

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self.batches += 1
        if self.every != "epoch" and self.batches % int(self.every) == 0:
            self._write("train", "batch", self.batches, logs or {})

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        logs = {"learning_rate": float(self.model.optimizer.learning_rate), **(logs or {})}
        held = {name[4:]: value for name, value in logs.items() if name.startswith("val_")}
        shown = {name: value for name, value in logs.items() if not name.startswith("val_")}
        self._write("train", "epoch", epoch, shown)
        self._write("validation", "epoch", epoch, held)

    def close(self) -> None:
        """Close the files; ``fit`` calls it however it ends."""
        while self.files:
            self.files.popitem()[1].close()

    def _write(self, part: str, prefix: str, step: int, figures: Logs) -> None:
        if not figures:
            return
        if part not in self.files:
            folder = self.log_dir / part
            folder.mkdir(parents=True, exist_ok=True)
            ending = f"{int(time.time())}.{socket.gethostname()}.{os.getpid()}.{next(_NUMBER)}"
            self.files[part] = (folder / f"events.out.tfevents.{ending}").open("wb")
            self._record(part, 0, _field(3, b"brain.Event:2"))
        values = [
            _field(1, _field(1, f"{prefix}_{name}".encode()) + b"\x15" + struct.pack("<f", value))
            for name, value in figures.items()
        ]
        self._record(part, step, _field(5, b"".join(values)))
        self.files[part].flush()

    def _record(self, part: str, step: int, content: bytes) -> None:
        event = b"\x09" + struct.pack("<d", time.time()) + b"\x10" + _varint(step) + content
        length = struct.pack("<Q", len(event))
        self.files[part].write(length + _masked(length) + event + _masked(event))


def _varint(number: int) -> bytes:
    """Return a whole number from 0 as groups of 7 bits, the lowest first."""
    groups = bytearray()
    while number > 127:
        groups.append(number & 127 | 128)
        number >>= 7
    return bytes([*groups, number])


def _field(number: int, content: bytes) -> bytes:
    """Return a field of a protocol buffer that holds bytes."""
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _crc_table() -> list[int]:
    table = list(range(256))
    for _ in range(8):
        table = [(c >> 1) ^ (0x82F63B78 if c & 1 else 0) for c in table]
    return table


_TABLE = _crc_table()


def _masked(content: bytes) -> bytes:
    """Return the CRC-32C of some bytes, rotated and shifted as TFRecord files have it."""
    crc = 0xFFFFFFFF
    for byte in content:
        crc = _TABLE[(crc ^ byte) & 255] ^ (crc >> 8)
    crc ^= 0xFFFFFFFF
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)
