"""Ops that only move elements."""

from __future__ import annotations

import numpy as np

from .builder import Builder, Unfit, family, i64s
from .program import Type, Value


@family(4)
def reshaped(b: Builder) -> None:
    """Other sizes: merged, split, added or flat."""
    value = b.pick(low=1)
    shape = list(value.type.shape)
    places = [axis for axis in b.axes(value) if axis + 1 < len(shape)]
    how = b.one(("merge", "split", "add", "drop", "flat", "any"))
    if how == "merge":
        axis = b.one(places)
        shape[axis : axis + 2] = [shape[axis] * shape[axis + 1]]
    elif how == "split":
        axis = b.one([axis for axis in range(len(shape)) if shape[axis] in (4, 6, 8)])
        factor = b.one((2, shape[axis] // 2))
        shape[axis : axis + 1] = [factor, shape[axis] // factor]
    elif how == "add":
        shape.insert(b.whole(0, len(shape)), 1)
    elif how == "drop":
        shape.pop(b.one([axis for axis, size in enumerate(shape) if size == 1]))
    elif how == "flat" or 0 in shape:
        shape = [value.type.size]
    else:
        shape = _factors(b, value.type.size)
    b.reshape(value, shape)


def _factors(b: Builder, count: int) -> list[int]:
    shape = []
    while count > 1 and len(shape) < 4:
        factor = b.one([size for size in range(1, 10) if count % size == 0])
        shape.append(factor)
        count //= factor
    return b.shuffled([*shape, count])


@family(4)
def transposed(b: Builder) -> None:
    """Dimensions in another order."""
    value = b.pick(low=2)
    order = b.shuffled(range(value.type.rank))
    if value.type.rank == 4 and b.chance(0.5):
        order = list(b.one(((0, 2, 3, 1), (0, 3, 1, 2))))
    if b.batch and b.chance(0.8):
        order = [0, *(axis for axis in order if axis)]
    b.transpose(value, order)


@family(3)
def stretched(b: Builder) -> None:
    """Added dimensions, and those of size 1 made larger."""
    value = b.pick(high=3)
    shape: list[int] = []
    dims = []
    for size in value.type.shape:
        while b.chance(0.2):
            shape.append(b.size())
        dims.append(len(shape))
        shape.append(b.size() if size == 1 and b.chance(0.6) else size)
    while len(shape) < 5 and b.chance(0.3):
        shape.append(b.size())
    if len(shape) > 5:
        raise Unfit
    b.broadcast(value, shape, dims)


@family(3)
def sliced(b: Builder) -> None:
    """Regular parts."""
    value = b.pick(low=1)
    starts, limits, strides = [0] * value.type.rank, list(value.type.shape), [1] * value.type.rank
    for axis in b.some(b.axes(value)):
        starts[axis] = b.whole(0, value.type.shape[axis])
        limits[axis] = b.whole(starts[axis], value.type.shape[axis])
        strides[axis] = b.one((1, 1, 2, 3))
        if limits[axis] == starts[axis] and not b.empty:
            raise Unfit
    b.slice(value, starts, limits, strides)


@family(1.5)
def reversed_(b: Builder) -> None:
    """Dimensions read backwards."""
    value = b.pick(low=1)
    b.op("reverse", [value], value.type, f"dimensions = {i64s(b.some(b.axes(value)))}")


@family(3)
def padded(b: Builder) -> None:
    """Edges, also negative ones, and gaps."""
    value = b.pick(low=1)
    rank = value.type.rank
    low, high, inner = [0] * rank, [0] * rank, [0] * rank
    for axis in b.some(b.axes(value)):
        low[axis], high[axis] = b.whole(-1, 2), b.whole(-1, 2)
        inner[axis] = b.one((0, 0, 0, 1, 2))
    sizes = [
        size + max(size - 1, 0) * gap + before + after
        for size, gap, before, after in zip(value.type.shape, inner, low, high)
    ]
    if min(sizes) < (0 if b.empty else 1):
        raise Unfit
    scalar = value.type.shaped(())
    filler = b.held(0, scalar) if b.chance(0.6) else b.like(scalar)
    attributes = f"edge_padding_low = {i64s(low)}, edge_padding_high = {i64s(high)}, interior_padding = {i64s(inner)}"
    b.op("pad", [value, filler], value.type.shaped(sizes), attributes)


@family(3)
def concatenated(b: Builder) -> None:
    """Values one after the other."""
    value = b.pick(low=1)
    axis = b.one(b.axes(value))
    parts = [value]
    for _ in range(b.whole(1, 2)):
        shape = list(value.type.shape)
        shape[axis] = b.size() if b.chance(0.5) else shape[axis]
        parts.append(b.like(value.type.shaped(shape)))
    parts = b.shuffled(parts)
    shape = list(value.type.shape)
    shape[axis] = sum(part.type.shape[axis] for part in parts)
    b.op("concatenate", parts, value.type.shaped(shape), f"dimension = {axis} : i64")


@family(2)
def counted(b: Builder) -> None:
    """Positions along a dimension."""
    element = b.one(("i32", "i32", "f32", "i64", "ui8", "f64", "bf16", "ui32", "i16"))
    type = Type(element, b.shape(1, 3))
    b.op("iota", [], type, f"iota_dimension = {b.whole(0, type.rank - 1)} : i64")


def start(b: Builder, size: int, element: str, taken: int = 1) -> Value:
    """An index along a dimension: constant, an argument, or computed, and at times out of bounds."""
    bounds = (-2 if element[0] == "i" else 0, size + 2) if b.chance(0.3) else (0, max(size - taken, 0))
    number = np.asarray(b.whole(*bounds))
    type = Type(element)
    if b.chance(0.5):
        return b.held(number, type)
    known = [value for value in b.scope if value.type == type]
    if known and b.chance(0.5):
        return b.read(b.one(known))
    value = b.argument(type, "whole")
    if value in b.arguments:
        b.arguments[value] = number.astype(type.dtype)
    return value


@family(2)
def windowed(b: Builder) -> None:
    """A part at a computed place, read or written; the place is moved into bounds."""
    value = b.pick(low=1)
    element = b.one(("i32", "i32", "i64", "ui32"))
    sizes = list(value.type.shape)
    for axis in b.some(b.axes(value)):
        sizes[axis] = b.whole(0 if b.empty else 1, sizes[axis]) if sizes[axis] else 0
    starts = [start(b, size, element, taken) for size, taken in zip(value.type.shape, sizes)]
    part = value.type.shaped(sizes)
    if b.chance(0.5):
        b.op("dynamic_slice", [value, *starts], part, f"slice_sizes = {i64s(sizes)}")
    else:
        b.op("dynamic_update_slice", [value, b.like(part), *starts], value.type)


@family(1)
def masked(b: Builder) -> None:
    """Triangles and other masks of positions."""
    value = b.pick("fi", low=2)
    rank = value.type.rank
    positions = value.type.of("i32")
    rows = b.op("iota", [], positions, f"iota_dimension = {rank - 2} : i64")
    columns = b.op("iota", [], positions, f"iota_dimension = {rank - 1} : i64")
    if b.chance(0.5):
        rows = b.binary("add", rows, b.fill(b.whole(-2, 2), positions))
    mask = b.compare(b.one(("GE", "LT", "EQ", "GT")), rows, columns)
    b.op("select", [mask, value, b.fill(0, value.type)], value.type)
