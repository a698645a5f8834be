"""`onnx_function`: functions and modules that become functions of the model."""

from __future__ import annotations

import collections
import contextlib
import functools
import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeVar, overload

from ._names import loaded

T = TypeVar("T", bound=Callable[..., Any])


@overload
def onnx_function(target: T) -> T: ...
@overload
def onnx_function(
    target: None = None,
    *,
    unique: bool = False,
    namespace: str | None = None,
    name: str | None = None,
    type: str | None = None,
) -> Callable[[T], T]: ...
def onnx_function(
    target: Any = None,
    *,
    unique: bool = False,
    namespace: str | None = None,
    name: str | None = None,
    type: str | None = None,
) -> Any:
    """Mark a function or a module class as a function of the model, for ``to_onnx(..., keep_functions=True)``.

    Args:
        target: The function, class or module; without it the result is a decorator.
        unique: Accepted for scripts of jax2onnx. Equal functions always share one function of the model.
        namespace: Accepted for scripts of jax2onnx; no effect.
        name: The name of the function in the model; by default that of the target.
        type: As ``name``, and it takes precedence.

    Returns:
        A function that calls the target; for a class the class itself, with a changed ``__call__``.

    Raises:
        TypeError: The target is not callable.
    """
    if target is None:
        return functools.partial(_mark, name=type or name)
    return _mark(target, name=type or name)


def _mark(target: Any, *, name: str | None) -> Any:
    if not callable(target):
        raise TypeError(f"an object of type `{builtin_type(target).__name__}` is not callable")
    if isinstance(target, builtin_type):
        # `target.__call__` would be that of `type`, which makes instances.
        if not any("__call__" in vars(base) for base in target.__mro__):
            raise TypeError(f"instances of `{target.__name__}` are not callable")
        call = target.__call__
        target.__call__ = _scoped(call, name or target.__name__)  # type: ignore[method-assign]
        return target
    return _scoped(target, name or str(getattr(target, "__name__", "function")))


def _scoped(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    @functools.wraps(function)
    def scoped(*arguments: Any, **keywords: Any) -> Any:
        import jax

        if arguments and _is_scope(arguments[0], name):
            return function(*arguments, **keywords)
        calls: collections.Counter[str] | None = getattr(_trace, "calls", None)
        if calls is None:
            scope = name
        else:
            # Without the number, two consecutive calls would share one scope. Flax numbers its modules too.
            scope = f"{name}_{calls[name]}"
            calls[name] += 1
        with jax.named_scope(scope):
            return function(*arguments, **keywords)

    return scoped


def _is_scope(item: Any, name: str) -> bool:
    """Whether this is a Linen module of that name within another one: Flax itself has a scope for each."""
    linen = loaded("flax.linen")
    if linen is None or not isinstance(item, linen.Module):
        return False
    return item.scope is not None and bool(item.path) and builtin_type(item).__name__ == name


_trace = threading.local()
"""Holds the counts of calls in this thread."""


@contextlib.contextmanager
def counted_calls() -> Iterator[None]:
    """Number the calls of marked functions from 0, separately for each name."""
    before = getattr(_trace, "calls", None)
    _trace.calls = collections.Counter()
    try:
        yield
    finally:
        _trace.calls = before


builtin_type = type
"""The builtin ``type``, which a parameter of `onnx_function` shadows."""
