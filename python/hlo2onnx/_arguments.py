"""Checks arguments and converts them for the native half."""

from __future__ import annotations

import numbers
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


def one_of(name: str, value: Any, words: Sequence[str]) -> str:
    """The value of an argument, which must be one of these words."""
    if value not in words:
        choice = ", ".join(map(repr, words[:-1])) + f" or {words[-1]!r}"
        raise ValueError(f"{name} is {value!r}, but must be {choice}")
    return str(value)


def _wrong(name: str, value: Any, kind: str) -> TypeError:
    return TypeError(f"{name} is {value!r}, but must be {kind}")


def text(name: str, value: Any) -> str | None:
    """A string, or ``None``."""
    if value is None or isinstance(value, str):
        return value
    raise _wrong(name, value, "a string")


def flag(name: str, value: Any) -> bool:
    """A bool."""
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    raise _wrong(name, value, "True or False")


def whole(name: str, value: Any, end: int = 2**64) -> int | None:
    """An integer below ``end``, or ``None``."""
    if value is None:
        return None
    if not isinstance(value, numbers.Integral) or isinstance(value, bool):
        raise _wrong(name, value, "an integer")
    found = int(value)
    if not 0 <= found < end:
        raise ValueError(f"{name} is {found}, but must be an integer from 0 to {end - 1}")
    return found


def size(symbol: str, value: Any) -> int:
    """The size that a symbol gets."""
    if not isinstance(value, numbers.Integral) or isinstance(value, bool):
        raise _wrong(f"dims[{symbol!r}]", value, "an integer")
    found = int(value)
    if not 0 <= found < 2**63:
        raise ValueError(f"dims[{symbol!r}] is {found}, but must be a size")
    return found


def listed(name: str, value: Any) -> list[Any]:
    """The items of a list."""
    if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Sequence):
        raise _wrong(name, value, "a list")
    return list(value)


def names(name: str, value: Any) -> list[str]:
    """The items of a list of strings."""
    items = listed(name, value)
    if not all(isinstance(item, str) for item in items):
        raise _wrong(name, value, "a list of strings")
    return items


def places(name: str, value: Any) -> list[str]:
    """The items of a list of positions and names, as strings."""
    items = listed(name, value)
    if not all(isinstance(item, (str, numbers.Integral)) and not isinstance(item, bool) for item in items):
        raise _wrong(name, value, "a list of positions or names")
    return list(map(str, items))


def pairs(name: str, value: Any) -> list[tuple[str, Any]]:
    """The items of a mapping, or of a list of pairs."""
    items = list(value.items()) if isinstance(value, Mapping) else listed(name, value)
    if not all(isinstance(item, (tuple, list)) and len(item) == 2 and isinstance(item[0], str) for item in items):
        raise _wrong(name, value, "a mapping")
    return [tuple(item) for item in items]


def path(value: Any) -> str:
    """A path."""
    if not isinstance(value, (str, bytes, os.PathLike)):
        raise _wrong("weights", value, "a list of paths")
    return os.fsdecode(value)
