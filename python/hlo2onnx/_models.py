"""Models of Flax, Equinox and Keras as functions of their inputs, with the names of their arrays."""

from __future__ import annotations

import dataclasses
import inspect
import sys
from collections.abc import Callable
from typing import Any

from ._names import Names, names_of


@dataclasses.dataclass(frozen=True)
class Model:
    """A function to trace, and the names of the arrays that it closes over."""

    function: Callable[..., Any]
    signature: Callable[..., Any]
    """The callable whose parameters name the inputs."""
    names: Names
    name: str | None
    """The user's name for it, if it has one."""


def as_model(target: Any, variables: Any = None) -> Model:
    """The model of a callable, of a Linen, NNX or Equinox module, or of a method of one."""
    owner = getattr(target, "__self__", None)
    method = getattr(target, "__name__", "__call__") if owner is not None else "__call__"
    module = target if owner is None else owner
    linen, nnx = sys.modules.get("flax.linen"), sys.modules.get("flax.nnx")
    if linen is not None and isinstance(module, linen.Module):
        return _linen(module, method, variables)
    if variables is not None:
        raise TypeError("`variables` belong to a Flax Linen module; any other function closes over its arrays")
    if nnx is not None and isinstance(module, nnx.Module):
        return _nnx(nnx, module, method)
    if not callable(target):
        raise TypeError(f"an object of type `{type(target).__name__}` is neither a function nor a model")
    keras = sys.modules.get("keras")
    # A layer's `__call__` takes any arguments; `call` has the names.
    signature = target.call if keras is not None and isinstance(target, keras.Layer) else target
    return Model(target, signature, names_of(target), getattr(target, "__name__", type(target).__name__))


def _linen(module: Any, method: str, variables: Any) -> Model:
    if module.scope is not None and variables is None:
        module, variables = module.unbind()
    if variables is None:
        name = type(module).__name__
        raise TypeError(
            f"`{name}` has no variables: pass `variables=...`, or bind it: `{name}(...).bind(variables)`"
        )

    def apply(*arguments: Any, **keywords: Any) -> Any:
        return module.apply(variables, *arguments, **keywords, method=method)

    signature = getattr(module, method)
    return Model(apply, signature, names_of(variables), type(module).__name__)


def _nnx(nnx: Any, module: Any, method: str) -> Model:
    names = names_of(module)
    # The program may change its state, such as the counts of a random stream, which must not reach the user's module.
    graph, state = nnx.split(module)
    # Older releases always copy.
    copy = {"copy": True} if "copy" in inspect.signature(nnx.merge).parameters else {}

    def call(*arguments: Any, **keywords: Any) -> Any:
        return getattr(nnx.merge(graph, state, **copy), method)(*arguments, **keywords)

    return Model(call, getattr(module, method), names, type(module).__name__)
