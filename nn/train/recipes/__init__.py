"""How the network is trained: architectures (``presets``) and training recipes.

``original`` is the recipe of the program this project rebuilds. A recipe is plain data and small
functions; `train.py` fills in what the command line leaves open from it.
"""

from nn.train.recipes.base import OPTIMIZERS, Recipe
from nn.train.recipes.data import Batches, Reseed, to_network
from nn.train.recipes.distil import Distilled, Teacher
from nn.train.recipes.presets import CLASSES, PRESETS, build
from nn.train.recipes.strong import RECORD, STRONG

__all__ = [
    "CLASSES",
    "OPTIMIZERS",
    "ORIGINAL",
    "PRESETS",
    "RECIPES",
    "RECORD",
    "Batches",
    "Distilled",
    "Reseed",
    "Teacher",
    "build",
    "to_network",
]

ORIGINAL = Recipe(epochs=10, batch_size=128, optimizer="adadelta")

RECIPES: dict[str, Recipe] = {"original": ORIGINAL, "strong": STRONG, "record": RECORD}
