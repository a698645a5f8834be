"""Names of the arrays that a function closes over: their paths in the user's own trees.

An array is identified by its address. The search begins at a function and follows what it can read: cells, defaults, partial
applications, bound objects, wrapped functions, globals that the code names, and the attributes of the user's objects. It
never calls what it finds.
"""

from __future__ import annotations

import collections
import sys
import types
from collections.abc import Hashable, Iterator
from typing import Any

import numpy as np

from ._diagnostics import logger

_LIMIT = 20_000
"""The limit on visited objects that are not arrays: a function may reach a data set. Arrays that are not reached by then
get no path."""

_SHARE = 2_000
"""After this many objects of one variable, the search visits the other variables first."""

_LIBRARIES = sys.stdlib_module_names | {"jax", "jaxlib", "numpy", "flax", "equinox", "keras", "optax", "hlo2onnx"}
"""Packages whose functions and objects hold user arrays only in trees."""


class Names:
    """Names of arrays. It keeps the arrays alive, because their identities are valid only as long as they live."""

    def __init__(self) -> None:
        self._named: dict[Hashable, tuple[str, Any]] = {}

    def add(self, array: Any, name: str) -> None:
        """Name an array that has no name yet."""
        self._named.setdefault(identity(array), (name, array))

    def of(self, array: Any) -> str | None:
        """The name of this array."""
        named = self._named.get(identity(array))
        return named[0] if named else None

    def arrays(self) -> dict[str, Any]:
        """The arrays by their names; of several with one name, the first."""
        return dict(reversed(list(self._named.values())))


def identity(array: Any) -> Hashable:
    """A key that no other live array has. For a NumPy array it is the memory, because JAX makes views of it."""
    if isinstance(array, np.ndarray):
        return array.__array_interface__["data"][0], array.shape, array.strides, array.dtype
    return id(array)


def names_of(root: Any) -> Names:
    """Names of the arrays that are reached from ``root``: their paths below the variable that holds them.

    The first path found applies. If trees of several variables share a path, the paths begin with the names of the
    variables.
    """
    found: dict[int, tuple[tuple[str, ...], str, Any]] = {}
    seen: dict[int, Any] = {}
    pending: list[tuple[tuple[str, ...], tuple[str, ...], Any]] = [((), (), root)]
    late: collections.deque[tuple[tuple[str, ...], tuple[str, ...], Any]] = collections.deque()
    visits: collections.Counter[tuple[str, ...]] = collections.Counter()
    count, is_cut = 0, False
    while pending or late:
        is_late = not pending
        variable, path, item = late.popleft() if is_late else pending.pop()
        if id(item) in seen:
            continue
        if not is_array(item):
            if visits[variable] >= _SHARE and not is_late:
                late.append((variable, path, item))
                continue
            if count == _LIMIT:
                is_cut = True
                continue
            count += 1
            visits[variable] += 1
        seen[id(item)] = item
        if is_array(item):
            name = "/".join(path) or (variable[-1] if variable else "constant")
            found.setdefault(id(item), (variable if path else variable[:-1], name, item))
            continue
        # The wrapped object has better names than the wrapper's own tree.
        reached = [(variable, path, inner) for inner in _wrapped(item)]
        reached += [(variable, (*path, *below), leaf) for below, leaf in _leaves(item)]
        reached += [((*variable, name), (), value) for name, value in _read_by_code(item)]
        reached += [(variable, (*path, name), value) for name, value in _attributes(item)]
        pending.extend(reversed(reached))
    if is_cut:
        most = "/".join(visits.most_common(1)[0][0])
        logger.info(
            "names: the function reaches more than %d objects, most of them from `%s`, and the search for the names of arrays "
            "stopped there; if the function reads a data set, pass it as an input",
            _LIMIT,
            most,
        )
    holders: dict[str, set[tuple[str, ...]]] = {}
    for variable, name, _ in found.values():
        holders.setdefault(name, set()).add(variable)
    unclear = {variable for variables in holders.values() if len(variables) > 1 for variable in variables}
    names = Names()
    for variable, name, array in found.values():
        names.add(array, "/".join((*variable, name)) if variable in unclear else name)
    return names


def _wrapped(item: Any) -> Iterator[Any]:
    """What replaces an item: the function that it wraps, and the object that it is a method of."""
    if isinstance(item, (types.ModuleType, type)):
        return
    wrapped = attribute(item, "__wrapped__")
    if wrapped is not None:
        yield wrapped
    owner = attribute(item, "__self__")
    if owner is not None and not isinstance(owner, types.ModuleType):
        yield owner
    if attribute(item, "func") is not None and isinstance(attribute(item, "keywords"), dict):
        yield item.func
        yield from item.args
    if not _is_function(item) and not _of_library(type(item)) and callable(item):
        yield type(item).__call__


def _read_by_code(item: Any) -> Iterator[tuple[str, Any]]:
    """The variables that a function reads: keywords of a partial application, cells, defaults and globals."""
    if isinstance(item, (types.ModuleType, type)):
        return
    if attribute(item, "func") is not None and isinstance(attribute(item, "keywords"), dict):
        yield from item.keywords.items()
    code = attribute(item, "__code__")
    if not isinstance(code, types.CodeType):
        return
    for name, cell in zip(code.co_freevars, attribute(item, "__closure__") or ()):
        try:
            yield name, cell.cell_contents
        except ValueError:
            # An unassigned cell.
            continue
    defaults = attribute(item, "__defaults__") or ()
    positional = code.co_varnames[: code.co_argcount]
    yield from zip(positional[len(positional) - len(defaults) :], defaults)
    yield from (attribute(item, "__kwdefaults__") or {}).items()
    values = attribute(item, "__globals__") or {}
    for name in _global_names(code):
        value = values.get(name)
        if value is not None and not (_is_function(value) and _of_library(value)):
            yield name, value


def _global_names(code: Any) -> Iterator[str]:
    """Globals that code reads, including those of its nested functions."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _global_names(constant)


def _leaves(item: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The leaves of a tree with their paths; none for an object that is not a tree."""
    import jax

    boxes = _boxes()
    if isinstance(item, boxes):
        leaves = jax.tree_util.tree_leaves(item)
        # Variables of the oldest releases of NNX are not trees.
        yield from (((), attribute(leaf, "raw_value") if leaf is item else leaf) for leaf in leaves)
        return
    tree = _tree(item)
    if tree is None:
        return
    try:
        found = jax.tree_util.tree_flatten_with_path(tree, is_leaf=lambda leaf: isinstance(leaf, boxes))[0]
    except Exception:
        # A user's class may register as a tree and fail to flatten; then its arrays have no names.
        return
    for path, leaf in found:
        if leaf is not item and not isinstance(leaf, (str, bytes, int, float, complex)):
            yield tuple(filter(None, map(key_name, path))), leaf


def _boxes() -> tuple[type, ...]:
    """Flax's boxes around an array, which add nothing to its path."""
    kinds = {"flax.nnx": ("Variable", "VariableState"), "flax.core.meta": ("AxisMetadata",)}
    found = (vars(loaded(module)).get(kind) for module, names in kinds.items() if loaded(module) for kind in names)
    return tuple(kind for kind in found if kind is not None)


def _tree(item: Any) -> Any:
    """The part of an object that is a tree of arrays."""
    nnx = loaded("flax.nnx")
    if nnx is not None and isinstance(item, nnx.Module):
        return nnx.state(item)
    linen = loaded("flax.linen")
    if linen is not None and isinstance(item, linen.Module):
        return item.variables if item.scope is not None else None
    keras = loaded("keras")
    if keras is not None and isinstance(item, keras.Layer):
        return {variable.path: variable.value for variable in item.variables}
    if isinstance(item, (types.ModuleType, type)) or _is_function(item) or not _is_pytree(item):
        return None
    return item


def _attributes(item: Any) -> Iterator[tuple[str, Any]]:
    """The attributes of a user's object that is not a tree."""
    if isinstance(item, (types.ModuleType, type)) or _is_function(item) or _of_library(type(item)):
        return
    if _is_pytree(item) or _is_model(item):
        return
    try:
        yield from vars(item).items()
    except TypeError:
        # An object without a dictionary.
        return


def _is_model(item: Any) -> bool:
    """Whether a library knows the arrays of this object."""
    nnx, linen, keras = loaded("flax.nnx"), loaded("flax.linen"), loaded("keras")
    return (
        (nnx is not None and isinstance(item, nnx.Module))
        or (linen is not None and isinstance(item, linen.Module) and item.scope is not None)
        or (keras is not None and isinstance(item, keras.Layer))
    )


def _is_function(item: Any) -> bool:
    """Whether this is a function, or a wrapper of one, such as ``jax.jit`` returns."""
    if isinstance(item, (types.FunctionType, types.BuiltinFunctionType, types.MethodType)):
        return True
    return attribute(item, "__wrapped__") is not None


def _of_library(item: Any) -> bool:
    """Whether a function or class belongs to Python or to a library."""
    return str(attribute(item, "__module__")).split(".")[0] in _LIBRARIES


def _is_pytree(item: Any) -> bool:
    import jax

    return not jax.tree_util.all_leaves([item])


def key_name(key: Any) -> str:
    """One part of a path, without Python's brackets and quotes."""
    for name in ("key", "name", "idx"):
        if hasattr(key, name):
            return str(getattr(key, name))
    return str(key)


def is_array(value: Any) -> bool:
    """Whether this is an array with elements."""
    import jax

    return isinstance(value, (np.ndarray, jax.Array))


def attribute(item: Any, name: str) -> Any:
    """An attribute, or ``None``: some modules raise for any name before they are bound."""
    try:
        return getattr(item, name, None)
    except Exception:
        return None


def loaded(name: str) -> Any:
    """A module, if the user has imported it: a library that was not imported cannot have made an object."""
    return sys.modules.get(name)
