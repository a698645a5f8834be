"""Diagnostics as objects, exceptions, warnings and log records."""

from __future__ import annotations

import dataclasses
import html
import json
import logging
import warnings
from typing import Any

logger = logging.getLogger("hlo2onnx")
"""Logs advice: possible improvements of a correct model."""


@dataclasses.dataclass(frozen=True)
class Label:
    """A span of the text, with a message.

    Lines and columns count from 1. Columns and offsets are in bytes. The end is the position after the last byte.
    """

    text: str
    """The message; it may be empty."""
    file: str
    line: int
    column: int
    offset: int
    end_line: int
    end_column: int
    end_offset: int


@dataclasses.dataclass(frozen=True)
class PythonFrame:
    """The user's own Python line that an op comes from."""

    file: str
    line: int
    column: int | None = None
    end_column: int | None = None
    function: str | None = None
    """The qualified name of the function, such as ``Classifier.__call__``."""
    library_frames: int = 0
    """The number of library frames between the op and the line."""
    libraries: tuple[str, ...] = ()
    """The names of those libraries, innermost first."""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}"
        return f"{place} in {self.function}" if self.function else place


@dataclasses.dataclass(frozen=True)
class Diagnostic:
    """A problem or a piece of advice that the compiler reports."""

    code: str
    """The stable code, such as ``E0201``; ``hlo2onnx explain E0201`` explains it."""
    name: str
    """The name of the fault, such as ``UnsupportedOp``."""
    severity: str
    """``error``, ``warning`` or ``advice``."""
    message: str
    """One sentence."""
    labels: tuple[Label, ...] = ()
    """Spans of the text, the primary one first."""
    help: str | None = None
    """What to do."""
    notes: tuple[str, ...] = ()
    """Further facts."""
    python: PythonFrame | None = None
    """The user's own Python line, if the text has locations."""
    module_path: str | None = None
    """The path of the Flax module, such as ``Encoder/Block_3/Dense_0``."""
    group: str = ""
    """Repeats of a fault have the same ``code`` and ``group``."""
    count: int = 1
    """The number of diagnostics in that group."""

    def __str__(self) -> str:
        place = f"{self.python}: " if self.python else ""
        return f"{place}{self.severity}[{self.code}]: {self.message}"


class ConversionError(Exception):
    """The program cannot be converted. The message is what the command line prints."""

    def __init__(self, text: str, diagnostics: tuple[Diagnostic, ...] = ()) -> None:
        super().__init__(text)
        self.diagnostics = diagnostics
        """All diagnostics, in the order of the program."""

    def __str__(self) -> str:
        return str(self.args[0])

    def _repr_html_(self) -> str:
        """The text with its severities in color, for a notebook."""
        lines = []
        for line in str(self).splitlines():
            shown = html.escape(line)
            color = _COLORS.get(line.split("[")[0].strip())
            lines.append(f'<span style="color: {color}; font-weight: bold">{shown}</span>' if color else shown)
        return '<pre style="white-space: pre; overflow-x: auto">' + "\n".join(lines) + "</pre>"


class ConversionWarning(UserWarning):
    """The model can differ from the program, as the message explains."""


_COLORS = {"error": "#c62828", "warning": "#9a6700", "advice": "#0969da"}


def parse(document: str | dict[str, Any]) -> tuple[Diagnostic, ...]:
    """The diagnostics of a document of ``--format json``."""
    data = json.loads(document) if isinstance(document, str) else document
    return tuple(_diagnostic(item) for item in data["diagnostics"])


def _diagnostic(item: dict[str, Any]) -> Diagnostic:
    frame = item["python"]
    known = {field.name for field in dataclasses.fields(Diagnostic)}
    fields = {name: value for name, value in item.items() if name in known}
    fields["labels"] = tuple(Label(**label) for label in item["labels"])
    fields["notes"] = tuple(item["notes"])
    fields["python"] = PythonFrame(**{**frame, "libraries": tuple(frame["libraries"])}) if frame else None
    return Diagnostic(**fields)


def report(text: str, diagnostics: tuple[Diagnostic, ...], stacklevel: int) -> None:
    """Raise errors, issue warnings and log advice. ``stacklevel`` counts frames; 1 is the caller of this function."""
    if any(diagnostic.severity == "error" for diagnostic in diagnostics):
        raise ConversionError(_leading(text, diagnostics), diagnostics)
    for diagnostic in diagnostics:
        if diagnostic.severity == "warning":
            warnings.warn(f"{diagnostic}", ConversionWarning, stacklevel=stacklevel + 1)
        else:
            logger.info("%s", diagnostic)


def _leading(text: str, diagnostics: tuple[Diagnostic, ...]) -> str:
    """The text, after the user's own line of the first error that has one."""
    for diagnostic in diagnostics:
        if diagnostic.severity == "error" and diagnostic.python:
            return f"{diagnostic}\n\n{text}"
    return text
