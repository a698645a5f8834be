"""The console script ``hlo2onnx``: the compiler's command line, and ``verify``, which needs JAX."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Sequence

from . import _native


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status, which docs/command_line.md describes."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if arguments[:1] == ["verify"]:
        from ._verification._command import command_line

        return command_line(arguments[1:])
    if threading.current_thread() is not threading.main_thread():
        return _native.run(["hlo2onnx", *arguments])
    # Python's own handler would run only after the command.
    handler = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        return _native.run(["hlo2onnx", *arguments])
    finally:
        signal.signal(signal.SIGINT, handler)
