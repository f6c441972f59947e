"""Values from the JSON that was made of them: recorded jobs and saved plans, read back and checked.

What goes in is what `dataclasses.asdict` and `json` leave of a value. A key that is missing has its default, as in a
record of an older version; one that is not known says nothing.
"""

from collections.abc import Mapping
from dataclasses import is_dataclass
from enum import Enum
from functools import lru_cache
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from runner.base.model import ConnectorState, Job

T = TypeVar("T")


def job_of(document: Mapping[str, Any]) -> Job:
    """A job; ValueError or TypeError if the document is none."""
    return _value(Job, document)


def state_of(document: Mapping[str, Any] | None) -> ConnectorState | None:
    """A connector's state, None for one that is not known; ValueError or TypeError if the document is none."""
    return None if document is None else _value(ConnectorState, document)


def _value(kind: type[T], written: Any) -> T:
    """A value of `kind` (a class, or what annotates a field of one)."""
    made: Any
    if get_origin(kind) in (Union, UnionType):
        [inner] = (each for each in get_args(kind) if each is not NoneType)
        made = None if written is None else _value(inner, written)
    elif get_origin(kind) is tuple:
        made = tuple(_value(get_args(kind)[0], each) for each in _checked(written, list, tuple))
    elif is_dataclass(kind):
        fields, given = _fields(kind), _checked(written, Mapping)
        made = kind(**{name: _value(fields[name], value) for name, value in given.items() if name in fields})
    elif issubclass(kind, tuple):  # a NamedTuple
        made = kind(*map(_value, _fields(kind).values(), _checked(written, list, tuple)))
    elif issubclass(kind, Enum):
        made = kind(written)
    else:
        made = _plain(kind, written)
    return made  # type: ignore[no-any-return]


def _plain(kind: type, written: Any) -> Any:
    """Text, a number or a flag; JSON need not tell 1 from 1.0, and Python takes a flag for a number."""
    if kind is float:
        return float(_checked(written, int, float))
    if isinstance(written, bool) and kind is not bool:
        raise TypeError(f"expected {kind.__name__}, not {written!r}")
    return _checked(written, kind)


def _checked(written: Any, *kinds: type) -> Any:
    if not isinstance(written, kinds):
        raise TypeError(f"expected {kinds[0].__name__}, not {type(written).__name__}")
    return written


@lru_cache
def _fields(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)
