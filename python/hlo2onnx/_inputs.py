"""Converts the caller's inputs to the abstract arguments that JAX traces with."""

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
    numbers: list[str]
    """Names of the positional arguments that are plain Python numbers, which may be meant as flags."""
    symbolic: bool


def is_shape(value: Any) -> bool:
    """Whether this is a shape: a tuple or list of sizes, some of which may be names. An empty list is an empty tree."""
    return (isinstance(value, tuple) or (isinstance(value, list) and value != [])) and all(map(_is_size, value))


def _is_size(value: Any) -> bool:
    return (isinstance(value, (int, np.integer, str)) and not isinstance(value, bool)) or _is_symbolic(value)


def _is_symbolic(size: Any) -> bool:
    """Whether this is a symbolic size of JAX."""
    return hasattr(size, "scope") and not isinstance(size, (int, np.integer))


def _lacks_size(value: Any) -> bool:
    """Whether this is a shape with ``None`` for a size, as Keras writes a dynamic size."""
    if not isinstance(value, (tuple, list)) or all(size is None for size in value):
        return False
    return any(size is None for size in value) and all(size is None or _is_size(size) for size in value)


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

        return jax.tree_util.tree_map(self.leaf, value, is_leaf=_is_leaf)

    def leaf(self, value: Any) -> Any:
        """The abstract value of one leaf."""
        import jax
        import jax.numpy as jnp

        if is_shape(value):
            return jax.ShapeDtypeStruct(self._sizes(value), jnp.dtype(jnp.result_type(float)))
        if is_array(value):
            return jax.ShapeDtypeStruct(self._sizes(value.shape), _element_type(value.dtype))
        if isinstance(value, (bool, int, float, complex, np.generic)):
            return jax.ShapeDtypeStruct((), jnp.result_type(value))
        if _lacks_size(value):
            named = tuple("B" if size is None else size for size in value)
            raise TypeError(f"the shape `{value}` lacks a size; name each dynamic size: `{named}`")
        raise TypeError(
            f"an input is of type `{type(value).__name__}`; pass an array, a `jax.ShapeDtypeStruct`, a shape such as "
            '`("B", 32)`, or a tree of those, and Python flags in `input_params`'
        )

    def _sizes(self, sizes: Sequence[Any]) -> tuple[Any, ...]:
        from jax import export

        for size in sizes:
            if isinstance(size, (int, np.integer)) and not 0 <= size < 2**63:
                raise ValueError(
                    f"the shape {tuple(sizes)} has the size {size}; name each dynamic size, such as 'B'"
                )
        if all(isinstance(size, (int, np.integer)) for size in sizes):
            return tuple(map(int, sizes))
        self.symbolic = True
        if not any(isinstance(size, str) for size in sizes):
            return tuple(sizes)
        try:
            return tuple(export.symbolic_shape(", ".join(map(str, sizes)) + ",", scope=self.scope))
        except Exception as error:
            raise ValueError(f"the shape {tuple(sizes)} cannot be read: {error}") from error


def _is_leaf(value: Any) -> bool:
    return is_shape(value) or is_array(value) or _lacks_size(value)


def _element_type(dtype: Any) -> Any:
    """JAX's element type for a type."""
    import jax
    import jax.numpy as jnp

    if jnp.issubdtype(dtype, jax.dtypes.extended):
        return dtype
    lacks = f"an input has elements of type `{dtype}`, which JAX lacks; convert it, for example `x.astype('float32')`"
    if not np.dtype(dtype).isnative:
        raise TypeError(lacks)
    try:
        return jnp.zeros((), jax.dtypes.canonicalize_dtype(dtype)).dtype
    except (TypeError, ValueError) as error:
        raise TypeError(lacks) from error


def read(
    function: Callable[..., Any], inputs: Sequence[Any], params: Mapping[str, Any] | None
) -> Inputs:
    """Read ``inputs`` and ``params`` as JAX's arguments; their names come from the signature of ``function``."""
    check(inputs, params)
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
    numbers = [name for name, value in zip(positional, inputs) if isinstance(value, (bool, int, float, complex))]
    return Inputs(arguments, keywords, flags, positional, _unique(names), numbers, specifier.symbolic)


def check(inputs: Any, params: Any) -> None:
    """Check that ``inputs`` is a list of positional arguments, and ``params`` a mapping of keyword arguments."""
    # A list of strings contains flags, and a list of numbers the arguments themselves.
    mixed = is_shape(inputs) and len({isinstance(size, str) for size in inputs}) == 2
    if mixed or (isinstance(inputs, tuple) and inputs != () and is_shape(inputs)):
        raise TypeError(f"`inputs` must be a list with an item for each positional argument: `inputs=[{tuple(inputs)}]`")
    if not isinstance(inputs, (list, tuple)):
        raise TypeError(
            "`inputs` must be a list with an item for each positional argument, `inputs=[x]`, not "
            f"`{type(inputs).__name__}`"
        )
    if params is not None and not isinstance(params, Mapping):
        raise TypeError(f"`input_params` must be a mapping of keyword arguments, not `{type(params).__name__}`")
    for name in params or {}:
        if not isinstance(name, str):
            raise TypeError(f"`input_params` has the key `{name!r}`, but its keys must be argument names")


def _unique(names: list[str]) -> list[str]:
    """The names, with a number added to each that is already taken."""
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
            if _is_symbolic(size):
                return size.scope
    return None


def is_data(value: Any) -> bool:
    """Whether a keyword argument is an input of the model: arrays are, Python flags are not.

    A tuple of numbers is a flag, such as the axes of a sum, and one with a name is a shape.
    """
    import jax

    leaves = jax.tree_util.tree_leaves(value, is_leaf=lambda item: is_shape(item) or is_array(item))
    return bool(leaves) and all(is_array(leaf) or _has_name(leaf) for leaf in leaves)


def _has_name(value: Any) -> bool:
    return is_shape(value) and any(isinstance(size, str) or _is_symbolic(size) for size in value)


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
