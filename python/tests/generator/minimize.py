"""A smaller program that still differs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np

from .check import Outcome, Reference, Unusable, Variant, outcome
from .program import Op, Program, Region, Value

ATTEMPTS = 150
"""How many programs are tried."""


def minimize(program: Program, variant: Variant, kind: str) -> tuple[Program, Outcome]:
    """The smallest program found whose outcome is of the same kind."""
    best = program
    found = _outcome(program, variant)
    left = ATTEMPTS
    progress = True
    while progress and left > 0:
        progress = False
        for smaller in _smaller(best):
            left -= 1
            if left < 0:
                break
            result = _outcome(smaller, variant)
            if result is not None and result.kind == kind:
                best, found, progress = smaller, result, True
                break
    return best, found or Outcome(variant, kind)


def _outcome(program: Program, variant: Variant) -> Outcome | None:
    try:
        return outcome(Reference(program), variant)
    except (Unusable, ValueError, KeyError):
        # A change made the program invalid.
        return None


def _smaller(program: Program) -> Iterator[Program]:
    """Programs with fewer results, or with one op less."""
    if len(program.results) > 1:
        for value in program.results:
            yield dataclasses.replace(program, results=[value]).pruned()
    # The last op alone, on the values that XLA computes for its operands.
    for cut in (_cut_before_half(program), *(_cut(program, [op]) for op in program.ops)):
        if cut is not None and len(cut.ops) < len(program.ops):
            yield cut
    for op in reversed(program.ops):
        for operand in op.operands:
            for result in op.results:
                if operand.type == result.type and len(op.results) == 1:
                    replaced = {**program.replaced, result: program.value(operand)}
                    yield dataclasses.replace(program, replaced=replaced).pruned()
    for op in program.ops:
        # The bodies of reductions must stay associative.
        if op.function is not None or op.name in ("stablehlo.if", "stablehlo.case", "stablehlo.while"):
            for region in op.regions if op.function is None else [op.function]:
                yield from _in_region(program, region)


def _cut_before_half(program: Program) -> Program | None:
    ops = [op for op in program.ops if op.name != "stablehlo.constant"]
    return _cut(program, ops[: len(ops) // 2]) if len(ops) > 3 else None


def _cut(program: Program, ops: list[Op]) -> Program | None:
    """The program with the results of ops as arguments, which have XLA's values."""
    values = [program.value(value) for op in ops for value in op.results]
    values = [value for value in values if value not in program.arguments]
    if not values or set(values) & {program.value(value) for value in program.results}:
        return None
    arrays = _evaluate(program, values)
    if arrays is None:
        return None
    return dataclasses.replace(program, arguments={**program.arguments, **arrays}).pruned()


def _evaluate(program: Program, values: list[Value]) -> dict[Value, np.ndarray] | None:
    try:
        reference = Reference(dataclasses.replace(program, results=values).pruned())
    except (Unusable, ValueError, KeyError):
        return None
    return dict(zip(values, reference.results))


def _in_region(program: Program, region: Region) -> Iterator[Program]:
    """Programs in which an op of a region passes an operand on."""
    for op in reversed(region.ops):
        for operand in op.operands:
            if len(op.results) == 1 and operand.type == op.results[0].type and op.results[0] not in program.replaced:
                yield dataclasses.replace(program, replaced={**program.replaced, op.results[0]: program.value(operand)})
