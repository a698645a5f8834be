"""Models of Flax, Equinox and Keras as functions of their inputs, with the names of their arrays."""

from __future__ import annotations

import dataclasses
import functools
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
        if method == "apply" and variables is not None:
            method = "__call__"
        # `module.apply` and `module.init` take the variables as an argument, as any function does.
        if method == "__call__" or not hasattr(linen.Module, method):
            return _linen(module, method, variables)
    if variables is not None:
        raise TypeError("`variables` is only for a Flax Linen module; any other function closes over its arrays")
    if nnx is not None and isinstance(module, nnx.Module):
        return _nnx(nnx, module, method)
    if not callable(target):
        raise TypeError(f"an object of type `{type(target).__name__}` is neither a function nor a model{_hint(target)}")
    return Model(target, _signature(target), names_of(target), _name(target))


def _hint(target: Any) -> str:
    """What to do with an object that cannot be called."""
    if isinstance(target, (str, bytes)) or hasattr(target, "mlir_module") or hasattr(target, "compiler_ir"):
        return "; `convert` takes a lowered program"
    if callable(getattr(target, "apply", None)):
        return "; pass a function, such as `lambda x: transformed.apply(params, None, x)`"
    return ""


def _name(target: Any) -> str:
    """The name of a function, of the function of a partial application, or of a class."""
    while isinstance(target, functools.partial):
        target = target.func
    return getattr(target, "__name__", type(target).__name__)


def _signature(target: Any) -> Any:
    """The callable whose parameters name the inputs."""
    linen, keras = sys.modules.get("flax.linen"), sys.modules.get("keras")
    # A layer's `__call__` takes any arguments; `call` names them.
    if keras is not None and isinstance(target, keras.Layer):
        return target.call
    partial = target if isinstance(target, functools.partial) else functools.partial(target)
    module = getattr(partial.func, "__self__", None)
    if linen is None or not isinstance(module, linen.Module) or getattr(partial.func, "__name__", "") != "apply":
        return target
    # `apply` also takes any arguments: the variables, and then those of the method.
    method = partial.keywords.get("method") or "__call__"
    method = getattr(module, method) if isinstance(method, str) else functools.partial(method, module)
    taken = list(inspect.signature(method).parameters.values())
    kinds = inspect.Parameter

    def apply(*arguments: Any, **keywords: Any) -> Any:
        return target(*arguments, **keywords)

    positional = [kinds("variables", kinds.POSITIONAL_ONLY), *taken][len(partial.args) :]
    names = {parameter.name for parameter in positional}
    if len(names) == len(positional):
        apply.__signature__ = inspect.Signature(positional)  # type: ignore[attr-defined]
    return apply


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
