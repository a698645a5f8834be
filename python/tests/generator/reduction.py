"""Reductions, windows and sorts."""

from __future__ import annotations

from typing import Any

import numpy as np

from .builder import Builder, Unfit, family, i64s
from .elementwise import select
from .program import Region, Type, Value

REDUCERS = {
    "f": ("add", "add", "maximum", "minimum", "multiply"),
    "i": ("add", "maximum", "minimum", "multiply", "and", "or", "xor"),
    "u": ("add", "maximum", "minimum", "multiply", "and", "or", "xor"),
    "b": ("and", "or", "xor"),
    "c": ("add", "multiply"),
}


def neutral(reducer: str, type: Type) -> Any:
    """The element that a reduction starts from."""
    if reducer in ("add", "or", "xor"):
        return 0
    if reducer == "multiply":
        return 1
    if type.kind == "b" or reducer == "and":
        return True if type.kind == "b" else np.array(-1).astype(type.dtype)
    least = reducer == "maximum"
    if type.kind == "f":
        return -np.inf if least else np.inf
    limits = np.iinfo(type.dtype)
    return limits.min if least else limits.max


@family(5)
def reduced(b: Builder) -> None:
    """Sums, products, extremes and bits."""
    value = b.pick(low=1)
    reducer = b.one(REDUCERS[value.type.kind])
    initial = neutral(reducer, value.type) if b.chance(0.9) else 1
    result = b.reduce(reducer, value, initial, b.some(b.axes(value)))
    if b.chance(0.3) and value.type.kind == "f" and reducer == "add":
        b.binary("divide", result, b.fill(max(value.type.size // max(result.type.size, 1), 1), result.type))


@family(1.5)
def placed(b: Builder) -> None:
    """The place of an extreme, as `jnp.argmax` prints it."""
    value = b.pick("fiu", low=1, fits=lambda type: 0 not in type.shape)
    axis = b.one(b.axes(value))
    index = Type(b.one(("i32", "i32", "i64", "ui32")), value.type.shape)
    places = b.op("iota", [], index, f"iota_dimension = {axis} : i64")
    larger = b.chance(0.5)
    scalar, place = value.type.shaped(()), index.shaped(())
    initial = b.held(neutral("maximum" if larger else "minimum", value.type), scalar)
    zero = b.held(0, place)
    with b.region([scalar, place, scalar, place], isolated=True) as body:
        one, at_one, other, at_other = body.arguments
        better = b.compare("GT" if larger else "LT", one, other)
        if value.type.kind == "f" and b.chance(0.8):
            better = b.binary("or", better, b.compare("NE", one, one))
        first = b.binary("and", b.compare("EQ", one, other), b.compare("LT", at_one, at_other))
        body.results = [select(b, better, one, other), select(b, b.binary("or", better, first), at_one, at_other)]
    kept = [size for place, size in enumerate(value.type.shape) if place != axis]
    types = [value.type.shaped(kept), index.shaped(kept)]
    b.ops_of("reduce", [value, places, initial, zero], types, f"dimensions = {i64s([axis])}", regions=[body])


def _window(b: Builder, type: Type, axes: list[int], dilated: bool) -> tuple[str, list[int]]:
    """The attributes of a window, and the sizes of its results."""
    rank = type.rank
    sizes, strides, base, dilation = [1] * rank, [1] * rank, [1] * rank, [1] * rank
    padding = [(0, 0)] * rank
    for axis in axes:
        sizes[axis], strides[axis] = b.one((1, 2, 2, 3)), b.one((1, 1, 2, 3))
        padding[axis] = (b.whole(0, 1), b.whole(0, 1))
        if dilated:
            base[axis], dilation[axis] = b.one((1, 1, 2)), b.one((1, 1, 2))
    result = []
    for axis, size in enumerate(type.shape):
        padded = max((size - 1) * base[axis] + 1, 0) + sum(padding[axis])
        window = (sizes[axis] - 1) * dilation[axis] + 1
        if padded < window or (size == 0 and not b.empty):
            raise Unfit
        result.append((padded - window) // strides[axis] + 1)
    attributes = f"window_dimensions = {i64s(sizes)}, window_strides = {i64s(strides)}"
    if dilated:
        attributes += f", base_dilations = {i64s(base)}, window_dilations = {i64s(dilation)}"
    pairs = [list(pair) for pair in padding]
    return f"{attributes}, padding = dense<{pairs}> : tensor<{rank}x2xi64>", result


@family(3)
def window(b: Builder) -> None:
    """Any window, also of two values."""
    value = b.pick("fiu", low=1, high=4, fits=lambda type: 0 not in type.shape)
    reducer = b.one(REDUCERS[value.type.kind][:4])
    initial = neutral(reducer, value.type) if b.chance(0.9) else 1
    pooled(b, value, reducer, initial, b.some(b.axes(value)), dilated=b.chance(0.3))


def pooled(b: Builder, value: Value, reducer: str, initial: Any, axes: list[int], *, dilated: bool) -> Value:
    """A reduction of windows along these dimensions."""
    attributes, result = _window(b, value.type, axes, dilated)
    scalar = value.type.shaped(())
    start = b.held(initial, scalar)
    with b.region([scalar, scalar], isolated=True) as body:
        body.results = [b.binary(reducer, *body.arguments)]
    return b.op("reduce_window", [value, start], value.type.shaped(result), attributes, regions=[body])


@family(1.5)
def cumulative(b: Builder) -> None:
    """Running sums, products and extremes, as JAX prints them on the CPU."""
    value = b.pick("fi", low=1, fits=lambda type: 0 not in type.shape)
    axis = b.one(b.axes(value))
    reducer = b.one(("add", "add", "multiply", "maximum", "minimum"))
    rank, size = value.type.rank, value.type.shape[axis]
    sizes = [size if place == axis else 1 for place in range(rank)]
    edge = [size - 1, 0] if b.chance(0.8) else [0, size - 1]
    padding = [edge if place == axis else [0, 0] for place in range(rank)]
    scalar = value.type.shaped(())
    start = b.held(neutral(reducer, value.type), scalar)
    with b.region([scalar, scalar], isolated=True) as body:
        body.results = [b.binary(reducer, *body.arguments)]
    attributes = f"window_dimensions = {i64s(sizes)}, padding = dense<{padding}> : tensor<{rank}x2xi64>"
    b.op("reduce_window", [value, start], value.type, attributes, regions=[body])


@family(0.8)
def scattered_to_windows(b: Builder) -> None:
    """The gradient of a max-pool."""
    value = _without_nan(b, b.pick("f", low=1, high=4, fits=lambda type: 0 not in type.shape))
    attributes, result = _window(b, value.type, b.some(b.axes(value)), dilated=False)
    source = b.like(value.type.shaped(result))
    scalar = value.type.shaped(())
    start = b.held(0, scalar)
    with b.region([scalar, scalar], isolated=True) as chosen:
        chosen.results = [b.compare(b.one(("GE", "GE", "GT", "LE")), *chosen.arguments)]
    with b.region([scalar, scalar], isolated=True) as added:
        added.results = [b.binary("add", *added.arguments)]
    b.op("select_and_scatter", [value, source, start], value.type, attributes, regions=[chosen, added])


@family(2)
def ordered(b: Builder) -> None:
    """Sorts of one or more values, by the first or by two of them."""
    value = b.pick("fiub", low=1)
    axis = b.one(b.axes(value))
    values = [value]
    if b.chance(0.5):
        type = Type(b.one(("i32", "f32", value.type.element)), value.type.shape)
        places = b.op("iota", [], type.of("i32"), f"iota_dimension = {axis} : i64") if type.element == "i32" else b.like(type)
        values.append(places)
    # With NaN only the total order is an order; without one the result is not specified (docs/semantics.md).
    total = value.type.kind == "f" and b.chance(0.5)
    values = [item if item.type.kind != "f" or (total and item is value) else _without_nan(b, item) for item in values]
    body = _order(b, [item.type.shaped(()) for item in values], total)
    attributes = f"dimension = {axis} : i64, is_stable = true"
    b.ops_of("sort", values, [item.type for item in values], attributes, regions=[body])


def _without_nan(b: Builder, value: Value) -> Value:
    return select(b, b.compare("EQ", value, value), value, b.fill(0, value.type))


def _order(b: Builder, types: list[Type], total: bool) -> Region:
    direction = b.one(("LT", "LT", "GT"))
    with b.region([type for type in types for _ in range(2)], isolated=True) as body:
        one, other = body.arguments[:2]
        kind = "TOTALORDER" if total else None
        if total:
            one, other = (_canonical(b, item) for item in (one, other))
        before = b.compare(direction, one, other, kind)
        if len(types) > 1 and b.chance(0.4):
            equal = b.compare("EQ", one, other, kind)
            before = select(b, equal, b.compare(direction, *body.arguments[2:4]), before)
        body.results = [before]
    return body


def _canonical(b: Builder, value: Value) -> Value:
    """Zeros without a sign and one NaN, as `lax.sort` compares."""
    zero = b.held(0, value.type)
    value = select(b, b.compare("EQ", value, zero), zero, value)
    return select(b, b.compare("NE", value, value), b.held(np.nan, value.type), value)


@family(1)
def largest(b: Builder) -> None:
    """The largest elements of rows."""
    value = b.pick("fi", low=1, fits=lambda type: type.shape[-1] > 0)
    count = b.whole(1, value.type.shape[-1])
    shape = (*value.type.shape[:-1], count)
    b.ops_of("chlo.top_k", [value], [value.type.shaped(shape), Type("i32", shape)], f"k = {count} : i64")


@family(0.7)
def normalized(b: Builder) -> None:
    """The batch norms of StableHLO."""
    value = b.pick("f", low=2, high=4, fits=lambda type: 0 not in type.shape)
    axis = value.type.rank - 1 if b.chance(0.6) else b.one(range(value.type.rank))
    features = value.type.shaped((value.type.shape[axis],))
    scale, offset = b.like(features), b.like(features)
    attributes = f"epsilon = 1.000000e-03 : f32, feature_index = {axis} : i64"
    if b.chance(0.6):
        mean, variance = b.like(features), b.unary("abs", b.like(features))
        b.op("batch_norm_inference", [value, scale, offset, mean, variance], value.type, attributes)
    else:
        b.ops_of("batch_norm_training", [value, scale, offset], [value.type, features, features], attributes)
    if value.type.size == 0:
        raise Unfit
