"""The report of a verification."""

from __future__ import annotations

import dataclasses

from ._errors import FACTOR, Error


@dataclasses.dataclass(frozen=True)
class Fault:
    """The first part of a model that differs from the program."""

    nodes: tuple[str, ...]
    """The names of its nodes."""
    value: str
    """The value of the model that it computes."""
    cause: str
    """``nodes``, or ``runtime`` if ONNX Runtime is right without its optimizations."""
    error: Error | None
    """The error of the value, if it was measured."""
    message: str
    python: str | None = None
    """The user's own Python line."""
    module_path: str | None = None
    """The path of the Flax module."""
    ops: tuple[str, ...] = ()
    """The op types of the nodes."""

    def __str__(self) -> str:
        lines = [self.message]
        count = len(self.nodes)
        lines += [f"  nodes: {', '.join(map(_node, self.ops[:8], self.nodes[:8]))}" + (", ..." if count > 8 else "")]
        if self.python:
            lines.append(f"  line: {self.python}")
        if self.module_path:
            lines.append(f"  module: {self.module_path}")
        if self.error is not None:
            lines.append(f"  `{self.value}`: {self.error.why}")
            lines += _example(self.error)
        return "\n".join(lines)


@dataclasses.dataclass(frozen=True)
class Case:
    """One run of a model."""

    sizes: dict[str, int]
    """The numbers of the symbolic sizes."""
    errors: tuple[Error, ...]
    """An entry for each output."""
    problem: str = ""
    """Why there are no errors: the model or JAX cannot run, or their results differ in number."""
    by_jax: bool = False
    """Whether JAX cannot run the program, so that the problem is not in the model."""

    @property
    def ok(self) -> bool:
        """Whether the model agrees with JAX in this run."""
        return not self.problem and all(error.ok for error in self.errors)


@dataclasses.dataclass(frozen=True)
class Report:
    """The verdict on a model, and what it is based on. A report is true if the model agrees with JAX."""

    cases: tuple[Case, ...]
    """The runs, one for each choice of the symbolic sizes."""
    fault: Fault | None = None
    """The first part of the model that differs, if it was found."""
    notes: tuple[str, ...] = ()
    """What was not checked, and other remarks."""

    @property
    def passed(self) -> bool:
        """Whether the model agrees with JAX in all runs."""
        return all(case.ok for case in self.cases)

    @property
    def checked(self) -> bool:
        """Whether JAX ran the program, so that the model could be compared with it."""
        return not any(case.by_jax for case in self.cases)

    def __bool__(self) -> bool:
        return self.passed

    def __str__(self) -> str:
        verdict = "agrees with JAX" if self.passed else "differs from JAX"
        lines = [f"The model {verdict}." if self.checked else "The model could not be compared with JAX."]
        for case in self.cases:
            if case.sizes:
                lines.append("with " + ", ".join(f"{name} = {size}" for name, size in case.sizes.items()) + ":")
            if case.problem:
                lines.append(f"  {case.problem}")
            for error in case.errors:
                lines += _lines(error)
        if self.fault is not None:
            lines += ["", str(self.fault)]
        lines += [f"note: {note}" for note in self.notes]
        return "\n".join(lines)


class VerificationError(Exception):
    """The model differs from JAX. The message is the report, which is also an attribute."""

    def __init__(self, report: Report) -> None:
        super().__init__(str(report))
        self.report = report


def _node(op: str, name: str) -> str:
    return f"{op} `{name}`"


def _lines(error: Error) -> list[str]:
    head = f"  `{error.name}` {error.dtype}{list(error.shape)}: "
    if error.allowed == 0.0:
        return [head + ("equal" if error.ok else error.why), *_example(error)]
    off = f"off from f64 by {error.absolute:.3g}"
    if error.jax is None:
        off = f"off from JAX by {error.absolute:.3g}"
    lines = [
        f"{head}{'ok' if error.ok else error.why}",
        f"    {off} ({error.relative:.2g} of the largest element, {error.ulps:.3g} ulp)",
        f"    allowed: {error.allowed:.3g}; "
        + ("" if error.jax is None else f"JAX is off by {error.jax:.3g}, ")
        + f"a one-ulp change of the inputs changes it by {error.nudge:.3g}, and {FACTOR:g} times the larger is allowed",
    ]
    if error.argmax[0]:
        lines.append(f"    the argmax differs in {error.argmax[0]} of {error.argmax[1]} rows")
    return lines + _example(error)


def _example(error: Error) -> list[str]:
    if error.example is None:
        return []
    place, got, jax = error.example
    return [f"    at {list(place)}: {got} instead of JAX's {jax}"]
