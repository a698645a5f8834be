"""Random choices, and the scope in which ops find operands."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import numpy as np

from .program import COMPLEX, FLOATS, INTEGERS, Op, Program, Region, Type, Value, constant

T = TypeVar("T")

LARGEST = 600
"""The most elements of a value."""


class Unfit(Exception):
    """The scope has no operand that an op can take, or a choice is not valid; another op is tried."""


class Builder:
    """Adds ops to a block, whose operands are values of its scope."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.arrays = np.random.default_rng(seed)
        self.arguments: dict[Value, np.ndarray] = {}
        self.ops: list[Op] = []
        self.scope: list[Value] = []
        self.unread: set[Value] = set()
        self.path = ""
        self.depth = 0
        """How many regions are open."""
        self.special = self.chance(0.1)
        self.empty = self.chance(0.05)
        """Whether dimensions of size 0 occur."""
        self.batch = self.random.choice((2, 3, 6)) if self.chance(0.35) else None
        self.elements = self._elements()

    def _elements(self) -> list[str]:
        """The element types of a program, the more frequent ones several times."""
        if self.chance(0.45):
            return ["f32"] * 12 + ["i32", "i1"]
        if self.chance(0.15):
            return [*COMPLEX, *COMPLEX, "f32", "f64"]
        return ["f32"] * 8 + ["f64"] * 3 + ["i32"] * 3 + ["i1"] * 2 + list(FLOATS) + list(INTEGERS) + list(COMPLEX)

    # Choices.

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return self.random.random() < probability

    def one(self, choices: Sequence[T]) -> T:
        """One of several."""
        if not choices:
            raise Unfit
        return self.random.choice(choices)

    def whole(self, low: int, high: int) -> int:
        """A whole number of a closed range."""
        return self.random.randint(low, high)

    def some(self, choices: Sequence[T], least: int = 1, most: int | None = None) -> list[T]:
        """Several, in their order."""
        most = len(choices) if most is None else min(most, len(choices))
        if least > most:
            raise Unfit
        places = sorted(self.random.sample(range(len(choices)), self.whole(least, most)))
        return [choices[place] for place in places]

    def shuffled(self, choices: Sequence[T]) -> list[T]:
        """All, in another order."""
        return self.random.sample(list(choices), len(choices))

    def size(self) -> int:
        """The size of a dimension."""
        if self.empty and self.chance(0.12):
            return 0
        return self.random.choices((1, 2, 3, 4, 5, 7, 8), (2, 4, 4, 3, 2, 1, 1))[0]

    def shape(self, low: int = 0, high: int = 4) -> tuple[int, ...]:
        """The sizes of a value."""
        ranks = range(low, high + 1)
        rank = self.random.choices(ranks, [(2, 4, 6, 4, 2, 1)[rank] for rank in ranks])[0]
        shape = tuple(self.size() for _ in range(rank))
        if self.batch and rank and self.chance(0.8):
            shape = (self.batch, *shape[1:])
        return shape if np.prod(shape, dtype=int) <= LARGEST else shape[:2]

    def axes(self, value: Value) -> list[int]:
        """The dimensions that an op may mix: the rows of a batch rarely."""
        axes = list(range(value.type.rank))
        is_rows = self.batch is not None and axes and value.type.shape[0] == self.batch
        return axes[1:] if is_rows and self.chance(0.9) else axes

    def array(self, type: Type, regime: str | None = None) -> np.ndarray:
        """Random elements: ``normal``, ``unit`` (between 0 and 1), ``whole`` (small whole numbers), ``special`` or ``bits``."""
        regime = regime or ("special" if self.special and self.chance(0.6) else self.one(("normal", "normal", "unit", "whole")))
        shape, draw = type.shape, self.arrays
        if type.kind == "b":
            return draw.integers(0, 2, shape).astype(bool)
        if type.kind in "iu":
            return self._integers(type, regime)
        if type.kind == "c":
            part = Type("f32" if type.element == "complex<f32>" else "f64", shape)
            pair = np.stack([self.array(part, regime), self.array(part, regime)], axis=-1)
            return pair.view(type.dtype).reshape(shape)
        if regime == "unit":
            numbers = draw.uniform(0.05, 0.95, shape)
        elif regime == "whole":
            numbers = draw.integers(-4, 5, shape).astype(np.float64)
        else:
            numbers = draw.standard_normal(shape) * 1.5
        if regime == "special":
            points = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 0.5, 2.5, -2.5, 1e4, -1e4, 7.0, 3e9, -3e9])
            numbers = np.where(draw.random(shape) < 0.5, draw.choice(points, shape), numbers)
        with np.errstate(over="ignore"):
            return np.asarray(numbers).astype(type.dtype)

    def _integers(self, type: Type, regime: str) -> np.ndarray:
        limits = np.iinfo(type.dtype)
        if regime == "bits":
            return np.frombuffer(self.arrays.bytes(type.size * type.dtype.itemsize), type.dtype).reshape(type.shape).copy()
        if regime == "special":
            points = [limits.min, limits.max, limits.min + 1, limits.max - 1, 0, 1, 2, 7, limits.bits - 1, limits.bits]
            points += [-1, -2, -7] if type.kind == "i" else []
            return self.arrays.choice(np.array(points, type.dtype), type.shape)
        return self.arrays.integers(-5 if type.kind == "i" else 0, 10, type.shape).astype(type.dtype)

    # Values.

    def argument(self, type: Type, regime: str | None = None) -> Value:
        """A new argument of the program, or a constant within a function."""
        if self.depth or len(self.arguments) >= 6:
            return self.constant(type, regime)
        value = Value(type)
        self.arguments[value] = self.array(type, regime)
        self.scope.append(value)
        return value

    def constant(self, type: Type, regime: str | None = None) -> Value:
        """A constant of random elements."""
        return self.held(self.array(type, regime), type)

    def held(self, array: Any, type: Type) -> Value:
        """A constant of these elements; a scalar stands for all."""
        value = Value(type)
        with np.errstate(over="ignore"):
            self.ops.append(constant(value, np.broadcast_to(np.asarray(array).astype(type.dtype), type.shape)))
        return value

    def fill(self, number: Any, type: Type) -> Value:
        """A number for all elements, as JAX prints it: a scalar that is broadcast, or a constant."""
        if type.rank and self.chance(0.5):
            return self.broadcast(self.held(number, type.shaped(())), type.shape)
        return self.held(number, type)

    def broadcast(self, value: Value, shape: Sequence[int], dims: Sequence[int] = ()) -> Value:
        """The value in a larger shape."""
        return self.op("broadcast_in_dim", [value], value.type.shaped(shape), f"broadcast_dimensions = {i64s(dims)}")

    def pick(
        self, kinds: str = "fiubc", low: int = 0, high: int = 5, fits: Callable[[Type], bool] = lambda type: True
    ) -> Value:
        """A value of the scope, or a new argument."""

        def suits(type: Type) -> bool:
            return type.kind in kinds and low <= type.rank <= high and fits(type)

        if not self.chance(0.08):
            unread = [value for value in self.scope if value in self.unread and suits(value.type)]
            known = [value for value in self.scope if suits(value.type)]
            if unread and self.chance(0.7):
                return self.read(self.one(unread))
            if known:
                return self.read(self.one(known))
        for _ in range(12):
            type = Type(self.one(self.elements), self.shape(low, min(high, 4)))
            if suits(type):
                return self.argument(type)
        raise Unfit

    def read(self, value: Value) -> Value:
        """Marks a value as an operand."""
        self.unread.discard(value)
        return value

    def like(self, type: Type) -> Value:
        """A value of exactly this type."""
        known = [value for value in self.scope if value.type == type]
        if known and self.chance(0.55):
            return self.read(self.one(known))
        smaller = [value for value in self.scope if self._stretches(value.type, type)]
        if smaller and self.chance(0.4):
            value = self.read(self.one(smaller))
            offset = type.rank - value.type.rank
            return self.broadcast(value, type.shape, range(offset, type.rank))
        if self.chance(0.3):
            return self.fill(self.array(type.shaped(()))[()], type)
        if self.chance(0.4):
            return self.constant(type)
        return self.argument(type)

    def _stretches(self, small: Type, large: Type) -> bool:
        tail = large.shape[large.rank - small.rank :]
        return (
            small.element == large.element
            and small.rank <= large.rank
            and all(one in (1, size) for one, size in zip(small.shape, tail))
        )

    # Ops.

    def op(self, name: str, operands: Sequence[Value], result: Type, attributes: str = "", **more: Any) -> Value:
        """Adds an op of one result."""
        return self.ops_of(name, operands, [result], attributes, **more)[0]

    def ops_of(
        self,
        name: str,
        operands: Sequence[Value],
        results: Sequence[Type],
        attributes: str = "",
        regions: Sequence[Region] = (),
        function: Region | None = None,
    ) -> list[Value]:
        """Adds an op."""
        if any(type.size > LARGEST or type.rank > 6 for type in results):
            raise Unfit
        name = name if "." in name else f"stablehlo.{name}"
        values = [Value(type) for type in results]
        self.ops.append(Op(name, list(operands), values, attributes, list(regions), function, self.path))
        self.scope += values
        self.unread.update(values)
        return values

    def unary(self, name: str, value: Value) -> Value:
        """An op of one operand and its type."""
        return self.op(name, [value], value.type)

    def binary(self, name: str, left: Value, right: Value) -> Value:
        """An op of two operands and their type."""
        return self.op(name, [left, right], left.type)

    def convert(self, value: Value, element: str) -> Value:
        """The value in another element type."""
        return value if value.type.element == element else self.op("convert", [value], value.type.of(element))

    def compare(self, direction: str, left: Value, right: Value, kind: str | None = None) -> Value:
        """A comparison."""
        kinds = {"f": "FLOAT", "c": "FLOAT", "i": "SIGNED", "u": "UNSIGNED", "b": "UNSIGNED"}
        kind = kind or kinds[left.type.kind]
        attributes = (
            f"comparison_direction = #stablehlo<comparison_direction {direction}>, "
            f"compare_type = #stablehlo<comparison_type {kind}>"
        )
        return self.op("compare", [left, right], left.type.of("i1"), attributes)

    def reshape(self, value: Value, shape: Sequence[int]) -> Value:
        """The same elements in another shape."""
        return self.op("reshape", [value], value.type.shaped(shape))

    def transpose(self, value: Value, order: Sequence[int]) -> Value:
        """The dimensions in another order."""
        type = value.type.shaped([value.type.shape[axis] for axis in order])
        return self.op("transpose", [value], type, f"permutation = {i64s(order)}")

    def slice(self, value: Value, starts: Sequence[int], limits: Sequence[int], strides: Sequence[int]) -> Value:
        """Elements at regular distances."""
        sizes = [max(0, -(-(limit - start) // stride)) for start, limit, stride in zip(starts, limits, strides)]
        attributes = f"start_indices = {i64s(starts)}, limit_indices = {i64s(limits)}, strides = {i64s(strides)}"
        return self.op("slice", [value], value.type.shaped(sizes), attributes)

    def reduce(self, name: str, value: Value, initial: Any, axes: Sequence[int]) -> Value:
        """A reduction by an op of two operands."""
        kept = [size for axis, size in enumerate(value.type.shape) if axis not in axes]
        element = value.type.shaped(())
        start = self.held(initial, element)
        with self.region([element, element], isolated=True) as body:
            body.results = [self.binary(name, *body.arguments)]
        return self.op("reduce", [value, start], value.type.shaped(kept), f"dimensions = {i64s(axes)}", regions=[body])

    @contextlib.contextmanager
    def region(self, types: Sequence[Type], *, isolated: bool = False) -> Iterator[Region]:
        """A block to add ops to; an isolated one reads only its arguments."""
        body = Region([Value(type) for type in types])
        outer = self.ops, self.scope, self.unread, self.depth
        self.ops, self.depth = body.ops, self.depth + 1
        self.scope = [*([] if isolated else self.scope), *body.arguments]
        self.unread = set(body.arguments)
        try:
            yield body
        finally:
            self.ops, self.scope, self.unread, self.depth = outer

    @contextlib.contextmanager
    def attempt(self) -> Iterator[None]:
        """Forgets what was added if it turns out that an op does not fit."""
        count, known, unread, path = len(self.ops), len(self.scope), set(self.unread), self.path
        arguments = dict(self.arguments)
        try:
            yield
        except Unfit:
            del self.ops[count:]
            del self.scope[known:]
            self.unread, self.path, self.arguments = unread, path, arguments
            raise

    def program(self, results: Sequence[Value]) -> Program:
        """The program with these results."""
        return Program(dict(self.arguments), self.ops, list(results), self.special, self.batch).pruned()


def i64s(numbers: Sequence[int]) -> str:
    """An array attribute."""
    numbers = list(numbers)
    return f"array<i64: {', '.join(map(str, numbers))}>" if numbers else "array<i64>"


Family = Callable[[Builder], None]
FAMILIES: list[tuple[Family, float]] = []


def family(weight: float = 1.0) -> Callable[[Family], Family]:
    """Registers a function that adds ops."""

    def register(function: Family) -> Family:
        FAMILIES.append((function, weight))
        return function

    return register
