"""The verdict on a model."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .._comparison import positions
from .._diagnostics import logger
from .._options import OptionFields, Options, options_of
from ._errors import Error, compare, parts
from ._reference import Executable
from ._report import Case, Fault, Report, VerificationError
from ._runtime import Runner, element_name, element_type, first_line
from ._segments import Known, Segments, exposed
from ._subject import FunctionSubject, Subject, TextSubject
from ._values import as_double, is_float

if TYPE_CHECKING:
    from typing_extensions import Unpack

_SIZES = (2, 5, 8, 16, 3, 64)
"""The numbers to try for symbolic sizes, until the program accepts two of them."""


def verify(
    fn_or_text: Any,
    model: Any,
    inputs: Sequence[Any] | None = None,
    input_params: Mapping[str, Any] | None = None,
    *,
    variables: Any = None,
    enable_double_precision: bool = False,
    expected: Sequence[Any] | None = None,
    seed: int = 0,
    **options: Unpack[OptionFields],
) -> Report:
    """Compare a model with its program, as JAX computes it.

    The model runs unchanged in ONNX Runtime. The error of its results against those in 64 bits may be ten times the error of
    JAX, or ten times the effect of a change of the inputs in their last bit. If a result differs by more, each part of the
    model runs on JAX's values, and the report names the first part that differs.

    Args:
        fn_or_text: A function or model, as in `to_onnx`; or a program, as in `convert`.
        model: A path, the bytes of a model, or an ``onnx.ModelProto``.
        inputs: For a function as in `to_onnx`; arrays are used as they are, and shapes get random numbers. For a text the
            arrays of all inputs, in the shapes of the program; random ones by default.
        input_params: As in `to_onnx`.
        variables: As in `to_onnx`.
        enable_double_precision: As in `to_onnx`.
        expected: Recorded results, which replace those of JAX.
        seed: The seed of the random numbers.
        **options: The fields of `Options` that the model was converted with.

    Returns:
        The report: its ``passed`` is the verdict, and ``str`` of it explains the verdict.

    Raises:
        ImportError: ``jax``, ``onnx`` or ``onnxruntime`` is not installed.
        OSError, TypeError, ValueError: An argument is not valid.
    """
    proto = load(model)
    asked = options_of(options)
    subject: Subject
    if is_text(fn_or_text):
        subject = TextSubject(fn_or_text, inputs, asked, proto)
    else:
        if inputs is None:
            raise TypeError("a function needs `inputs`, as in `to_onnx`")
        subject = FunctionSubject(fn_or_text, inputs, input_params, variables, enable_double_precision)
        weights_are_inputs = len(proto.graph.input) > len(subject.read.names)
        source = ("<program>", subject.program.text.encode())
        subject.compile(source, subject.request(asked, weights_are_inputs))
    return Verification(subject, model, proto, asked, expected, seed).report()


def require(subject: FunctionSubject, model: Any, options: Options, *, weights_are_inputs: bool) -> None:
    """Verify a model that `to_onnx` has just made; raises ``VerificationError`` if it differs."""
    source = (f"<{options.model_name}>", subject.program.text.encode())
    subject.compile(source, subject.request(options, weights_are_inputs))
    report = Verification(subject, model, load(model), options, None, 0).report()
    for note in report.notes:
        logger.info("verify: %s", note)
    if not report.passed:
        raise VerificationError(report)


def is_text(target: Any) -> bool:
    """Whether this is a lowered program, and not a function."""
    kinds = (str, bytes, bytearray, memoryview, os.PathLike)
    return isinstance(target, kinds) or hasattr(target, "mlir_module") or hasattr(target, "compiler_ir")


def load(model: Any) -> Any:
    """The model with all its weights."""
    try:
        import onnx
    except ImportError as error:
        raise ImportError("a verification needs the package `onnx`") from error
    if isinstance(model, (bytes, bytearray)):
        proto = onnx.ModelProto.FromString(bytes(model))
    else:
        proto = model if hasattr(model, "SerializeToString") else onnx.load(os.fspath(model))
    if not proto.graph.output:
        raise ValueError("the model is empty: its graph has no outputs")
    return proto


class Verification:
    """The verification of one model against one program."""

    def __init__(
        self, subject: Subject, model: Any, proto: Any, options: Options, expected: Sequence[Any] | None, seed: int
    ) -> None:
        self.subject, self.model, self.proto, self.seed = subject, model, proto, seed
        self.expected = None if expected is None else [np.asarray(array) for array in expected]
        self.options = options
        self.notes = subject.notes
        self.output_names = [output.name for output in proto.graph.output]
        self.nchw = set(positions("outputs_as_nchw", options.outputs_as_nchw, self.output_names))
        dims = options.dims.items() if isinstance(options.dims, Mapping) else options.dims
        self.fixed = dict(dims)

    def report(self) -> Report:
        """Run the model at two sizes, and look for the fault if it differs."""
        cases: list[Case] = []
        fault: Fault | None = None
        symbols = [name for name in self.subject.symbols if name not in self.fixed]
        refusals: list[str] = []
        for sizes in _sizes(symbols):
            full = {**self.fixed, **sizes}
            try:
                arguments = self.subject.arguments(full, self.seed)
                jax = self.subject.run(arguments)
            except Exception as error:
                # The program may accept only some sizes, such as multiples of a number.
                refusals.append(first_line(error))
                continue
            run = Run(self, arguments, jax)
            mismatch = run.mismatch()
            if mismatch:
                cases.append(Case(sizes, (), mismatch))
                break
            case = run.case(sizes)
            cases.append(case)
            if not case.ok:
                fault = run.fault()
                break
            if len(cases) == 2 or not symbols:
                break
        if not cases:
            cases.append(Case({}, (), f"JAX cannot run the program: {refusals[0]}", by_jax=True))
        elif symbols and len(cases) == 1 and cases[0].ok:
            self.notes.append("the model was run at one size only: JAX rejects the others that were tried")
        return Report(tuple(cases), fault, tuple(dict.fromkeys(self.notes)))


class Run:
    """A model and a program on the same inputs."""

    def __init__(self, parent: Verification, arguments: list[np.ndarray], jax: list[np.ndarray]) -> None:
        self.parent = parent
        self.subject, self.proto = parent.subject, parent.proto
        self.arguments = arguments
        self.jax = jax
        self.values = parent.subject.values
        random = np.random.default_rng(parent.seed + 1)
        self.nudges = [[nudge(array, random) for array in arguments] for _ in range(2)]
        self.moved = any(is_float(array.dtype) or array.dtype.kind == "c" for array in arguments)
        self.nudged = [self.subject.run(nudged) for nudged in self.nudges] if self.moved else []
        self.exact = self._exact()
        narrows = any(
            attribute.name == "to" and attribute.i == 1
            for node in self.proto.graph.node
            if node.op_type == "Cast"
            for attribute in node.attribute
        )
        # ONNX Runtime lacks some kernels for f64. The compiler then computes in f32, with a warning.
        self.epsilon = float(np.finfo(np.float32).eps) if narrows else None
        self.feeds = self._feeds()

    def _exact(self) -> list[np.ndarray] | None:
        if self.values is None:
            return None
        try:
            return self._program([], True)(self.arguments)
        except Exception as error:
            self.parent.notes.append(
                f"the program does not run in 64 bits, so JAX's own error is unknown: {first_line(error)}"
            )
            return None

    def _program(self, chosen: Sequence[int], double: bool) -> Callable[[Sequence[np.ndarray]], list[np.ndarray]]:
        """The program with these values as additional results."""
        assert self.values is not None
        text, captured = self.values.program(chosen, double=double)
        widen: Callable[[np.ndarray], np.ndarray] = as_double if double else lambda array: array
        executable = Executable(text, [*map(widen, self.arguments), *captured])
        return lambda arguments: executable([*map(widen, arguments), *captured])

    def _feeds(self) -> dict[str, np.ndarray]:
        feeds = {}
        for value, array in zip(self.proto.graph.input, self.arguments):
            mapped = self.values.by_name.get(value.name) if self.values else None
            fed = mapped.from_program(array) if mapped else array
            feeds[value.name] = parts(array if fed is None else fed)
        return feeds

    def _as_output(self, index: int, array: np.ndarray) -> np.ndarray:
        return np.transpose(array, (0, 3, 1, 2)) if index in self.parent.nchw else array

    def mismatch(self) -> str:
        """How the inputs of the model differ from those of the program, or an empty string."""
        inputs, arrays = len(self.proto.graph.input), len(self.arguments)
        if inputs != arrays:
            return f"the model has {inputs} inputs, but the program has {arrays} arguments"
        for value in self.proto.graph.input:
            fed, taken = self.feeds[value.name], value.type.tensor_type
            sizes = [size.dim_value if size.HasField("dim_value") else size.dim_param for size in taken.shape.dim]
            fits = len(sizes) == fed.ndim and all(isinstance(s, str) or s == n for s, n in zip(sizes, fed.shape))
            if not fits or element_type(fed.dtype) != taken.elem_type:
                kinds = [element_name(kind) for kind in (taken.elem_type, element_type(fed.dtype))]
                shapes = [", ".join(str(size) or "?" for size in shape) for shape in (sizes, fed.shape)]
                return (
                    f"the model takes {kinds[0]}[{shapes[0]}] as `{value.name}`, but the program takes {kinds[1]}[{shapes[1]}]: "
                    "pass the inputs that the model was made for"
                )
        return ""

    def case(self, sizes: dict[str, int]) -> Case:
        """Run the model as it is."""
        try:
            got = Runner(self.parent.model)(self.feeds)
        except Exception as error:
            return Case(sizes, (), f"ONNX Runtime cannot run the model: {first_line(error)}")
        if len(got) != len(self.jax):
            return Case(sizes, (), f"the model has {len(got)} outputs, but the program has {len(self.jax)} results")
        errors = self._compare(got)
        return Case(sizes, tuple(errors if self.parent.expected is None else self._compare_expected(got, errors)))

    def _compare_expected(self, got: Sequence[np.ndarray], errors: Sequence[Error]) -> list[Error]:
        """Compare with recorded results, as strictly as with JAX's."""
        expected = self.parent.expected or []
        if len(expected) != len(got):
            raise ValueError(f"{len(expected)} results were recorded, but the model has {len(got)} outputs")
        found = []
        for index, (array, wanted, error) in enumerate(zip(got, expected, errors)):
            wanted = self._as_output(index, wanted)
            found.append(compare(error.name, array, wanted, None, [], self.epsilon, error.allowed))
            if error.ok and not found[-1].ok:
                self.parent.notes.append(f"the recorded `{error.name}` differs from JAX's result, with which the model agrees")
        return found

    def _compare(self, got: Sequence[np.ndarray]) -> list[Error]:
        return [
            compare(
                name,
                array,
                self._as_output(index, self.jax[index]),
                None if self.exact is None else self._as_output(index, self.exact[index]),
                [self._as_output(index, nudged[index]) for nudged in self.nudged],
                self.epsilon,
            )
            for index, (name, array) in enumerate(zip(self.parent.output_names, got))
        ]

    def fault(self) -> Fault | None:
        """The part of the model that is at fault."""
        if self.values is None:
            return None
        try:
            known = self.known()
        except Exception as error:
            self.parent.notes.append(f"the fault could not be traced: {first_line(error)}")
            return None
        segments = Segments(self.proto, known, self.feeds)
        found = segments.first_fault()
        if found is None and self.parent.expected is not None:
            return None
        if found is None:
            found = self._fusion(known) or segments.furthest()
        if found is None:
            self.parent.notes.append("no part of the model differs by itself: small differences add up")
        return found

    def known(self) -> dict[str, Known]:
        """The values of the model that the program also has, as JAX computes them."""
        assert self.values is not None
        made = {output for node in self.proto.graph.node for output in node.output if output}
        chosen = [mapped for mapped in self.values.values if mapped.onnx in made]
        program = self._program([mapped.index for mapped in chosen], False)
        count = len(self.jax)
        jax = program(self.arguments)
        self._check_program(jax[:count])
        nudged = [program(nudge) for nudge in self.nudges] if self.moved else []
        exact = None
        if self.exact is not None:
            exact = self._program([mapped.index for mapped in chosen], True)(self.arguments)
        known: dict[str, Known] = {}
        contradicted = 0
        for place, mapped in enumerate(chosen, count):
            value = mapped.from_program(jax[place])
            if value is None:
                contradicted += 1
                continue
            nearly = None if exact is None else mapped.from_program(exact[place], cast=False)
            others = [mapped.from_program(other[place]) for other in nudged]
            known[mapped.onnx] = Known(value, nearly, [other for other in others if other is not None], mapped)
        for index, name in enumerate(self.parent.output_names):
            if name in made and name not in known:
                nearly = None if exact is None else self._as_output(index, parts(exact[index]))
                moved = [self._as_output(index, parts(other[index])) for other in nudged]
                known[name] = Known(self._as_output(index, parts(self.jax[index])), nearly, moved)
        note = f"{len(known)} of the {len(made)} values of the model are known from JAX"
        if contradicted:
            note += f"; {contradicted} more differ from them along a dimension that the model omits"
        self.parent.notes.append(note)
        return known

    def _check_program(self, results: Sequence[np.ndarray]) -> None:
        for index, (mine, jax) in enumerate(zip(results, self.jax)):
            nudged = [other[index] for other in self.nudged]
            exact = None if self.exact is None else self.exact[index]
            error = compare(self.parent.output_names[index], mine, jax, exact, nudged)
            if not error.ok:
                raise ValueError(f"the program as the compiler reads it differs from JAX's results: {error.why}")

    def _fusion(self, known: Mapping[str, Known]) -> Fault | None:
        """Whether the fault goes away when ONNX Runtime fuses less."""
        attempts = [
            (self.parent.model, False, "does not optimize: one of its fusions is at fault"),
            (exposed(self.proto, known), True, "has to compute all values: a fusion across them is at fault"),
        ]
        for model, optimized, how in attempts:
            try:
                got = Runner(model, optimized=optimized)(self.feeds)
            except Exception:
                # A model that does not run shows nothing about fusions, and the report already has the reason.
                continue
            errors = self._compare(got[: len(self.jax)])
            if all(error.ok for error in errors):
                message = f"Each part of the model is correct by itself, and so is the model when ONNX Runtime {how}."
                return Fault((), "", "runtime", None, message)
        return None


def nudge(array: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """The array with each float changed in its last bit, up or down."""
    if array.dtype.kind == "c":
        return (nudge(array.real, random) + 1j * nudge(array.imag, random)).astype(array.dtype)
    if not is_float(array.dtype):
        return array
    toward = np.where(random.integers(0, 2, array.shape) == 0, -np.inf, np.inf).astype(array.dtype)
    with np.errstate(over="ignore"):
        moved = np.nextafter(array, toward)
    # Zeros are often masks or padding, and a nudge would change their meaning. Infinities and NaN have no neighbors.
    return np.where((array == 0) | ~np.isfinite(array.astype(np.float64)), array, moved).astype(array.dtype)


def _sizes(symbols: Sequence[str]) -> Iterator[dict[str, int]]:
    if not symbols:
        yield {}
        return
    for size in _SIZES:
        yield {name: size + place for place, name in enumerate(symbols)}
    for size in _SIZES:
        yield dict.fromkeys(symbols, size)
