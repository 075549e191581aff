"""Learn from corrections: a personal set of examples, and lessons that do not forget.

A lesson fine-tunes the network on slightly moved copies of the corrected digit among digits from
a replay set. Those are trained towards what the network answered *before* the lesson
(distillation: Li and Hoiem 2016, "Learning without forgetting"); afterwards the weights are
interpolated between old and new as far back as the correction stays learned (Wortsman et al. 2022).

>>> from nn import teach
>>> lesson = teach.fine_tune(model, image, 7, replay)     # doctest: +SKIP
>>> lesson.model, lesson.before, lesson.after             # doctest: +SKIP

`personal_set` keeps the corrections, `replay` the digits to replay, `lesson` is the learning;
`personal_network` carries out lessons for one base network and keeps the result.
"""

from nn.teach.lesson import Lesson, copy_of, fine_tune, near_copies
from nn.teach.personal_set import Example, PersonalSet, PersonalSetError, read_set
from nn.teach.replay import ReplaySet, accuracy, probabilities, replay_digits

__all__ = [
    "Example",
    "Lesson",
    "PersonalSet",
    "PersonalSetError",
    "ReplaySet",
    "accuracy",
    "copy_of",
    "fine_tune",
    "near_copies",
    "probabilities",
    "read_set",
    "replay_digits",
]
