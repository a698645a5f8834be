"""The variants of a conversion, each run in ONNX Runtime and compared with XLA."""

from __future__ import annotations

import dataclasses
import functools
import json
import random
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import onnx
from jax._src import compiler
from jax._src.interpreters import mlir
from jax._src.lib.mlir import ir

from hlo2onnx import _native
from hlo2onnx._conversion import precision
from hlo2onnx._options import Options
from hlo2onnx._verification._errors import compare, parts
from hlo2onnx._verification._reference import Executable, _extension, _for_shapes
from hlo2onnx._verification._runtime import Runner, first_line
from hlo2onnx._verification._values import as_double
from hlo2onnx._verification._verify import nudge

from .program import Program

Arrays = list[np.ndarray]
Evaluation = Callable[[Callable[[Arrays], Arrays]], Arrays]
"""The expected results of a model, from a function that runs the program."""

INTERNAL = "E0115"
"""The code of a module that a pass left invalid: the only one that no program may cause."""
NAN_DROPPED = {"A0604", "A0610"}
"""Advice that the model may treat NaN otherwise than XLA; `strict_nan` has none of it."""
REDUCED = "W0501"
"""The warning that an op is computed with less precision than the program has."""
OPTIONAL_PASSES = ("fuse", "layout", "canonicalize", "simplify_reductions", "tree_reduction", "conv_fusions")


@dataclasses.dataclass(frozen=True)
class Variant:
    """How a program is converted, and how its model runs."""

    name: str
    options: tuple[tuple[str, Any], ...] = ()
    skip: tuple[str, ...] = ()
    constants: bool = False
    """Whether the arguments are constants, so that the compiler computes all results."""
    generic: bool = False
    """Whether the text is in MLIR's generic form."""
    optimized: bool = True
    """Whether ONNX Runtime optimizes the model."""
    dynamic: bool = False
    """Whether the rows of the batch are dynamic; the model runs with one row more."""


DEFAULT = Variant("default")


def variants(program: Program, seed: int) -> list[Variant]:
    """The default, and a choice of others."""
    choice = random.Random(seed)
    opsets = [Variant(f"opset {opset}", (("opset", opset),)) for opset in range(18, 27)]
    skipped = [Variant(f"without {name}", skip=(name,)) for name in OPTIONAL_PASSES]
    others = [
        *choice.sample(opsets, 2),
        Variant("not optimized", optimized=False),
        Variant("without fuse and layout", skip=("fuse", "layout")),
        choice.choice(skipped),
        Variant("constants", constants=True),
        Variant("functions", (("keep_functions", True),)),
        Variant("generic", generic=True),
        Variant("strict NaN", (("strict_nan", True),)),
    ]
    if program.batch:
        # They are rarer, and so they are always run.
        return [DEFAULT, Variant("dynamic", dynamic=True), *choice.sample(others, 3)]
    return [DEFAULT, *choice.sample(others, 4)]


@dataclasses.dataclass(frozen=True)
class Outcome:
    """The outcome of one variant."""

    variant: Variant
    kind: str
    """``agrees``, ``simplified`` (agrees with XLA without its algebraic simplifications), ``rounded`` (differs as much as a
    change of intermediate values in their last bit), ``refused``, ``skipped`` (XLA cannot tell), or one of the kinds of
    failures: ``differs``, ``panic``, ``internal``, ``invalid`` (for ONNX's checker), ``runtime`` (ONNX Runtime refuses or
    fails)."""
    detail: str = ""

    @property
    def failed(self) -> bool:
        """Whether it is a failure."""
        return self.kind not in ("agrees", "simplified", "rounded", "refused", "skipped")


class Unusable(Exception):
    """XLA cannot run a program."""


class Reference:
    """A program in XLA: as it is, with inputs that differ in their last bit, and in 64 bits."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.text = pretty(program.text(rewritten=True))
        try:
            self.executable = Executable(self.text, program.inputs())
            self.results = self.run(program.inputs())
        except Exception as error:
            raise Unusable(first_line(error)) from error

    def run(self, arrays: Arrays) -> Arrays:
        """The results."""
        return self.executable(arrays)

    @functools.cached_property
    def literal(self) -> Callable[[Arrays], Arrays]:
        """The program without XLA's algebraic simplifications, of which some change results: those of ``x / pow(x, y)``."""
        options = compiler.get_compile_options(
            num_replicas=1, num_partitions=1, env_options_overrides={"xla_disable_hlo_passes": "algsimp"}
        )
        device = jax.devices("cpu")[0]
        code = _for_shapes(self.text, self.program.inputs())
        executable = device.client.compile_and_load(code, _extension().DeviceList((device,)), options)
        return lambda arrays: [np.asarray(r) for r in executable.execute([_held(array, device) for array in arrays])]

    @functools.cached_property
    def double(self) -> Callable[[Arrays], Arrays] | None:
        """The program in 64 bits, if it can run in them."""
        request = {**Options()._request(), "value_map": True}
        try:
            converted = _native.convert_text(("program.mlir", self.text.encode()), request, None)
            text, _ = converted.values.program([], double=True)
            executable = Executable(text, [as_double(array) for array in self.program.inputs()])
        except Exception:
            # The verdict then rests on the program as it is.
            return None
        return lambda arrays: executable([as_double(array) for array in arrays])

    @functools.cached_property
    def rounded(self) -> list[Callable[[Arrays], Arrays]]:
        """The program with other roundings of intermediate values."""
        texts = [pretty(self.program.text(rewritten=True, roundings=seed)) for seed in range(4)]
        return [Executable(text, self.program.inputs()) for text in texts]

    def problems(
        self,
        run: Callable[[Arrays], Arrays],
        got: Arrays,
        evaluation: Evaluation,
        epsilon: float | None,
        *,
        rounded: bool = False,
    ) -> str:
        """How the results of a model differ, or an empty string."""
        wanted = evaluation(run)
        if len(got) != len(wanted):
            return f"{len(got)} results for {len(wanted)}"
        for index, (array, expected) in enumerate(zip(got, map(parts, wanted))):
            if array.dtype != expected.dtype:
                return f"result {index} is {array.dtype}, expected {expected.dtype}"
        if not _different(got, wanted, None, [], epsilon):
            return ""
        exact = evaluation(self.double) if self.double else None
        nudged = [evaluation(_nudged(run, seed)) for seed in range(4)]
        if rounded:
            nudged += [evaluation(other) for other in self.rounded]
        return _different(got, wanted, exact, nudged, epsilon)


def _different(got: Arrays, wanted: Arrays, exact: Arrays | None, nudged: list[Arrays], epsilon: float | None) -> str:
    for index, (array, expected) in enumerate(zip(got, wanted)):
        nearly = exact[index] if exact else None
        with np.errstate(all="ignore"):
            error = compare(f"result {index}", array, expected, nearly, [other[index] for other in nudged], epsilon)
        if not error.ok:
            place, mine, other = error.example or ((), "", "")
            return f"{error.name}: {error.why}; at {list(place)}: {mine}, expected {other}"
    return ""


def _nudged(run: Callable[[Arrays], Arrays], seed: int) -> Callable[[Arrays], Arrays]:
    """The program on inputs that differ in their last bit."""
    draw = np.random.default_rng(seed)
    return lambda arrays: run([nudge(array, draw) for array in arrays])


def _held(array: np.ndarray, device: Any) -> Any:
    with precision(True):
        return jax.device_put(np.asarray(array, order="C"), device)


@functools.cache
def _context() -> Any:
    return mlir.make_ir_context()


def pretty(text: str) -> str:
    """A text as JAX prints it, which MLIR has verified."""
    with _context(), ir.Location.unknown():
        return str(ir.Module.parse(text).operation.get_asm(enable_debug_info=True))


def outcome(reference: Reference, variant: Variant) -> Outcome:
    """Runs one variant."""
    found = _outcome(reference, variant, reference.program.special)
    if found.kind != "differs" or not found.detail.startswith(NOT_STRICT):
        return found
    # The advice holds if the exact form agrees.
    strict = _outcome(reference, variant, True)
    return strict if strict.failed else Outcome(variant, "agrees", "with strict NaN")


NOT_STRICT = "(NaN is not strict) "


def _outcome(reference: Reference, variant: Variant, strict: bool) -> Outcome:
    program = reference.program
    options = dict(variant.options)
    if variant.dynamic:
        batched = [place for place, array in enumerate(program.arguments) if array.type.shape[:1] == (program.batch,)]
        if not batched:
            return Outcome(variant, "skipped", "there is no batch")
        options["dynamic"] = [f"arg{place}:0=batch" for place in batched]
    if strict:
        options["strict_nan"] = True
    request = {**Options(**options)._request(), "skip_passes": list(variant.skip)}
    text = program.text(constants=variant.constants)
    if not variant.generic:
        text = pretty(text)
    try:
        converted = _native.convert_text(("program.mlir", text.encode()), request, None)
    except BaseException as error:
        # PyO3's exception for panics is no `Exception`.
        if type(error).__name__ != "PanicException":
            raise
        return Outcome(variant, "panic", first_line(error))
    codes = {found["code"] for found in json.loads(converted.diagnostics)["diagnostics"]}
    if converted.model is None:
        errors = sorted(code for code in codes if code.startswith("E"))
        if not errors or INTERNAL in errors:
            return Outcome(variant, "internal", converted.text.strip())
        return Outcome(variant, "refused", " ".join(errors))
    model = onnx.load_model_from_string(converted.model)
    try:
        onnx.checker.check_model(model, full_check=True)
        onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
    except Exception as error:
        return Outcome(variant, "invalid", str(error).strip()[:600])
    if variant.dynamic and any(size not in ("", "batch") for value in model.graph.input for size in _sizes(value)):
        return Outcome(variant, "skipped", "an input has several rows for each of the batch")
    inputs = [] if variant.constants else program.inputs()
    evaluation: Evaluation = lambda run: run(program.inputs())  # noqa: E731
    if variant.dynamic:
        inputs, evaluation = _longer(program, model)
    try:
        runner = Runner(converted.model, optimized=variant.optimized)
        got = runner(dict(zip((value.name for value in model.graph.input), map(parts, inputs))))
    except Exception as error:
        return Outcome(variant, "runtime", str(error).strip()[:600])
    epsilon = float(np.finfo(np.float32).eps) if REDUCED in codes else None
    problem = reference.problems(reference.run, got, evaluation, epsilon)
    if not problem:
        return Outcome(variant, "agrees")
    if not reference.problems(reference.literal, got, evaluation, epsilon):
        return Outcome(variant, "simplified", problem)
    if not reference.problems(reference.run, got, evaluation, epsilon, rounded=True):
        return Outcome(variant, "rounded", problem)
    return Outcome(variant, "differs", (NOT_STRICT if codes & NAN_DROPPED else "") + problem)


def _longer(program: Program, model: Any) -> tuple[Arrays, Evaluation]:
    """Inputs with one row more, and what the program computes for these rows: it runs on two overlapping batches."""
    first, second, inputs = [], [], []
    for array, value in zip(program.inputs(), model.graph.input):
        axes = [axis for axis, size in enumerate(_sizes(value)) if size == "batch"]
        first.append(array)
        second.append(array)
        inputs.append(array)
        for axis in axes:
            front, back = np.split(second[-1], [1], axis)
            second[-1] = np.concatenate([back, front], axis)
            inputs[-1] = np.concatenate([inputs[-1], np.take(inputs[-1], [0], axis)], axis)

    def evaluation(run: Callable[[Arrays], Arrays]) -> Arrays:
        results = zip(model.graph.output, run(first), run(second))
        return [_joined(_sizes(value), one, other, program.batch or 1) for value, one, other in results]

    return inputs, evaluation


def _sizes(value: Any) -> list[str]:
    return [size.dim_param for size in value.type.tensor_type.shape.dim]


def _same(one: np.ndarray, other: np.ndarray) -> bool:
    return np.array_equal(one.astype(np.complex128), other.astype(np.complex128), equal_nan=True)


def _joined(sizes: list[str], one: np.ndarray, other: np.ndarray, batch: int) -> np.ndarray:
    """The rows of a result, and the last row of it for other rows. A dimension may hold each row several times."""
    for axis, size in enumerate(sizes):
        if not size:
            continue
        times = one.shape[axis] // batch
        before, after = one.shape[:axis], one.shape[axis + 1 :]
        # A merged dimension has the rows outside, inside or in between; overlapping rows tell.
        for outer in (outer for outer in range(1, max(times, 1) + 1) if times % outer == 0):
            merged = (*before, outer, batch, times // outer, *after)
            first, second = one.reshape(merged), other.reshape(merged)
            kept, shifted = (np.moveaxis(array, axis + 1, 0) for array in (first, second))
            if outer >= times or _same(kept[1:], shifted[:-1]):
                joined = np.concatenate([first, np.take(second, [-1], axis + 1)], axis + 1)
                one = joined.reshape(*before, times * (batch + 1), *after)
                break
        other = one
    return one
