"""Patterns that passes rewrite, as JAX and Flax print them, and programs that nearly are such patterns."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import numpy as np

from .builder import Builder, Unfit, family
from .contraction import convolved, dense
from .elementwise import select
from .program import Type, Value
from .reduction import pooled


class Pattern:
    """Ops of a pattern, of which one may be another than it should be."""

    def __init__(self, b: Builder, steps: int) -> None:
        self.b = b
        self.broken = b.whole(0, steps - 1) if b.chance(0.35) else -1
        self.step = 0

    def misses(self) -> bool:
        """Whether this step differs from the pattern."""
        self.step += 1
        return self.step - 1 == self.broken

    def number(self, number: float, type: Type) -> Value:
        """A constant of the pattern, which may be another."""
        if self.misses():
            number = self.b.one((number * 1.01 + 0.01, -number, number + 1.0, 0.0))
        return self.b.fill(number, type)

    def op(self, name: str, *operands: Value) -> Value:
        """An op of the pattern, which may have a sibling in its place."""
        siblings = {"add": "subtract", "subtract": "add", "multiply": "add", "maximum": "minimum", "exponential": "tanh"}
        siblings |= {"tanh": "logistic", "logistic": "tanh", "chlo.erf": "tanh", "divide": "multiply", "rsqrt": "sqrt"}
        if name in siblings and self.misses():
            name = siblings[name]
        return self.b.op(name, operands, operands[0].type)

    def commuted(self, name: str, left: Value, right: Value) -> Value:
        """An op whose operands are in any order."""
        return self.op(name, *((left, right) if self.b.chance(0.6) else (right, left)))


@contextlib.contextmanager
def module(b: Builder, name: str) -> Iterator[None]:
    """Ops of a module, as JAX names it in locations."""
    outer = b.path
    b.path = f"{outer or 'jit(main)/Model'}/{name}_{b.whole(0, 1)}"
    try:
        yield
    finally:
        b.path = outer


def rows(b: Builder, low: int = 2) -> Value:
    """A float of rows."""
    return b.pick("f", low=low, high=4, fits=lambda type: 0 not in type.shape and type.shape[-1] > 1)


def restored(b: Builder, value: Value, shape: Sequence[int], axes: Sequence[int]) -> Value:
    """What a reduction left, in the shape of its operand: with dimensions of size 1 in between, or without."""
    kept = [axis for axis in range(len(shape)) if axis not in axes]
    if b.chance(0.6):
        ones = [1 if axis in axes else size for axis, size in enumerate(shape)]
        value = b.broadcast(value, ones, kept)
        return b.broadcast(value, shape, range(len(shape)))
    return b.broadcast(value, shape, kept)


def mean(p: Pattern, value: Value, axes: Sequence[int]) -> Value:
    """The mean along dimensions, which remain with size 1 or are left out."""
    b = p.b
    total = b.reduce("add", value, 0, axes)
    count = int(np.prod([value.type.shape[axis] for axis in axes]))
    return b.binary("divide", total, p.number(count, total.type))


@family(2)
def softmax(b: Builder) -> None:
    """Softmax and its logarithm."""
    value = rows(b, low=1)
    p = Pattern(b, 6)
    axis = value.type.rank - 1 if b.chance(0.7) else b.one(b.axes(value))
    other = b.one(range(value.type.rank)) if p.misses() else axis
    shape = value.type.shape
    with module(b, "Softmax"):
        top = b.reduce("maximum", value, -np.inf, [axis])
        if b.chance(0.4):
            top = b.binary("maximum", b.fill(-np.inf, top.type), top)
        moved = p.op("subtract", value, restored(b, top, shape, [axis]))
        powers = p.op("exponential", moved)
        total = b.reduce("add", powers, 0, [other])
        if b.chance(0.6):
            p.op("divide", powers, restored(b, total, shape, [other]))
        else:
            b.binary("subtract", moved, restored(b, b.unary("log", total), shape, [other]))


@family(2.5)
def norm(b: Builder) -> None:
    """Layer norms, RMS norms, and those of groups and instances."""
    value = rows(b)
    p = Pattern(b, 8)
    shape, rank = value.type.shape, value.type.rank
    axes = [rank - 1] if b.chance(0.6) else b.some(b.axes(value))
    with module(b, "Norm"):
        centered = value
        if b.chance(0.7):
            center = mean(p, value, axes)
            if b.chance(0.4):
                # Flax's variance is the mean of the squares without the square of the mean.
                squares = mean(p, b.binary("multiply", value, value), axes)
                variance = p.op("subtract", squares, b.binary("multiply", center, center))
                if b.chance(0.7):
                    variance = b.binary("maximum", b.fill(0, variance.type), variance)
                centered = p.op("subtract", value, restored(b, center, shape, axes))
            else:
                centered = p.op("subtract", value, restored(b, center, shape, axes))
                variance = mean(p, b.binary("multiply", centered, centered), axes)
        else:
            variance = mean(p, b.binary("multiply", value, value), axes)
        shifted = p.commuted("add", variance, p.number(b.one((1e-5, 1e-6, 1e-3)), variance.type))
        scale = p.op("rsqrt", shifted)
        result = b.binary("multiply", centered, restored(b, scale, shape, axes))
        affine(p, result, axes if b.chance(0.8) else [b.one(range(rank))])
    if b.chance(0.15):
        # Something else reads a value inside the pattern.
        b.read(scale)
        b.binary("add", scale, scale)


def affine(p: Pattern, value: Value, axes: Sequence[int]) -> Value:
    """A scale and an offset along dimensions."""
    b = p.b
    for name in ("multiply", "add"):
        if b.chance(0.7):
            weights = value.type.shaped([value.type.shape[axis] for axis in axes])
            held = b.constant(weights, "normal") if b.chance(0.6) else b.like(weights)
            value = p.commuted(name, value, b.broadcast(held, value.type.shape, axes))
    return value


@family(2)
def gelu(b: Builder) -> None:
    """GELU by the error function, by its complement, or by a hyperbolic tangent."""
    x = b.pick("f")
    p = Pattern(b, 8)
    type = x.type
    form = b.one(("erf", "erfc", "tanh"))
    with module(b, "Gelu"):
        if form == "tanh":
            cube = b.binary("multiply", x, b.binary("multiply", x, x))
            if b.chance(0.5):
                cube = b.binary("multiply", b.binary("multiply", x, x), x)
            inner = p.commuted("add", x, b.binary("multiply", p.number(0.044715, type), cube))
            inner = p.commuted("multiply", p.number(0.7978845608028654, type), inner)
            weight = p.commuted("add", p.number(1, type), p.op("tanh", inner))
            weight = b.binary("multiply", p.number(0.5, type), weight)
            p.commuted("multiply", x, weight)
        elif form == "erf":
            root = b.binary("divide", x, p.number(1.4142135, type)) if b.chance(0.5) else None
            root = root or b.binary("multiply", x, p.number(0.70710678, type))
            weight = p.commuted("add", p.op("chlo.erf", root), p.number(1, type))
            half = b.binary("multiply", x, p.number(0.5, type))
            p.commuted("multiply", half, weight)
        else:
            negative = b.binary("multiply", b.unary("negate", x), p.number(0.70710678, type))
            half = p.commuted("multiply", p.number(0.5, type), x)
            p.commuted("multiply", half, b.unary("chlo.erfc", negative))


@family(2.5)
def activation(b: Builder) -> None:
    """SiLU, ReLU and their relatives."""
    x = b.pick("f")
    p = Pattern(b, 5)
    type = x.type
    zero = b.fill(0, type)
    form = b.one(("relu", "relu6", "leaky", "elu", "selu", "silu", "sigmoid", "softplus", "hard_swish", "mish", "softsign"))
    with module(b, "Act"):
        if form == "relu":
            p.commuted("maximum", x, p.number(0, type))
        elif form == "relu6":
            b.binary("minimum", p.commuted("maximum", x, zero), p.number(6, type))
        elif form in ("leaky", "elu", "selu"):
            positive = b.compare(b.one(("GT", "GE", "LT")), x, zero)
            slope = b.fill(b.one((0.01, 0.2, 1.67, -0.1)), type)
            low = b.binary("multiply", slope, x)
            if form != "leaky":
                safe = select(b, positive, zero, x) if b.chance(0.5) else x
                low = b.binary("multiply", slope, b.unary("exponential_minus_one", safe))
            result = select(b, positive, *((x, low) if not p.misses() else (low, x)))
            if form == "selu":
                b.binary("multiply", b.fill(1.05, type), result)
        elif form == "silu":
            p.commuted("multiply", x, p.op("logistic", x))
        elif form == "sigmoid":
            below = p.op("add", p.number(1, type), p.op("exponential", b.unary("negate", x)))
            b.binary("divide", p.number(1, type), below)
        elif form == "softplus":
            small = b.unary("log_plus_one", p.op("exponential", b.unary("negate", b.unary("abs", x))))
            p.commuted("add", p.commuted("maximum", x, zero), small)
        elif form == "hard_swish":
            bounded = p.op("maximum", b.binary("add", x, p.number(3, type)), zero)
            share = b.binary("divide", b.binary("minimum", bounded, p.number(6, type)), p.number(6, type))
            b.binary("multiply", x, share)
        elif form == "mish":
            b.binary("multiply", x, p.op("tanh", b.unary("log_plus_one", p.op("exponential", x))))
        else:
            p.op("divide", x, p.commuted("add", p.number(1, type), b.unary("abs", x)))


@family(2)
def image_layers(b: Builder) -> None:
    """Convolutions with biases, batch norms, activations and pools, with channels last or first."""
    value = b.pick("f", low=4, high=4, fits=lambda type: 0 not in type.shape and type.size <= 300)
    layout = "b01f" if b.chance(0.7) else "bf01"
    channel = layout.index("f")
    with module(b, "Block"):
        for _ in range(b.whole(1, 2)):
            value = convolved(b, value, layout, plain=True)
            # The output may be in another layout.
            if value.type.rank != 4 or 0 in value.type.shape:
                raise Unfit
            p = Pattern(b, 3)
            if b.chance(0.6):
                value = affine(p, value, [channel])
            if b.chance(0.3):
                features = value.type.shaped((value.type.shape[channel],))
                held = [b.constant(features, "normal"), b.constant(features, "unit")]
                center, scale = (b.broadcast(item, value.type.shape, [channel]) for item in held)
                value = affine(p, b.binary("multiply", b.binary("subtract", value, center), scale), [channel])
            if b.chance(0.6):
                value = b.binary("maximum", value, b.fill(0, value.type))
            if b.chance(0.5):
                value = pool(b, value, [axis for axis in range(1, 4) if axis != channel])


def pool(b: Builder, value: Value, axes: list[int]) -> Value:
    """A max-pool, or a mean of windows, of which each counts its elements or all count the same."""
    if b.chance(0.5):
        return pooled(b, value, "maximum", -np.inf, axes, dilated=b.chance(0.2))
    state = b.random.getstate()
    total = pooled(b, value, "add", 0, axes, dilated=False)
    if b.chance(0.5):
        return b.binary("divide", total, b.fill(b.one((4, 6, 9)), total.type))
    after = b.random.getstate()
    b.random.setstate(state)
    counts = pooled(b, b.fill(1, value.type), "add", 0, axes, dilated=False)
    b.random.setstate(after)
    return b.binary("divide", total, counts if counts.type == total.type else b.fill(4, total.type))


@family(1.5)
def attention(b: Builder) -> None:
    """Attention with heads, scales and masks, in JAX's order of dimensions."""
    element = b.one(("f32", "f32", "f32", "f64", "bf16"))
    batch, length, keys, heads, size = b.batch or b.whole(1, 2), b.whole(1, 4), b.whole(1, 4), b.whole(1, 3), b.whole(1, 4)
    p = Pattern(b, 4)
    query = b.like(Type(element, (batch, length, heads, size)))
    key = b.like(Type(element, (batch, keys, heads, size)))
    value = b.like(Type(element, (batch, keys, heads, size)))
    with module(b, "Attention"):
        if b.chance(0.5):
            query = b.binary("multiply", query, p.number(size**-0.5, query.type))
        numbers = "lhs_batching_dimensions = [0, 2], rhs_batching_dimensions = [0, 2], lhs_contracting_dimensions = [3]"
        scores_type = Type(element, (batch, heads, length, keys))
        scores = b.op(
            "dot_general",
            [query, key],
            scores_type,
            f"dot_dimension_numbers = #stablehlo.dot<{numbers}, rhs_contracting_dimensions = [3]>",
        )
        if b.chance(0.3):
            scores = b.binary("divide", scores, p.number(size**0.5, scores_type))
        if b.chance(0.4):
            mask = b.like(Type("i1", scores_type.shape))
            scores = select(b, mask, scores, b.fill(b.one((-1e9, -np.inf, 0)) if element != "f16" else -1e4, scores_type))
        elif b.chance(0.3):
            scores = b.binary("add", scores, b.like(scores_type))
        top = restored(b, b.reduce("maximum", scores, -np.inf, [3]), scores_type.shape, [3])
        powers = p.op("exponential", p.op("subtract", scores, top))
        total = restored(b, b.reduce("add", powers, 0, [3]), scores_type.shape, [3])
        weights = b.binary("divide", powers, total)
        # The weights may be the left or the right side.
        if b.chance(0.5):
            made = b.op(
                "dot_general",
                [value, weights],
                Type(element, (batch, heads, size, length)),
                "dot_dimension_numbers = #stablehlo.dot<lhs_batching_dimensions = [0, 2], rhs_batching_dimensions = [0, 1], "
                "lhs_contracting_dimensions = [1], rhs_contracting_dimensions = [3]>",
            )
            result = b.transpose(made, (0, 3, 1, 2))
        else:
            made = b.op(
                "dot_general",
                [weights, value],
                Type(element, (batch, heads, length, size)),
                "dot_dimension_numbers = #stablehlo.dot<lhs_batching_dimensions = [0, 1], rhs_batching_dimensions = [0, 2], "
                "lhs_contracting_dimensions = [3], rhs_contracting_dimensions = [1]>",
            )
            result = b.transpose(made, (0, 2, 1, 3))
        b.reshape(result, (batch, length, heads * size))


@family(1.5)
def layers(b: Builder) -> None:
    """Dense layers with activations, of which some are equal."""
    value = rows(b)
    if value.type.element not in ("f32", "f64", "f16"):
        raise Unfit
    with module(b, "Mlp"):
        for _ in range(b.whole(1, 3)):
            with module(b, "Dense"):
                value = dense(b, value, value.type.shape[-1] if b.chance(0.5) else b.whole(1, 5))
            value = b.unary("tanh", value) if b.chance(0.5) else b.binary("maximum", value, b.fill(0, value.type))

