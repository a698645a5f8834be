"""The error of results, and the error that is allowed.

Exact results are those of the program in 64 bits. The error of a model against them may be ten times the error of JAX, or ten
times the effect of a change of the inputs in their last bit, whichever is larger. A fixed tolerance would blame the wrong
side.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from ._values import is_float

FACTOR = 10.0
"""The allowed error of a model, as a multiple of the error of JAX."""

_ROUNDINGS = 16.0
"""The error that is always allowed, in units in the last place of the largest element: kernels round differently."""


@dataclasses.dataclass(frozen=True)
class Error:
    """The error of one result."""

    ok: bool
    name: str
    why: str
    """What is wrong, or an empty string."""
    shape: tuple[int, ...] = ()
    dtype: str = ""
    absolute: float = 0.0
    """The largest difference from the exact results."""
    relative: float = 0.0
    """The largest difference, relative to the largest element."""
    ulps: float = 0.0
    """The largest difference in units in the last place of its element."""
    jax: float | None = 0.0
    """The error of JAX; ``None`` if the exact results are not known, and JAX's results replace them."""
    nudge: float = 0.0
    """The effect of a change of the inputs in their last bit."""
    allowed: float = 0.0
    """The error that is allowed; 0 for results that must be equal."""
    excess: float = 0.0
    """The largest difference, as a multiple of what rounding explains at its own element. It ranks the parts of a model of
    which none differs by more than is allowed."""
    argmax: tuple[int, int] = (0, 0)
    """The number of rows in which another element is the largest, and the number of all rows."""
    example: tuple[tuple[int, ...], str, str] | None = None
    """A place, the model's value there and JAX's."""


def compare(
    name: str,
    got: np.ndarray,
    jax: np.ndarray,
    exact: np.ndarray | None = None,
    nudged: Sequence[np.ndarray] = (),
    epsilon: float | None = None,
    allowed: float | None = None,
) -> Error:
    """Compare a result of the model with JAX's.

    Args:
        name: The name of the result.
        got: The result of the model.
        jax: The result of JAX.
        exact: The result in 64 bits, if it is known.
        nudged: The results of JAX for inputs that differ in their last bit.
        epsilon: The machine epsilon of the type that the model computes in, if it is not that of the result.
        allowed: A lower bound of the allowed error of floats.
    """
    # The model has complex numbers as two parts.
    got, jax = parts(got), parts(jax)
    exact = None if exact is None else parts(exact)
    nudged = [parts(other) for other in nudged]
    if got.shape != jax.shape:
        return Error(False, name, f"its shape is {list(got.shape)}, but JAX's is {list(jax.shape)}", got.shape)
    if exact is not None and exact.shape != jax.shape:
        exact = None
    nudged = [other for other in nudged if other.shape == jax.shape]
    if not is_float(jax.dtype) and jax.dtype.kind != "c":
        return _compare_exactly(name, got, jax, exact, nudged)
    return _compare_floats(name, got, jax, exact, nudged, epsilon, allowed or 0.0)


def _compare_exactly(
    name: str, got: np.ndarray, jax: np.ndarray, exact: np.ndarray | None, nudged: Sequence[np.ndarray]
) -> Error:
    differs = got.astype(jax.dtype) != jax
    # An element that rounding decides in JAX itself does not count.
    for other in (*nudged, *([] if exact is None else [exact])):
        differs &= other == jax
    if not differs.any():
        return Error(True, name, "", got.shape, str(jax.dtype))
    place = _first(differs)
    why = f"{int(differs.sum())} of {differs.size} elements differ"
    largest = float(np.max(np.abs(got.astype(np.float64) - jax.astype(np.float64))))
    example = (place, str(got[place]), str(jax[place]))
    return Error(False, name, why, got.shape, str(jax.dtype), largest, excess=np.inf, example=example)


def _compare_floats(
    name: str,
    got: np.ndarray,
    jax: np.ndarray,
    exact: np.ndarray | None,
    nudged: Sequence[np.ndarray],
    epsilon: float | None,
    least: float,
) -> Error:
    own_epsilon = float(_finfo(jax.dtype).eps)
    dtype = str(jax.dtype)
    known = exact is not None
    limit = float(_finfo(jax.dtype).max)
    got, jax = got.astype(np.float64), jax.astype(np.float64)
    exact = jax if exact is None else exact.astype(np.float64)
    others = [other.astype(np.float64) for other in nudged]
    unsure = np.zeros(jax.shape, bool)
    for other in others:
        unsure |= _pattern(other) != _pattern(jax)
    # Near the largest number of the type, one of the two may overflow.
    large = [np.abs(array) > 0.99 * limit for array in (exact, got, jax)]
    unsure |= np.logical_and.reduce([*large, np.sign(got) == np.sign(jax)])
    if known:
        unsure |= (_pattern(exact) != _pattern(jax)) & (_pattern(got) == _pattern(exact))
    elsewhere = (_pattern(got) != _pattern(jax)) & (_pattern(got) != _pattern(exact))
    broken = (_pattern(got) != _pattern(jax)) & ~unsure
    finite = np.isfinite(got) & np.isfinite(jax) & np.isfinite(exact)
    difference = _apart(got, exact, finite)
    off = _apart(jax, exact, finite)
    moved = [_apart(other, jax, finite & np.isfinite(other)) for other in others]
    own = float(np.max(off, initial=0))
    effect = max((float(np.max(array, initial=0)) for array in moved), default=0.0)
    scale = float(np.max(np.abs(exact), where=finite, initial=0))
    tiny = float(np.finfo(np.float32 if limit > 1e38 else np.float16).tiny)
    allowed = FACTOR * max(own, effect) + _ROUNDINGS * max(epsilon or 0.0, own_epsilon) * scale + tiny
    allowed = max(allowed, least)
    absolute = float(np.max(difference, initial=0))
    explained = sum(moved, off) + max(epsilon or 0.0, own_epsilon) * np.abs(np.where(finite, exact, 0)) + tiny
    measured: dict[str, Any] = {
        "shape": got.shape,
        "dtype": dtype,
        "absolute": absolute,
        "relative": absolute / scale if scale else 0.0,
        "ulps": _ulps(difference, exact, own_epsilon, finite),
        "jax": own if known else None,
        "nudge": effect,
        "allowed": allowed,
        "excess": np.inf if elsewhere.any() else float(np.max(difference / explained, initial=0)),
        "argmax": _argmax(got, jax),
    }
    if broken.any():
        place = _first(broken)
        why = f"NaN or infinity in {int(broken.sum())} of {broken.size} elements differs from JAX"
        return Error(False, name, why, **measured, example=(place, str(got[place]), str(jax[place])))
    if absolute > allowed:
        place = _first(difference == absolute)
        why = f"it is off by {absolute:.3g}, but only {allowed:.3g} is allowed"
        return Error(False, name, why, **measured, example=(place, str(got[place]), str(jax[place])))
    return Error(True, name, "", **measured)


def parts(array: np.ndarray) -> np.ndarray:
    """Complex numbers as their two parts in a last dimension, as the model has them; other arrays as they are."""
    return np.stack([array.real, array.imag], axis=-1) if array.dtype.kind == "c" else array


def _finfo(dtype: np.dtype) -> Any:
    """NumPy's `finfo`, including the types of ``ml_dtypes``."""
    try:
        return np.finfo(dtype)
    except ValueError:
        import ml_dtypes

        return ml_dtypes.finfo(dtype)


def _pattern(array: np.ndarray) -> np.ndarray:
    """0 for a number, 1 for NaN, 2 and 3 for the infinities."""
    return np.where(np.isnan(array), 1, np.where(array == np.inf, 2, np.where(array == -np.inf, 3, 0)))


def _apart(one: np.ndarray, other: np.ndarray, where: np.ndarray) -> np.ndarray:
    """The absolute differences of two arrays, and 0 outside of `where`."""
    return np.abs(np.where(where, one, 0) - np.where(where, other, 0))


def _ulps(difference: np.ndarray, exact: np.ndarray, epsilon: float, finite: np.ndarray) -> float:
    with np.errstate(divide="ignore", invalid="ignore"):
        unit = np.abs(exact) * epsilon
        return float(np.max(difference / unit, where=finite & (unit > 0), initial=0))


def _argmax(got: np.ndarray, jax: np.ndarray) -> tuple[int, int]:
    if got.ndim == 0 or got.shape[-1] < 2 or not got.size:
        return 0, 0
    rows = np.argmax(got, axis=-1) != np.argmax(jax, axis=-1)
    return int(np.sum(rows)), int(np.size(rows))


def _first(where: np.ndarray) -> tuple[int, ...]:
    return tuple(int(index) for index in np.unravel_index(int(np.argmax(where)), where.shape))
