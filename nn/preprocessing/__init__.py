"""Keras 2's path of ``ImageDataGenerator``; ``nn.augment`` has this project's own distortions."""

from nn.preprocessing import image
from nn.spellings import missing_names

__all__ = ["image"]

__getattr__ = missing_names(__name__)
