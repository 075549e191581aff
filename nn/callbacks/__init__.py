"""Callbacks: what happens between the steps of ``fit``. Names and meaning are Keras's."""

from nn.callbacks.base import (
    Callback,
    CallbackList,
    CSVLogger,
    History,
    LambdaCallback,
    Logs,
)
from nn.callbacks.monitors import EarlyStopping, ModelCheckpoint, ReduceLROnPlateau
from nn.callbacks.steering import LearningRateScheduler, TerminateOnNaN, WeightAveraging
from nn.callbacks.tensorboard import TensorBoard
from nn.spellings import missing_names, spellings

__all__ = [
    "CSVLogger",
    "Callback",
    "CallbackList",
    "EarlyStopping",
    "History",
    "LambdaCallback",
    "LearningRateScheduler",
    "Logs",
    "ModelCheckpoint",
    "ReduceLROnPlateau",
    "TensorBoard",
    "TerminateOnNaN",
    "WeightAveraging",
]

for _class in (CSVLogger, EarlyStopping, LearningRateScheduler, TerminateOnNaN, WeightAveraging):
    _class.__init__ = spellings(_class.__name__)(_class.__init__)  # type: ignore[method-assign]

__getattr__ = missing_names(__name__)
