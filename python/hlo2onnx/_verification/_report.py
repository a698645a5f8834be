"""What a verification found."""

from __future__ import annotations

import dataclasses

from ._errors import FACTOR, Error

JAX_FAILS = "JAX cannot run the program"
"""How a problem begins that lies before the model."""


@dataclasses.dataclass(frozen=True)
class Fault:
    """The first part of a model that is not what the program is."""

    nodes: tuple[str, ...]
    """The names of its nodes."""
    value: str
    """The value of the model that it computes."""
    cause: str
    """``nodes``, or ``runtime`` where ONNX Runtime is right once it does not optimise."""
    error: Error | None
    message: str
    python: str | None = None
    module_path: str | None = None
    ops: tuple[str, ...] = ()
    """The operators of the nodes."""

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
    """Why the model could not be run, or what else failed."""

    @property
    def ok(self) -> bool:
        """Whether the model is right in this run."""
        return not self.problem and all(error.ok for error in self.errors)


@dataclasses.dataclass(frozen=True)
class Report:
    """Whether a model is what the program is, and what was measured."""

    cases: tuple[Case, ...]
    fault: Fault | None = None
    notes: tuple[str, ...] = ()
    """What was not checked, and what else there is to know."""

    @property
    def passed(self) -> bool:
        """Whether the model is right in all runs."""
        return all(case.ok for case in self.cases)

    @property
    def checked(self) -> bool:
        """Whether JAX ran the program, so that the model could be compared with it."""
        return not any(case.problem.startswith(JAX_FAILS) for case in self.cases)

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
    """The model differs from JAX. Its text is the report."""

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
        + f"a nudge of the inputs by one ulp changes {error.nudge:.3g}, and {FACTOR:g} times the larger is allowed",
    ]
    if error.argmax[0]:
        lines.append(f"    another element is the largest in {error.argmax[0]} of {error.argmax[1]} rows")
    return lines + _example(error)


def _example(error: Error) -> list[str]:
    if error.example is None:
        return []
    place, got, jax = error.example
    return [f"    at {list(place)}: {got} for JAX's {jax}"]
