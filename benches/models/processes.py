"""Python processes that perform jobs one after another, and may die of one without harm to the others."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

if sys.platform != "win32":
    import fcntl

Job = dict[str, Any]
# Each job's result is a line with this mark; other lines are what libraries print.
MARK = "\x1e"


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Other runs that use the folder wait. A lock ends with its process."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "w") as file:
        if sys.platform != "win32":
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def serve(perform: Callable[[Job], Job]) -> None:
    """Performs the jobs from standard input. An exception is the job's result."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        try:
            result = perform(json.loads(line))
        except Exception as error:
            result = {"error": f"{type(error).__name__}: {error}"[:500]}
        print(MARK + json.dumps(result), file=out, flush=True)


class Worker:
    """A process of a script that calls `serve`. It starts with the first job, and again after one that it did not survive."""

    def __init__(self, script: str, python: str = sys.executable, environment: Mapping[str, str] | None = None) -> None:
        self.command = [python, str(Path(__file__).parent / script)]
        self.environment = {**os.environ, "JAX_PLATFORMS": "cpu", "PYTHONWARNINGS": "ignore", **(environment or {})}
        self.process: subprocess.Popen[bytes] | None = None

    def perform(self, job: Job, timeout: float) -> Job:
        """The result of a job, or a result with `error`."""
        if self.process is None:
            pipe = subprocess.PIPE
            self.process = subprocess.Popen(
                self.command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, env=self.environment
            )
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps(job).encode() + b"\n")
        self.process.stdin.flush()
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            if not selector.select(timeout):
                self.close()
                return {"error": f"no result in {timeout:.0f} s"}
        line = self.process.stdout.readline().decode()
        if not line.startswith(MARK):
            status = self.process.wait()
            self.close()
            return {"error": f"the process ended with status {status}"}
        result: Job = json.loads(line.removeprefix(MARK))
        return result

    def close(self) -> None:
        """Ends the process, and frees its memory."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None
