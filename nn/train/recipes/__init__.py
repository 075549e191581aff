"""How the network is trained: architectures (``presets``) and training recipes, one block each.

``original`` is the recipe of the program this project rebuilds. A recipe is plain data and small
functions; `train.py` resolves the command line against it and runs it.
"""

from nn.train.recipes.base import LEARNING_RATES, Recipe, constant, make_optimizer
from nn.train.recipes.data import (
    AUGMENTATION,
    DROPOUT,
    INITIALISATION,
    SHUFFLING,
    Batches,
    generator,
    one_hot,
    plain_batches,
    reseed,
    to_network,
)
from nn.train.recipes.distil import Distilled, Teacher
from nn.train.recipes.presets import CLASSES, PRESETS, build, large_layers, original_layers
from nn.train.recipes.strong import RECORD, STRONG

__all__ = [
    "AUGMENTATION",
    "CLASSES",
    "DROPOUT",
    "INITIALISATION",
    "LEARNING_RATES",
    "ORIGINAL",
    "PRESETS",
    "RECIPES",
    "RECORD",
    "SHUFFLING",
    "STRONG",
    "Batches",
    "Distilled",
    "Recipe",
    "Teacher",
    "build",
    "constant",
    "generator",
    "large_layers",
    "make_optimizer",
    "one_hot",
    "original_layers",
    "plain_batches",
    "reseed",
    "to_network",
]

ORIGINAL = Recipe(epochs=10, batch_size=128, optimizer="adadelta")

RECIPES: dict[str, Recipe] = {"original": ORIGINAL, "strong": STRONG, "record": RECORD}
