"""Keras's older and other names: translated where they mean the same, else refused by name.

A keyword of Keras 1 or 2 is translated with one warning that says today's name. What Keras has and
this package does not have is refused in one sentence that says what to use instead.
"""

from __future__ import annotations

import difflib
import functools
import inspect
import warnings
from collections.abc import Callable, Mapping
from typing import Any, NoReturn, TypeVar, cast

Function = TypeVar("Function", bound=Callable[..., Any])
Class = TypeVar("Class", bound=type)


def spellings(
    owner: str, old: Mapping[str, str] | None = None, refused: Mapping[str, str] | None = None
) -> Callable[[Function], Function]:
    """Let a function take older keywords, and refuse unknown ones with the names it has.

    Parameters
    ----------
    owner : str
        Begins the messages: ``"fit"``, ``"Conv2D"``.
    old : mapping of str to str, optional
        Older keyword to today's.
    refused : mapping of str to str, optional
        Keyword that Keras has to the sentence that says what to do instead.
    """

    def decorate(function: Function) -> Function:
        parameters = inspect.signature(function).parameters.values()
        named = {p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
        open_ended = any(p.kind == p.VAR_KEYWORD for p in parameters)

        @functools.wraps(function)
        def call(*arguments: Any, **keywords: Any) -> Any:
            if keywords and not keywords.keys() <= named:
                keywords = _translated(owner, keywords, old or {})
                for name in keywords.keys() - named:
                    if name in (refused or {}):
                        raise TypeError(f"{owner}: {name} is not supported. {refused[name]}")  # type: ignore[index]
                    if not open_ended:
                        raise TypeError(unknown_argument(owner, name, named))
            return function(*arguments, **keywords)

        return cast(Function, call)

    return decorate


def _translated(owner: str, keywords: dict[str, Any], old: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in keywords.items():
        today = old.get(name, name)
        if today in found or (today != name and today in keywords):
            raise TypeError(f"{owner}: expected {today} once, received it as {name} too.")
        if today != name:
            warnings.warn(
                f"{owner}: {name} is an older name. Write {today}.", FutureWarning, stacklevel=4
            )
        found[today] = value
    return found


def unknown_argument(owner: str, name: str, known: set[str]) -> str:
    """Return the sentence that refuses an argument: with the nearest of the known ones, or all."""
    known = known - {"self", "cls"}
    near = difflib.get_close_matches(name, known, n=1)
    remedy = f"Did you mean {near[0]}?" if near else f"It takes {', '.join(sorted(known))}."
    return f"{owner}: there is no argument {name!r}. {remedy}"


def missing_names(module: str, instead: Mapping[str, str]) -> Callable[[str], NoReturn]:
    """Return the ``__getattr__`` of a module: what Keras has there is refused with a sentence.

    Parameters
    ----------
    module : str
        Its name, as ``__name__`` has it.
    instead : mapping of str to str
        Name to what to use instead, as one sentence.
    """

    def getattr_(name: str) -> NoReturn:
        if name in instead:
            raise AttributeError(f"{module} has no {name}. {instead[name]}")
        raise AttributeError(f"module {module!r} has no attribute {name!r}")

    return getattr_


class _Refused:
    def __init__(self, name: str, instead: str) -> None:
        self.name, self.instead = name, instead

    def __get__(self, instance: Any, owner: type) -> NoReturn:
        raise AttributeError(f"{owner.__name__} has no {self.name}. {self.instead}")


def missing_attributes(instead: Mapping[str, str]) -> Callable[[Class], Class]:
    """Return a decorator of classes: attributes that only Keras has are refused with a sentence.

    Parameters
    ----------
    instead : mapping of str to str
        Names, with spaces between, to what to use instead. ``hasattr`` is False for them.
    """

    def decorate(cls: Class) -> Class:
        for names, sentence in instead.items():
            for name in names.split():
                setattr(cls, name, _Refused(name, sentence))
        return cls

    return decorate
