"""Is a backward pass right? Compare it with small differences of the forward pass.

``check(layer, input_shape)`` does it for a layer, yours or ours; ``python -m nn.gradcheck`` does it
for every layer, the losses and the whole digit network on both backends and prints a table;
``python -m nn.gradcheck mylayer.py:Mine --shape 5,5,2`` judges a layer or a loss of a file.

How: draw a random weighting R of the outputs and watch the single number L = sum(R * y). Its
derivative by one input element is (L(x + eps) - L(x - eps)) / (2 eps) up to O(eps**2), and
``backward(R)`` must say the same. All in float64. R is random on purpose: with R = 1 errors cancel
(a softmax's gradient would be 0). At a kink, such as that of a ReLU at 0, there is no derivative to
compare with: elements at one are left out, and counted.
"""

from nn.gradcheck.check import check, check_fast, check_loss, check_model
from nn.gradcheck.compare import EPS, RTOL, Result, away_from_kinks, compare, numeric_gradient

__all__ = [
    "EPS",
    "RTOL",
    "Result",
    "away_from_kinks",
    "check",
    "check_fast",
    "check_loss",
    "check_model",
    "compare",
    "numeric_gradient",
]
