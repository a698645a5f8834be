"""The inputs that a caller describes, as the abstract arguments that JAX traces with."""

from __future__ import annotations

import dataclasses
import inspect
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ._names import key_name


@dataclasses.dataclass(frozen=True)
class Inputs:
    """The arguments of a trace."""

    arguments: tuple[Any, ...]
    keywords: dict[str, Any]
    flags: dict[str, Any]
    """Keyword arguments that are not arrays, and so become part of the program."""
    parameters: list[str]
    """Names of the positional arguments."""
    names: list[str]
    """Names of all leaves, in the order of the program's inputs."""
    symbolic: bool


def is_shape(value: Any) -> bool:
    """Whether this is a shape: a tuple of sizes, some of which may be names."""
    return isinstance(value, tuple) and all(
        isinstance(size, (int, np.integer, str)) and not isinstance(size, bool) for size in value
    )


def is_array(value: Any) -> bool:
    """Whether this has a shape and a type, as arrays and `jax.ShapeDtypeStruct` have."""
    return hasattr(value, "shape") and hasattr(value, "dtype")


class Specifier:
    """Turns descriptions of inputs into `jax.ShapeDtypeStruct`. Equal names are the same symbolic size."""

    def __init__(self, given: Any) -> None:
        from jax import export

        # Sizes that are already symbolic belong to the caller's scope, and JAX does not mix scopes.
        self.scope = _scope_of(given) or export.SymbolicScope()
        self.symbolic = False

    def tree(self, value: Any) -> Any:
        """The abstract values of a tree whose leaves are arrays, structs, shapes or numbers."""
        import jax

        return jax.tree_util.tree_map(self.leaf, value, is_leaf=lambda item: is_shape(item) or is_array(item))

    def leaf(self, value: Any) -> Any:
        """The abstract value of one leaf."""
        import jax
        import jax.numpy as jnp

        if is_shape(value):
            return jax.ShapeDtypeStruct(self._sizes(value), jnp.dtype(jnp.result_type(float)))
        if is_array(value):
            dtype = value.dtype
            if not jnp.issubdtype(dtype, jax.dtypes.extended):
                dtype = jax.dtypes.canonicalize_dtype(dtype)
            return jax.ShapeDtypeStruct(self._sizes(value.shape), dtype)
        if isinstance(value, (bool, int, float, complex, np.generic)):
            return jax.ShapeDtypeStruct((), jnp.result_type(value))
        raise TypeError(
            f"an input is of type `{type(value).__name__}`; pass an array, a `jax.ShapeDtypeStruct`, a shape such as "
            '`("B", 32)`, or a tree of those'
        )

    def _sizes(self, sizes: Sequence[Any]) -> tuple[Any, ...]:
        from jax import export

        if all(isinstance(size, (int, np.integer)) for size in sizes):
            return tuple(map(int, sizes))
        self.symbolic = True
        if not any(isinstance(size, str) for size in sizes):
            return tuple(sizes)
        try:
            return tuple(export.symbolic_shape(", ".join(map(str, sizes)) + ",", scope=self.scope))
        except Exception as error:
            raise ValueError(f"the shape {tuple(sizes)} cannot be read: {error}") from error


def read(function: Callable[..., Any], inputs: Sequence[Any], params: Mapping[str, Any] | None) -> Inputs:
    """Read ``inputs`` and ``params`` as JAX's arguments; their names come from the signature of ``function``."""
    if isinstance(inputs, (str, bytes, Mapping)) or is_array(inputs):
        raise TypeError("`inputs` must be a list with an item for each positional argument: `inputs=[x]`")
    specifier = Specifier((inputs, params))
    arguments = tuple(specifier.tree(value) for value in inputs)
    keywords, flags = {}, {}
    for name, value in (params or {}).items():
        if is_data(value):
            keywords[name] = specifier.tree(value)
        else:
            flags[name] = value
    positional = positional_names(function, len(arguments))
    names = []
    for name, value in zip(positional, arguments):
        names.extend(_leaf_names(name, value))
    # JAX sorts keyword arguments by their names.
    for name in sorted(keywords):
        names.extend(_leaf_names(name, keywords[name]))
    return Inputs(arguments, keywords, flags, positional, _unique(names), specifier.symbolic)


def _unique(names: list[str]) -> list[str]:
    """The names, with a number after each that is already taken."""
    found: dict[str, None] = {}
    for name in names:
        candidates = (f"{name}_{index}" if index else name for index in itertools.count())
        found[next(candidate for candidate in candidates if candidate not in found)] = None
    return list(found)


def _scope_of(given: Any) -> Any:
    """The scope of the first symbolic size, if there is one."""
    import jax

    for leaf in jax.tree_util.tree_leaves(given, is_leaf=is_array):
        for size in leaf.shape if is_array(leaf) else (leaf,):
            if hasattr(size, "scope") and not isinstance(size, (int, np.integer)):
                return size.scope
    return None


def is_data(value: Any) -> bool:
    """Whether a keyword argument is an input of the model: arrays are, other Python values are not."""
    import jax

    leaves = jax.tree_util.tree_leaves(value, is_leaf=lambda item: is_shape(item) or is_array(item))
    return bool(leaves) and all(is_array(leaf) or (is_shape(leaf) and leaf != ()) for leaf in leaves)


def positional_names(function: Callable[..., Any], count: int) -> list[str]:
    """Names for the first ``count`` positional arguments of a callable."""
    names: list[str] = []
    for parameter in _parameters(function):
        if parameter.kind in (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD):
            names.append(parameter.name)
        elif parameter.kind == inspect.Parameter.VAR_POSITIONAL:
            rest = count - len(names)
            names.extend([parameter.name] if rest == 1 else [f"{parameter.name}_{i}" for i in range(rest)])
    names.extend(f"x_{index}" if index else "x" for index in range(len(names), count))
    return names[:count]


def _leaf_names(name: str, value: Any) -> list[str]:
    import jax

    leaves = jax.tree_util.tree_flatten_with_path(value)[0]
    return ["/".join([name, *map(key_name, path)]) for path, _ in leaves]


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    """The parameters of a callable; none if Python does not know them."""
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return []
