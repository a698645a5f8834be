"""Worker processes, each of which runs many models; one that dies or hangs costs one case."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

STARTUP = 120
# Messages with a backtrace would differ for the same fault.
SETTINGS = {"RUST_BACKTRACE": "0", "RUST_LIB_BACKTRACE": "0", "PYTHONDONTWRITEBYTECODE": "1"}


class Died(Exception):
    """A worker ended; the message has the status and the last lines that it printed."""


class Hung(Exception):
    """A worker did not answer in time."""


class Worker:
    """A process that answers jobs; see worker.py for the protocol."""

    def __init__(self, command: list[str], log: Path) -> None:
        self.command, self.log = command, log
        self.process: subprocess.Popen[str] | None = None
        self.lines: queue.Queue[str | None] = queue.Queue()

    def start(self) -> subprocess.Popen[str]:
        """Starts the process, unless it runs."""
        if self.process is not None:
            return self.process
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                bufsize=1,
                env=os.environ | SETTINGS,
            )
        self.lines = queue.Queue()
        threading.Thread(target=self.pump, args=(self.process, self.lines), daemon=True).start()
        self.message(time.monotonic() + STARTUP)
        return self.process

    @staticmethod
    def pump(process: subprocess.Popen[str], lines: queue.Queue[str | None]) -> None:
        """Moves the lines of a process into a queue, which can be read with a timeout."""
        assert process.stdout is not None
        for line in process.stdout:
            lines.put(line)
        lines.put(None)

    def message(self, end: float) -> dict:
        """The next message."""
        try:
            line = self.lines.get(timeout=max(0.0, end - time.monotonic()))
        except queue.Empty:
            self.stop()
            raise Hung from None
        if line is None:
            assert self.process is not None
            status = self.process.wait()
            self.process = None
            printed = self.log.read_text(errors="replace").strip().splitlines()[-100:]
            raise Died("\n".join([f"status {status}", *printed]))
        return json.loads(line)

    def ask(self, job: dict, timeout: float) -> Iterator[dict]:
        """The answers to a job, of which the last is that of its last run or a failure."""
        process = self.start()
        assert process.stdin is not None
        end = time.monotonic() + timeout
        try:
            process.stdin.write(json.dumps(job) + "\n")
            process.stdin.flush()
        except OSError:
            pass  # The process has ended, which the next message reports.
        left = 1 + len(job["runs"])
        while left:
            answer = self.message(end)
            yield answer
            left = 0 if "failed" in answer else left - 1

    def stop(self) -> None:
        """Ends the process."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None
