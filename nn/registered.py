"""Classes and functions of one's own, by the names they have in files: Keras's registration.

A file names what it needs and never contains it. ``load_model(path, custom_objects={"Scale":
Scale})`` says what a name means once, ``register_keras_serializable`` for as long as the program
runs. What is not said is refused by name; nothing is ever imported because a file asks for it.
"""

from __future__ import annotations

import contextlib
import contextvars
import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

Object = TypeVar("Object")

_KERAS = ("keras", "tf_keras", "tensorflow")
_objects: dict[str, Any] = {}
_scopes: contextvars.ContextVar[tuple[Mapping[str, Any], ...]] = contextvars.ContextVar(
    "custom_objects", default=()
)


def register_keras_serializable(
    package: str = "Custom", name: str | None = None
) -> Callable[[Object], Object]:
    """Return a decorator that gives a class or function the name ``package>name`` in files.

    Parameters
    ----------
    package : str
    name : str, optional
        Default: the object's own.

    Raises
    ------
    TypeError
        If a class has no ``get_config``, or if the brackets are missing.
    """
    if not isinstance(package, str):
        raise TypeError(
            f"register_keras_serializable: expected a package name, received {package!r}. Write "
            "@register_keras_serializable() with brackets."
        )

    def register(thing: Object) -> Object:
        if isinstance(thing, type) and not hasattr(thing, "get_config"):
            raise TypeError(
                f"register_keras_serializable: expected a class with get_config, received "
                f"{thing.__name__}. Define get_config(self), which returns its arguments."
            )
        _objects[f"{package}>{name or thing.__name__}"] = thing  # type: ignore[attr-defined]
        return thing

    return register


def get_custom_objects() -> dict[str, Any]:
    """Return the table of registered names itself: what is put in is known everywhere."""
    return _objects


def get_registered_name(obj: Any) -> str:
    """Return the name under which ``obj`` is registered, else its own."""
    for name, known in _objects.items():
        if known is obj:
            return name
    return str(getattr(obj, "__name__", type(obj).__name__))


def get_registered_object(
    name: str,
    custom_objects: Mapping[str, Any] | None = None,
    module_objects: Mapping[str, Any] | None = None,
) -> Any:
    """Return what ``name`` stands for: in ``custom_object_scope``, registered, or given; or None.

    The innermost scope decides first, then the registered names, then the two arguments.
    """
    for table in (*reversed(_scopes.get()), _objects, custom_objects or {}, module_objects or {}):
        if name in table:
            return table[name]
    for scope in (*reversed(_scopes.get()), custom_objects or {}):
        if name.rpartition(">")[2] in scope:
            return scope[name.rpartition(">")[2]]
    return None


@contextlib.contextmanager
def custom_object_scope(custom_objects: Mapping[str, Any] | None) -> Iterator[None]:
    """Within ``with custom_object_scope({"Scale": Scale}):`` a name stands for the class given."""
    if not isinstance(custom_objects, Mapping | None):
        raise TypeError(
            f"custom_objects: expected a dict of names to classes or functions, received "
            f"{custom_objects!r}."
        )
    token = _scopes.set((*_scopes.get(), custom_objects or {}))
    try:
        yield
    finally:
        _scopes.reset(token)


CustomObjectScope = custom_object_scope


def is_own(thing: Any) -> bool:
    """Return whether a class or function is not one of this package."""
    return str(getattr(thing, "__module__", "")).partition(".")[0] != "nn"


def serialized(thing: Any) -> dict[str, Any]:
    """Return the class of ``thing`` and the arguments that make it again, as Keras writes them.

    One's own class is marked by ``registered_name``.
    """
    cls = type(thing)
    entry = {"class_name": cls.__name__, "config": thing.get_config()}
    if is_own(cls):
        entry |= {"module": None, "registered_name": get_registered_name(cls)}
    return entry


def serialized_function(function: Any) -> dict[str, Any]:
    """Return a function of one's own as Keras writes it."""
    name = get_registered_name(function)
    return {
        "module": "builtins", "class_name": "function", "config": name,
        "registered_name": "function",
    }  # fmt: skip


def name_in(entry: Mapping[str, Any]) -> tuple[str, bool]:
    """Return the name in a serialised object, and whether it is one of the user's own.

    Own are functions by the name of one, classes of no Keras module, and names with a package.
    """
    kind, config = str(entry.get("class_name")), entry.get("config")
    elsewhere = "module" in entry and not str(entry["module"]).startswith(_KERAS)
    if isinstance(config, str):
        return config, elsewhere
    full = entry.get("registered_name") or kind
    package = str(full).rpartition(">")[0].lower()
    return str(full), elsewhere or package not in ("", "keras")


def of_entry(entry: Mapping[str, Any]) -> Any:
    """Return what a serialised object's name stands for if it is the user's, or None."""
    found = get_registered_object(name_in(entry)[0])
    return get_registered_object(str(entry["class_name"])) if found is None else found


def resolve(identifier: Any) -> Any:
    """Return what a name or a serialised object stands for if it is the user's, else itself.

    Raises
    ------
    ValueError
        If it is the user's, and not known.
    """
    if isinstance(identifier, str):
        return identifier if (found := get_registered_object(identifier)) is None else found
    if not isinstance(identifier, dict) or "class_name" not in identifier:
        return identifier
    name, own = name_in(identifier)
    found = of_entry(identifier)
    if found is None and own:
        raise ValueError(unknown(name))
    if found is None:
        return identifier
    config = identifier.get("config")
    return make(found, config) if isinstance(config, dict) else found


def make(cls: Any, config: dict[str, Any]) -> Any:
    """Return an object of one's own class from its arguments."""
    if not isinstance(cls, type):
        return cls
    return cls.from_config(config) if hasattr(cls, "from_config") else cls(**config)


def unknown(name: str) -> str:
    """Return the sentence that refuses a name that only the user can explain."""
    short = name.rpartition(">")[2]
    return (
        f"{name} is a class or function of one's own. Pass custom_objects={{{short!r}: {short}}}, "
        "or register it with @nn.saving.register_keras_serializable()."
    )


def own_objects(thing: Any) -> dict[str, Any]:
    """Return what is the user's among an object's class and attributes, by names in files."""
    found = {}
    for attribute, value in [("", thing), *vars(thing).items()]:
        identifier = getattr(value, "identifier", None)
        if isinstance(identifier, dict) and name_in(identifier)[1]:
            found[name_in(identifier)[0]] = value
        elif attribute.endswith("_initializer") and is_own(value) and inspect.isfunction(value):
            found[get_registered_name(value)] = value
        elif hasattr(value, "get_config") and is_own(type(value)):
            found[get_registered_name(type(value))] = type(value)
    return found


def own_names(value: Any) -> Iterator[tuple[str, bool]]:
    """Yield the names of one's own objects in a configuration, and whether they are registered."""
    if isinstance(value, dict):
        if "class_name" in value:
            name, own = name_in(value)
            if own:
                yield name, name in _objects
        value = list(value.values())
    if isinstance(value, list | tuple):
        for item in value:
            yield from own_names(item)
