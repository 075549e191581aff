"""Keras's older and other names: translated where they mean the same, else refused by name.

A keyword of Keras 1 or 2 is translated with one warning that says today's name. What Keras has and
this package does not have is refused in one sentence that says what to use instead.
"""

from __future__ import annotations

import difflib
import functools
import importlib.abc
import inspect
import opcode
import sys
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, NoReturn, TypeVar, cast

from nn import absent

Function = TypeVar("Function", bound=Callable[..., Any])
Class = TypeVar("Class", bound=type)


def spellings(
    owner: str,
    old: Mapping[str, str] | None = None,
    refused: Mapping[str, str] | None = None,
    neutral: Mapping[str, str] | None = None,
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
    neutral : mapping of str to str, optional
        Keyword that Keras has and no result depends on to the sentence that says so: one warning.
    """

    def decorate(function: Function) -> Function:
        parameters = inspect.signature(function).parameters.values()
        named = {p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
        open_ended = any(p.kind == p.VAR_KEYWORD for p in parameters)

        @functools.wraps(function)
        def call(*arguments: Any, **keywords: Any) -> Any:
            if keywords and not keywords.keys() <= named:
                keywords = _translated(owner, keywords, old or {})
                for name in sorted(keywords.keys() - named):
                    if name in (neutral or {}):
                        message = f"{owner}: {name} changes nothing. {neutral[name]}"  # type: ignore[index]
                        warnings.warn(message, FutureWarning, stacklevel=2)
                        del keywords[name]
                    elif name in (refused or {}):
                        raise TypeError(f"{owner}: {name} is not supported. {refused[name]}")  # type: ignore[index]
                    elif not open_ended:
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


def in_order(owner: str, init: Function, order: Sequence[inspect.Parameter]) -> Function:
    """Return ``init`` with other positions: positional arguments get the names of ``order``.

    Parameters
    ----------
    owner : str
        Begins the messages.
    init : function of (self, **keywords)
    order : sequence of Parameter
        What ``inspect.signature`` shows, beside further keywords.
    """
    names = [parameter.name for parameter in order]

    @functools.wraps(init)
    def call(self: Any, *arguments: Any, **keywords: Any) -> None:
        if len(arguments) > len(names):
            raise TypeError(
                f"{owner}: expected at most {len(names)} arguments without a name "
                f"({', '.join(names) or 'none'}), received {len(arguments)}."
            )
        given = dict(zip(names, arguments, strict=False))
        for name in sorted(given.keys() & keywords.keys()):
            raise TypeError(f"{owner}: expected {name} once, received it twice.")
        given |= keywords
        for parameter in order:
            name = parameter.name
            if parameter.default is parameter.empty and name not in given:
                raise TypeError(f"{owner}: expected {name}, received none. Write {name}=….")
        init(self, **given)

    own = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    further = inspect.Parameter("kwargs", inspect.Parameter.VAR_KEYWORD)
    call.__signature__ = inspect.Signature([own, *order, further])  # type: ignore[attr-defined]
    return cast(Function, call)


def parameter(name: str, default: Any) -> inspect.Parameter:
    """Return a parameter for ``in_order``."""
    return inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=default)


def unknown_argument(owner: str, name: str, known: set[str]) -> str:
    """Return the sentence that refuses an argument: with the nearest of the known ones, or all."""
    known = known - {"self", "cls"}
    near = difflib.get_close_matches(name, known, n=1)
    remedy = f"Did you mean {near[0]}?" if near else f"It takes {', '.join(sorted(known))}."
    return f"{owner}: there is no argument {name!r}. {remedy}"


def missing_names(module: str, lazy: Collection[str] = ()) -> Callable[[str], ModuleType]:
    """Return the ``__getattr__`` of a module: what Keras has there is refused with a sentence.

    The sentences are those of ``nn.absent``. ``hasattr`` is False for such names. The submodules
    named in ``lazy`` are imported when they are asked for.
    """

    def getattr_(name: str) -> ModuleType:
        if name in lazy:
            return importlib.import_module(f"{module}.{name}")
        sentence = None if name.startswith("__") else absent.instead(module, name)
        if sentence is None and f"{module}.{name}" in " ".join(absent.MODULES.values()).split():
            return importlib.import_module(f"{module}.{name}")
        if sentence is None:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        message = f"{module} has no {name}. {sentence}"
        caller = sys._getframe(1)
        if caller.f_code.co_code[caller.f_lasti] == opcode.opmap["IMPORT_FROM"]:
            # "from nn.layers import LSTM" would replace an AttributeError by a sentence of its own
            raise ImportError(message)
        raise AttributeError(message)

    return getattr_


class ModulesOfKeras(importlib.abc.MetaPathFinder):
    """Finds older modules (``keras.layers.core``) and refuses those that only Keras has.

    Parents are recognised by their path, so that it works under another name of the package too.
    """

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
        parent_name, _, name = fullname.rpartition(".")
        parent = getattr(sys.modules.get(parent_name), "__name__", "")
        if parent.partition(".")[0] != __name__.partition(".")[0]:
            return None
        for today, names in absent.MODULES.items():
            if f"{parent}.{name}" in names.split():
                return ModuleSpec(fullname, _OlderModule(today))
        sentence = absent.instead(parent, name)
        if parent == "nn" and sentence is not None:
            raise ModuleNotFoundError(f"{parent} has no {name}. {sentence}", name=fullname)
        return None


class _OlderModule(importlib.abc.Loader):
    def __init__(self, today: str) -> None:
        self.today = today

    def exec_module(self, module: ModuleType) -> None:
        name = module.__name__
        warnings.warn(
            f"{name} is an older module. Import from {self.today}.", FutureWarning, stacklevel=2
        )
        names = vars(importlib.import_module(self.today))
        own = {key: value for key, value in names.items() if not key.startswith("__")}
        vars(module).update(own, __getattr__=names["__getattr__"])


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
