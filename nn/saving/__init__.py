"""Model files: our own, and those of every Keras.

`save_model` writes files that Keras 2, Keras 3 and Netron open; `load_model` opens whole models
(`.h5` since Keras 1, `.keras`). A model file may come from anywhere: reading it runs no code,
follows no links, and whatever is wrong with it ends in a `FormatError`.

Reading order: `save` (the layout of our own files), `training` (the optimiser's part of them),
`ensemble`, `load`; `hdf5` (bytes to groups and arrays) and `foreign` (the files of other programs,
whose checks our own files pass as well).
"""

from nn.registered import (
    CustomObjectScope,
    custom_object_scope,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
    register_keras_serializable,
)
from nn.saving.configuration import document, model_from_json, model_of, to_json
from nn.saving.ensemble import Ensemble
from nn.saving.errors import FormatError
from nn.saving.foreign.digits import (
    DigitInput,
    check_digit_model,
    digit_probabilities,
    probe_input,
)
from nn.saving.load import add_softmax, load_model, load_weights
from nn.saving.save import save_model, save_weights
from nn.spellings import missing_names

__all__ = [
    "CustomObjectScope",
    "DigitInput",
    "Ensemble",
    "FormatError",
    "add_softmax",
    "check_digit_model",
    "custom_object_scope",
    "digit_probabilities",
    "document",
    "get_custom_objects",
    "get_registered_name",
    "get_registered_object",
    "load_model",
    "load_weights",
    "model_from_json",
    "model_of",
    "probe_input",
    "register_keras_serializable",
    "save_model",
    "save_weights",
    "to_json",
]

__getattr__ = missing_names(__name__)
