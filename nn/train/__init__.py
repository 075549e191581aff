"""What a training leaves behind, for people: tables, pictures and the run record.

``scores``
    Confusion matrix, precision, recall and F1 by digit, intervals.
``record``
    The JSON file that says how a result came to be.
``pictures``
    Learning curves, confusion matrix and mistakes, drawn where matplotlib is installed.
``progress``
    A live bar on a terminal, one line an epoch otherwise.
"""

from __future__ import annotations

from nn.recognise.evaluation import wilson_interval
from nn.train.record import describe_machine, describe_versions, digest, write_json
from nn.train.scores import class_scores, confusion_matrix, scores_table

__all__ = [
    "class_scores",
    "confusion_matrix",
    "describe_machine",
    "describe_versions",
    "digest",
    "scores_table",
    "wilson_interval",
    "write_json",
]
