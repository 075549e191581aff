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
from nn.spellings import missing_names

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
    "TerminateOnNaN",
    "WeightAveraging",
]


__getattr__ = missing_names(__name__)
