"""From ink to answers: one digit, or all on the canvas.

`recogniser` asks the network, `rejection` judges whether there is a digit at all, `calibration`
makes confidences mean something, `answers` is what comes out.
"""

from __future__ import annotations

from .answers import Answer, Reading
from .calibration import Calibration, calibrate, expected_calibration_error
from .recogniser import Recogniser

__all__ = [
    "Answer",
    "Calibration",
    "Reading",
    "Recogniser",
    "calibrate",
    "expected_calibration_error",
]
