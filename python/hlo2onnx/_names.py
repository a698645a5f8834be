"""Names of the arrays that a function closes over: their paths in the user's own trees.

Arrays are told apart by identity. The search begins at a function and follows what it can read: cells, partial
applications, bound objects, wrapped functions, and globals that the code names. It never calls what it finds.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np


def names_of(*roots: tuple[str, Any]) -> dict[int, str]:
    """Names by the ``id`` of each array that is reached from ``roots``, which are objects with names.

    The first name that is found counts; the empty name adds nothing to a path.
    """
    names: dict[int, str] = {}
    seen: set[int] = set()
    pending = list(reversed(roots))
    while pending:
        prefix, item = pending.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        for path, array in _leaves(item):
            names.setdefault(id(array), path or prefix or "constant")
        pending.extend(reversed(list(_reached(item))))
    return names


def _reached(item: Any) -> Iterator[tuple[str, Any]]:
    """What a callable holds, with the names that its code has for it."""
    wrapped = _attribute(item, "__wrapped__")
    if wrapped is not None:
        yield "", wrapped
    owner = _attribute(item, "__self__")
    if owner is not None and not isinstance(owner, type(sys)):
        yield "", owner
    if _attribute(item, "func") is not None and _attribute(item, "keywords") is not None:
        yield "", item.func
        for argument in item.args:
            yield "", argument
        yield from item.keywords.items()
    code = _attribute(item, "__code__")
    if code is None:
        return
    for name, cell in zip(code.co_freevars, _attribute(item, "__closure__") or ()):
        try:
            yield name, cell.cell_contents
        except ValueError:
            # A cell that nothing was assigned to yet.
            continue
    values = _attribute(item, "__globals__") or {}
    for name in _global_names(code):
        value = values.get(name)
        if value is not None and not isinstance(value, (type, type(sys))) and _is_own(value):
            yield name, value


def _global_names(code: Any) -> Iterator[str]:
    """Globals that code reads, with those of the functions within it."""
    yield from code.co_names
    for constant in code.co_consts:
        if hasattr(constant, "co_names"):
            yield from _global_names(constant)


def _is_own(value: Any) -> bool:
    """Whether a global is the user's: a tree or an object with arrays, and no function of a library."""
    if isinstance(value, (dict, list, tuple, np.ndarray)):
        return True
    module = str(_attribute(value, "__module__") or type(value).__module__)
    return module.split(".")[0] not in ("builtins", "jax", "numpy", "flax", "functools") or _is_array(value)


def _leaves(item: Any) -> Iterator[tuple[str, Any]]:
    """The arrays of one object with their paths; none for an object that is not a tree."""
    import jax

    tree = _tree(item)
    if tree is None:
        return
    try:
        leaves = jax.tree_util.tree_flatten_with_path(tree)[0]
    except Exception:
        # An object of the user's may claim to be a tree and fail; then its arrays have no names.
        return
    for path, leaf in leaves:
        if _is_array(leaf):
            yield "/".join(filter(None, map(key_name, path))), leaf


def _tree(item: Any) -> Any:
    """What of an object is a tree of arrays."""
    nnx = _loaded("flax.nnx")
    if nnx is not None and isinstance(item, nnx.Module):
        return nnx.to_pure_dict(nnx.state(item)) if hasattr(nnx, "to_pure_dict") else nnx.state(item).to_pure_dict()
    linen = _loaded("flax.linen")
    if linen is not None and isinstance(item, linen.Module):
        return item.variables if item.scope is not None else None
    if _loaded("keras") is not None and isinstance(item, _loaded("keras").Model):
        return {variable.path: variable.value for variable in item.variables}
    if callable(item) and not _is_pytree(item):
        return None
    return item


def _is_pytree(item: Any) -> bool:
    import jax

    return not jax.tree_util.all_leaves([item])


def key_name(key: Any) -> str:
    """One part of a path, without the brackets and quotes that Python has for it."""
    for attribute in ("key", "name", "idx"):
        if hasattr(key, attribute):
            return str(getattr(key, attribute))
    return str(key)


def _is_array(value: Any) -> bool:
    import jax

    return isinstance(value, (np.ndarray, jax.Array))


def _attribute(item: Any, name: str) -> Any:
    """An attribute, or ``None``: some modules raise for any name before they are bound."""
    try:
        return getattr(item, name, None)
    except Exception:
        return None


def _loaded(name: str) -> Any:
    """A module, if the user has imported it: what was not imported made none of his objects."""
    return sys.modules.get(name)
