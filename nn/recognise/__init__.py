"""From ink to answers: one digit, or all on the canvas.

`recogniser` runs the network, `rejection` decides whether there is a digit at all, `calibration`
fits confidences and thresholds, `answers` is the result. `reader` loads a network from a file,
`headless` and `evaluation` print answers and accuracy without a window.
"""

from __future__ import annotations

from .answers import Answer
from .calibration import calibrate, expected_calibration_error
from .recogniser import Recogniser

__all__ = ["Answer", "Recogniser", "calibrate", "expected_calibration_error"]
