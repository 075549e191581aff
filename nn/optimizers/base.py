"""What every optimiser is: a rate, slots, clipping, and a step over arrays of weights."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nn import runtime
from nn.optimizers import schedules
from nn.optimizers.schedules import SCHEDULES, LearningRateSchedule
from nn.reference import Array
from nn.spellings import in_order, missing_attributes, parameter, unknown_argument
from nn.utils import as_number, config_of, described

# Arguments of every optimiser, in Keras's order, behind its own; with the only values of those that
# are not built.
COMMON: dict[str, Any] = {
    "weight_decay": None,
    "clipnorm": None,
    "clipvalue": None,
    "global_clipnorm": None,
    "use_ema": False,
    "ema_momentum": 0.99,
    "ema_overwrite_frequency": None,
    "loss_scale_factor": None,
    "gradient_accumulation_steps": None,
    "name": None,
}
_BUILT = ("weight_decay", "clipnorm", "clipvalue", "global_clipnorm", "name")
_NO_MEANING = ("jit_compile", "is_legacy_optimizer")


class Rate(float):
    """A learning rate: a number that can also be assigned, as Keras's variable can."""

    optimizer: Optimizer

    def assign(self, value: Any) -> Rate:
        """Set the optimiser's rate, and return it."""
        self.optimizer.learning_rate = value
        return self.optimizer.learning_rate

    def numpy(self) -> Any:
        """Return it as a number of NumPy."""
        return np.float32(self)

    def __reduce__(self) -> Any:
        return float, (float(self),)


@missing_attributes(
    {
        "apply_gradients apply minimize update_step stateless_apply": (
            "Use step(parameters, gradients), or model.train_on_batch."
        ),
        "variables add_variable add_variable_from_reference": "Read slots and iterations.",
        "save_own_variables load_own_variables set_weights get_weights": (
            "model.save keeps its state; restore(slots, iterations) sets it."
        ),
        "scale_loss exclude_from_weight_decay finalize_variable_values": "It is not built.",
        "add_optimizer_variables assign assign_add assign_sub": "Change slots in step.",
        "built": "Ask fits(parameters).",
    }
)
class Optimizer:
    """Base of all optimisers.

    Parameters
    ----------
    learning_rate : float or LearningRateSchedule
        ``lr``, its name up to Keras 2.2, works too.
    weight_decay : float, optional
        Every step first takes off ``learning_rate * weight_decay`` of each weight, biases too.
    clipnorm, global_clipnorm : float, optional
        Longest gradient of one array, and of all arrays together: longer ones are scaled.
    clipvalue : float, optional
        Largest element of a gradient: larger ones are cut.
    name : str, optional

    Attributes
    ----------
    learning_rate : float
        The rate of the next step. Setting it replaces a schedule.
    iterations : int
        Steps taken.
    slots : dict of str to list of array
        Under each name one array for every array of parameters, in their order.

    Raises
    ------
    TypeError
        For an argument this optimiser does not have.
    """

    slot_names: tuple[str, ...] = ()
    decays = False
    """Whether the class's own rule takes ``weight_decay`` into account."""

    def __init__(
        self,
        learning_rate: Any = 0.01,
        *,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        name: str | None = None,
        **neutral: Any,
    ) -> None:
        kind = type(self).__name__
        learning_rate = neutral.pop("lr", learning_rate)
        decay = neutral.pop("decay", 0)
        for argument, value in neutral.items():
            if argument in _NO_MEANING:
                continue
            if argument not in COMMON:
                own = inspect.signature(type(self)).parameters
                raise TypeError(unknown_argument(kind, argument, set(own) - {"kwargs"}))
            if value not in (None, COMMON[argument]):
                raise TypeError(
                    f"{kind}: {argument} is not supported, expected {COMMON[argument]!r}, "
                    f"received {value!r}. Training without it gives other weights."
                )
        self.name = name or kind.lower()
        self.learning_rate = learning_rate
        if decay:
            self.learning_rate = schedules.InverseTimeDecay(float(learning_rate), 1, float(decay))
        self.weight_decay = as_number(kind, "weight_decay", weight_decay or 0.0, 0)
        self.clipnorm = self._limit("clipnorm", clipnorm)
        self.clipvalue = self._limit("clipvalue", clipvalue)
        self.global_clipnorm = self._limit("global_clipnorm", global_clipnorm)
        if (clipnorm, clipvalue, global_clipnorm).count(None) < 2:
            raise ValueError(
                f"{kind}: expected one of clipnorm, clipvalue and global_clipnorm, received "
                f"{clipnorm!r}, {clipvalue!r} and {global_clipnorm!r}."
            )
        for argument in COMMON.keys() - set(_BUILT):
            setattr(self, argument, COMMON[argument])
        self.owner: object = None  # of which model, in ``compile``
        self.iterations = 0
        self.slots: dict[str, list[Array]] = {}

    def _limit(self, argument: str, value: Any) -> float | None:
        return None if value is None else as_number(type(self).__name__, argument, value, 0)

    def __init_subclass__(cls) -> None:
        """Let positional arguments behind a class's own be the common ones, in Keras's order."""
        if "__init__" in vars(cls):
            _, *own = inspect.signature(cls.__init__).parameters.values()
            named = [p for p in own if p.kind is p.POSITIONAL_OR_KEYWORD]
            common = COMMON.keys() - {p.name for p in named}
            order = [*named, *(parameter(name, COMMON[name]) for name in COMMON if name in common)]
            cls.__init__ = in_order(cls.__name__, cls.__init__, order)  # type: ignore[method-assign]

    @property
    def plain(self) -> bool:
        """Whether a step is nothing but the class's own rule."""
        clips = (self.clipnorm, self.clipvalue, self.global_clipnorm)
        return clips == (None, None, None) and (self.decays or not self.weight_decay)

    @property
    def learning_rate(self) -> Rate:
        """The rate of the next step."""
        rate = Rate(self._rate if self.schedule is None else self.schedule(self.iterations))
        rate.optimizer = self
        return rate

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        if isinstance(value, dict):
            value = SCHEDULES[value["class_name"]](**value["config"])
        self.schedule: LearningRateSchedule | None = None
        if isinstance(value, LearningRateSchedule):
            self.schedule = value
            return
        try:
            self._rate = float(value)
        except (TypeError, ValueError):
            self._rate = -1.0
        if not self._rate >= 0 or self._rate == np.inf:
            raise ValueError(
                f"{type(self).__name__}: expected a learning_rate from 0, received {value!r}."
            )

    lr = learning_rate

    def belong_to(self, owner: object) -> None:
        """Start anew if it was another model's; that of the same model goes on where it was."""
        if self.owner is not owner:
            self.owner, self.iterations, self.slots = owner, 0, {}

    def build(self, var_list: Sequence[Array]) -> None:
        """Start anew with zeroed slots for these arrays of parameters."""
        self.iterations = 0
        self.slots = {name: [np.zeros_like(p) for p in var_list] for name in self.slot_names}

    def fits(self, parameters: Sequence[Array]) -> bool:
        """Return whether the slots are those of such arrays of parameters."""
        shapes = [p.shape for p in parameters]
        return set(self.slots) == set(self.slot_names) and all(
            [slot.shape for slot in slots] == shapes for slots in self.slots.values()
        )

    def restore(self, slots: Mapping[str, Sequence[Array]], iterations: int) -> None:
        """Go on from the slots, copied, and the number of steps of another optimiser or a file."""
        for name, arrays in slots.items():
            for mine, given in zip(self.slots[name], arrays, strict=True):
                mine[...] = given
        self.iterations = iterations

    def step(self, parameters: Sequence[Array], gradients: Sequence[Array]) -> None:
        """Change all ``parameters`` in place by one step along ``gradients``, or none of them.

        Ctrl-C takes effect after the step.

        Parameters
        ----------
        parameters, gradients : sequences of arrays
            Pairwise of one shape, all of one dtype, in the order that ``build`` was given.
        """
        lr = float(self.learning_rate)
        gradients = self._clipped(gradients)
        with runtime.uninterrupted():
            for index, (p, g) in enumerate(zip(parameters, gradients, strict=True)):
                if self.weight_decay and not self.decays:
                    p -= lr * self.weight_decay * p
                self._update(p, g, [slots[index] for slots in self.slots.values()], lr)
            self.iterations += 1

    def _clipped(self, gradients: Sequence[Array]) -> Sequence[Array]:
        """Return the gradients, scaled or cut as asked for."""
        if self.clipnorm is not None:
            gradients = [_shortened(g, np.linalg.norm(g), self.clipnorm) for g in gradients]
        elif self.global_clipnorm is not None:
            norm = np.sqrt(sum(float(np.square(g, dtype=np.float64).sum()) for g in gradients))
            gradients = [_shortened(g, norm, self.global_clipnorm) for g in gradients]
        elif self.clipvalue is not None:
            gradients = [g.clip(-self.clipvalue, self.clipvalue) for g in gradients]
        return gradients

    def _update(self, p: Array, g: Array, slots: list[Array], lr: float) -> None:
        raise TypeError(f"{type(self).__name__} must define _update(p, g, slots, lr).")

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make this optimiser again, with Keras's keys."""
        rate = described(self.schedule or self._rate)
        config = {**COMMON, **config_of(self, Optimizer), "learning_rate": rate}
        return {**config, "weight_decay": self.weight_decay or None}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Optimizer:
        """Make the optimiser that ``get_config`` described."""
        return cls(**config)


def _shortened(g: Array, norm: Any, longest: float) -> Array:
    return g * g.dtype.type(longest / norm) if norm > longest else g
