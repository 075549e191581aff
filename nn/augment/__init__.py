"""Augmentation of the training data: distorted copies, and batches mixed from sources.

A handwritten 3 that is turned by five degrees or bent a little is still a 3. A network that gets
every digit in a new such shape each time has to learn what a 3 is, not what 60,000 images are.

`distortion` distorts images (affine, elastic, stroke thickness), `strokes` pen strokes before
they are inked; `batches` mixes arrays, pen strokes and synthetic digits into the batches of
`Sequential.fit`, prepared ahead in a thread of its own.
"""

from nn.augment.batches import MixedBatches, Source
from nn.augment.distortion import Distortion, distort
from nn.augment.strokes import StrokeVariation, vary_strokes

__all__ = ["Distortion", "MixedBatches", "Source", "StrokeVariation", "distort", "vary_strokes"]
