"""Programs as data, printed in MLIR's generic form."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from hlo2onnx._verification._values import dtype_of

FLOATS = ("f16", "bf16", "f32", "f64")
SIGNED = ("i8", "i16", "i32", "i64")
UNSIGNED = ("ui8", "ui16", "ui32", "ui64")
INTEGERS = SIGNED + UNSIGNED
COMPLEX = ("complex<f32>", "complex<f64>")
BITS = {"i1": 1, "bf16": 16, "complex<f32>": 64, "complex<f64>": 128} | {
    name: int(name.lstrip("uif")) for name in (*INTEGERS, "f16", "f32", "f64")
}


@dataclasses.dataclass(frozen=True)
class Type:
    """A ranked tensor of static size."""

    element: str
    shape: tuple[int, ...] = ()

    @property
    def rank(self) -> int:
        """The number of dimensions."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def kind(self) -> str:
        """``f`` for floats, ``i`` and ``u`` for integers, ``b`` for bool, ``c`` for complex numbers."""
        if self.element == "i1":
            return "b"
        return "u" if self.element.startswith("ui") else "f" if self.element == "bf16" else self.element[0]

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of elements in NumPy."""
        return dtype_of(self.element)

    def of(self, element: str) -> Type:
        """The same shape with other elements."""
        return Type(element, self.shape)

    def shaped(self, shape: Sequence[int]) -> Type:
        """The same elements in another shape."""
        return Type(self.element, tuple(int(size) for size in shape))

    def __str__(self) -> str:
        return f"tensor<{''.join(f'{size}x' for size in self.shape)}{self.element}>"


@dataclasses.dataclass(eq=False)
class Value:
    """A result of an op, or an argument."""

    type: Type


@dataclasses.dataclass(eq=False)
class Region:
    """A block with its arguments, and what its terminator returns."""

    arguments: list[Value]
    ops: list[Op] = dataclasses.field(default_factory=list)
    results: list[Value] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(eq=False)
class Op:
    """An op; `function` is what a call calls."""

    name: str
    operands: list[Value]
    results: list[Value]
    attributes: str = ""
    regions: list[Region] = dataclasses.field(default_factory=list)
    function: Region | None = None
    path: str = ""
    """The modules that the op belongs to, as JAX prints them in locations."""

    def reads(self) -> Iterator[Value]:
        """The operands, and what the regions read from outside."""
        yield from self.operands
        for region in self.regions:
            inner = set(region.arguments)
            for op in region.ops:
                yield from (value for value in op.reads() if value not in inner)
                inner.update(op.results)
            yield from (value for value in region.results if value not in inner)


@dataclasses.dataclass
class Program:
    """The entry function, with the arrays that it runs on."""

    arguments: dict[Value, np.ndarray]
    ops: list[Op]
    results: list[Value]
    special: bool = False
    """Whether NaN, infinities and the limits of types may occur, which need `strict_nan`."""
    batch: int | None = None
    """The size of the first dimension of arguments that is to be dynamic."""
    replaced: dict[Value, Value] = dataclasses.field(default_factory=dict)
    """Values that others stand in for."""

    def value(self, value: Value) -> Value:
        """What stands in for a value."""
        while value in self.replaced:
            value = self.replaced[value]
        return value

    def live(self) -> list[Op]:
        """The ops that the results need."""
        needed = {self.value(value) for value in self.results} - set(self.arguments)
        kept = []
        for op in reversed(self.ops):
            if needed.isdisjoint(op.results):
                continue
            kept.append(op)
            needed.update(self.value(value) for value in op.reads())
            needed.difference_update(self.arguments)
        return kept[::-1]

    def pruned(self) -> Program:
        """The program without ops and arguments that no result needs."""
        ops = self.live()
        read = {self.value(value) for op in ops for value in op.reads()} | {self.value(v) for v in self.results}
        arguments = {value: array for value, array in self.arguments.items() if value in read}
        return dataclasses.replace(self, arguments=arguments, ops=ops)

    def inputs(self) -> list[np.ndarray]:
        """The arrays for the arguments."""
        return list(self.arguments.values())

    def text(self, *, constants: bool = False, rewritten: bool = False, roundings: int | None = None) -> str:
        """The program in MLIR's generic form.

        If requested, its arguments are constants, it leaves out ops that XLA computes wrongly, or a seed changes the results of
        rounded ops in their last bit.
        """
        draw = None if roundings is None else np.random.default_rng(roundings)
        return _Printer(self, REWRITTEN if rewritten else {}, draw).module(constants)


# docs/semantics.md, where XLA is wrong: sums of booleans.
REWRITTEN = {("stablehlo.add", "i1"): "stablehlo.or"}
"""Ops with the same meaning as others, which XLA computes wrongly, by name and element type."""


EXACT = ("abs", "negate", "sign", "floor", "ceil", "round_nearest_even", "round_nearest_afz", "maximum", "minimum", "clamp")
EXACT += ("constant", "iota", "broadcast_in_dim", "reshape", "transpose", "slice", "reverse", "pad", "concatenate", "gather")
EXACT += ("dynamic_slice", "dynamic_update_slice", "select", "sort", "real", "imag", "complex", "bitcast_convert", "if", "case")
EXACT += ("while", "optimization_barrier", "reduce_precision", "is_finite", "rng_bit_generator")
"""Ops of StableHLO that round nothing, whatever the types."""


class _Printer:
    def __init__(
        self, program: Program, rewritten: dict[tuple[str, str], str], draw: np.random.Generator | None = None
    ) -> None:
        self.program = program
        self.rewritten = rewritten
        self.draw = draw
        """What decides how results are rounded."""
        self.names: dict[Value, str] = {}
        self.functions: dict[int, tuple[str, Region]] = {}
        self.lines: list[str] = []

    def name(self, value: Value) -> str:
        return self.names[self.program.value(value)]

    def define(self, values: Sequence[Value]) -> list[str]:
        for value in values:
            self.names[value] = f"%v{len(self.names)}"
        return [self.names[value] for value in values]

    def module(self, constants: bool) -> str:
        program = self.program
        entry = Region([] if constants else list(program.arguments), program.ops, program.results)
        given = [constant(value, array) for value, array in program.arguments.items()] if constants else []
        self.function("public @main", entry, given)
        done = 0
        while done < len(self.functions):
            name, region = list(self.functions.values())[done]
            done += 1
            self.function(f"private @{name}", region, [])
        return "\n".join(self.lines) + "\n"

    def function(self, head: str, region: Region, first: Sequence[Op]) -> None:
        arguments = ", ".join(f"{name}: {v.type}" for name, v in zip(self.define(region.arguments), region.arguments))
        results = ", ".join(str(self.program.value(value).type) for value in region.results)
        self.lines.append(f"func.func {head}({arguments}) -> ({results}) {{")
        for op in (*first, *region.ops):
            self.op(op, "  ")
            self.round(op, "  ")
        self.terminator("func.return", region, "  ")
        self.lines.append("}")

    def terminator(self, name: str, region: Region, indent: str) -> None:
        types = ", ".join(str(self.program.value(value).type) for value in region.results)
        self.lines.append(f'{indent}"{name}"({", ".join(map(self.name, region.results))}) : ({types}) -> ()')

    def op(self, op: Op, indent: str) -> None:
        operands = [self.program.value(value) for value in op.operands]
        names = ", ".join(self.names[value] for value in operands)
        attributes = op.attributes
        if op.function is not None:
            name, _ = self.functions.setdefault(id(op.function), (f"f{len(self.functions)}", op.function))
            attributes = f"callee = @{name}"
        shown = self.rewritten.get((op.name, op.results[0].type.element), op.name) if op.results else op.name
        head = f'"{shown}"({names})' + (f" <{{{attributes}}}>" if attributes else "")
        types = f"({', '.join(str(v.type) for v in operands)}) -> ({', '.join(str(v.type) for v in op.results)})"
        where = f' loc("{op.path}")' if op.path else ""
        results = ", ".join(self.define(op.results))
        head = f"{indent}{results} = {head}" if results else f"{indent}{head}"
        if not op.regions:
            self.lines.append(f"{head} : {types}{where}")
            return
        self.lines.append(f"{head} ({{")
        for place, region in enumerate(op.regions):
            if place:
                self.lines.append(f"{indent}}}, {{")
            named = zip(self.define(region.arguments), region.arguments)
            self.lines.append(f"{indent}^bb0({', '.join(f'{name}: {value.type}' for name, value in named)}):")
            for inner in region.ops:
                self.op(inner, f"{indent}  ")
                if op.name in ("stablehlo.if", "stablehlo.case", "stablehlo.while"):
                    self.round(inner, f"{indent}  ")
            self.terminator("stablehlo.return", region, f"{indent}  ")
        self.lines.append(f"{indent}}}) : {types}{where}")

    def round(self, op: Op, indent: str) -> None:
        """Changes the results of a rounded op in their last bit."""
        if self.draw is None or op.name in ("func.call", "chlo.top_k", *(f"stablehlo.{name}" for name in EXACT)):
            return
        for value in op.results:
            if value.type.element not in (*FLOATS, *COMPLEX):
                continue
            epsilon = _epsilon(value.type.element)
            factor = np.full(value.type.shape, 1 + self.draw.choice((-epsilon, epsilon))).astype(value.type.dtype)
            self.op(scale := constant(Value(value.type), factor), indent)
            name, other, type = self.names[value], self.names[scale.results[0]], value.type
            self.names[value] = f"{name}r"
            self.lines.append(f'{indent}{name}r = "stablehlo.multiply"({name}, {other}) : ({type}, {type}) -> ({type})')


def _epsilon(element: str) -> float:
    return {"f16": 2.0**-10, "bf16": 2.0**-7, "f32": 2.0**-23, "complex<f32>": 2.0**-23}.get(element, 2.0**-52)


def constant(value: Value, array: np.ndarray) -> Op:
    """An op that defines a value as a constant."""
    return Op("stablehlo.constant", [], [value], f"value = {literal(array, value.type)}")


def literal(array: np.ndarray, type: Type) -> str:
    """A dense literal with the bits of an array."""
    array = np.asarray(array)
    first = array.ravel()[0] if array.size else None
    if array.size == 0:
        return f"dense<> : {type}"
    if array.size > 1 and array.tobytes() == np.full_like(array, first).tobytes():
        return f"dense<{_number(first, type)}> : {type}"
    return f"dense<{_nested(array, type)}> : {type}"


def _nested(array: np.ndarray, type: Type) -> str:
    if array.ndim == 0:
        return _number(array[()], type)
    return f"[{', '.join(_nested(part, type) for part in array)}]"


def _number(number: Any, type: Type) -> str:
    if type.kind == "b":
        return "true" if number else "false"
    if type.kind in "iu":
        return str(int(number))
    if type.kind == "c":
        part = Type("f32" if type.element == "complex<f32>" else "f64")
        return f"({_number(number.real, part)}, {_number(number.imag, part)})"
    bits = np.asarray(number, type.dtype).view(f"u{type.dtype.itemsize}")
    return f"0x{int(bits):0{2 * type.dtype.itemsize}X}"
