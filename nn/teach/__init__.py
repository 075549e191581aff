"""Learn from corrections: a personal set of examples, and lessons that do not forget.

A lesson shows the network slightly moved copies of the corrected digit among digits it knows.
The known ones are trained towards what the network said of them *before* the lesson
(distillation: Li and Hoiem 2016, "Learning without forgetting"), so nothing pulls it away from
what it does well; and if accuracy on a held-out part of them still falls, the lesson is drawn
back half-way between the old and the new weights (Wortsman et al. 2022).

>>> from nn import teach
>>> lesson = teach.learn(model, image, 7, known)          # doctest: +SKIP
>>> lesson.model, lesson.before, lesson.after             # doctest: +SKIP

`personal` keeps the corrections, `known` the digits to replay, `lesson` is the learning.
"""

from nn.teach.known import Known, accuracy, known_digits
from nn.teach.lesson import Lesson, Scores, copy_of, learn, near_copies
from nn.teach.personal import Example, PersonalSet, PersonalSetError, read_set, write_set

__all__ = [
    "Example",
    "Known",
    "Lesson",
    "PersonalSet",
    "PersonalSetError",
    "Scores",
    "accuracy",
    "copy_of",
    "known_digits",
    "learn",
    "near_copies",
    "read_set",
    "write_set",
]
