"""Compares the results of a model with the expected ones.

The rules are those of tests/support/compare.rs for fixtures, and those of the kit for its suites.
"""

from __future__ import annotations

from collections.abc import Callable

import ml_dtypes
import numpy as np

Check = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Which elements of the actual array are within the tolerance of the expected one; both are of a wide type."""

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)


def key(dtype: np.dtype) -> str:
    """The float type that decides a tolerance: that of its parts for a complex one."""
    return {"complex64": "float32", "complex128": "float64"}.get(dtype.name, dtype.name)


def pairs(array: np.ndarray) -> np.ndarray:
    """Complex numbers as pairs of real ones, which models have."""
    return np.stack([array.real, array.imag], -1)


def within(absolute: float, relative: float) -> Check:
    """At most `absolute + relative * |expected|` off; NaN equals NaN, and infinities equal only themselves."""

    def check(actual: np.ndarray, expected: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            near = np.abs(actual - expected) <= absolute + relative * np.abs(expected)
        same = (actual == expected) | (np.isnan(actual) & np.isnan(expected))
        return same | (np.isfinite(expected) & near)

    return check


def largest(expected: np.ndarray) -> float:
    """The largest finite magnitude."""
    magnitudes = np.abs(expected.astype(np.complex128 if expected.dtype.kind == "c" else np.float64))
    return float(magnitudes[np.isfinite(magnitudes)].max(initial=0.0))


def of_op(expected: np.ndarray, relative: float | None, absolute: float | None) -> Check:
    """The tolerance of one op."""
    bounds = {"float64": (1e-9, 1e-9), "float16": (1e-2, 1e-2), "bfloat16": (3e-2, 3e-2)}
    default = bounds.get(key(expected.dtype), (1e-5, 1e-4))
    return within(default[0] if absolute is None else absolute, default[1] if relative is None else relative)


def of_model(expected: np.ndarray) -> Check:
    """The tolerance of a whole model, whose absolute part is in units of the largest expected value."""
    bounds = {"float64": (1e-9, 1e-9), "float16": (4e-3, 1e-2), "bfloat16": (3e-2, 5e-2)}
    absolute, relative = bounds.get(key(expected.dtype), (1e-4, 1e-3))
    return within(absolute * largest(expected), relative)


def of_kit(check: dict, expected: np.ndarray) -> Check:
    """The tolerance that a manifest of the kit states."""
    if check["kind"] == "scaled":
        return within(check["atol"] * largest(expected) + 1e-7, check["rtol"])
    if check["kind"] == "allclose":
        least = {"bfloat16": 1e-2, "float16": 2e-3}.get(key(expected.dtype), 0.0)
        return within(max(check["atol"], least), max(check["rtol"], least))
    raise ValueError(f"a check of the kind `{check['kind']}`")


def compare(actual: np.ndarray, expected: np.ndarray, check: Check, narrow: bool) -> str | None:
    """Why a result is wrong, if it is.

    bfloat16 arrives as float32, and the results of a `narrow` runtime
    in the nearest type that it has, so that doubles have the tolerance of f32, and uint32 arrives as the bits of int32.
    """
    if expected.dtype.kind == "c" and actual.dtype.kind != "c":
        expected = pairs(expected)
    carried = np.dtype(np.float32) if expected.dtype == BFLOAT16 else expected.dtype
    if not narrow and actual.dtype != carried:
        return f"type: {actual.dtype}, expected {carried}"
    if narrow and expected.dtype == np.uint32 and actual.dtype == np.int32:
        actual = actual.view(np.uint32)
    if actual.shape != expected.shape:
        return f"shape: {list(actual.shape)}, expected {list(expected.shape)}"
    if expected.dtype.kind in "biu":
        good = actual == expected
    else:
        if narrow and expected.dtype == np.float64 and actual.dtype == np.float32:
            check = of_op(actual, None, None)
        wide = np.complex128 if expected.dtype.kind == "c" else np.float64
        with np.errstate(all="ignore"):
            actual, expected = actual.astype(wide), expected.astype(wide)
        good = check(actual, expected)
    if good.all():
        return None
    first = tuple(int(i) for i in np.argwhere(~good)[0])
    found = f"{int((~good).sum())} of {good.size} elements"
    return f"value: {found}, first at {list(first)}: {actual[first]}, expected {expected[first]}"
