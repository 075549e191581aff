"""Model files: our own, and those of every Keras.

`load_model` opens whole models (`.h5` since Keras 1, `.keras`), `save_model` writes files that
Keras 2, Keras 3 and Netron open. A model file is a stranger's file: reading it runs no code,
follows no links, and whatever is wrong with it ends in a `FormatError`.

Reading order: `hdf5` (bytes to groups and arrays), `architecture` (JSON to a chain of layers),
`weights` (which array is whose), `translate` with `shapes`, `elementwise` and `convolutions`
(Keras's layers to ours), `load`; `save` is the way back. `digits` is about what goes *into* a
stranger's model.
"""

from nn.saving.ensemble import Ensemble
from nn.saving.errors import FormatError
from nn.saving.foreign.digits import (
    DigitInput,
    Evidence,
    as_probabilities,
    check_digit_model,
    digit_probabilities,
    probe_input,
)
from nn.saving.load import add_softmax, load_model, load_weights
from nn.saving.save import save_model, save_weights

__all__ = [
    "DigitInput",
    "Ensemble",
    "Evidence",
    "FormatError",
    "add_softmax",
    "as_probabilities",
    "check_digit_model",
    "digit_probabilities",
    "load_model",
    "load_weights",
    "probe_input",
    "save_model",
    "save_weights",
]
