"""Checks that MLIR reads what `hlo2onnx opt` prints.

    python python/tests/printed.py fixtures
    python python/tests/printed.py FOLDER... --jobs 2 --command target/release/hlo2onnx --keep refused

A text that MLIR parses and verifies is printed without passes, and after each pass before `lower`. MLIR must parse and verify
these modules too. Only after a pass they may contain ops that it does not know, of the dialect `hlo2onnx`. Files may contain
several cases, and options in their first lines, as those of `fixtures` do. A text that MLIR itself refuses is skipped.
"""

from __future__ import annotations

import argparse
import collections
import concurrent.futures
import dataclasses
import json
import os
import pathlib
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parents[2]
OPTIONS = {"dynamic": "--dynamic", "target": "--target", "strict_nan": "--strict-nan"}
"""The options of fixtures that passes before `lower` read."""
HEADER = re.compile(r"^// -----// IR Dump After (\w+) //----- //\n", re.MULTILINE)
DIAGNOSTICS = re.compile(r"^(?:error|warning|advice)\b", re.MULTILINE)
PATIENCE = 300
"""A command that takes more seconds is stuck."""


@dataclasses.dataclass(frozen=True)
class Case:
    """A text."""

    name: str
    text: str
    options: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What became of a text."""

    case: str
    outcome: str
    """`read` if MLIR reads all modules, `refused` if not; `skipped: WHY`."""
    modules: int = 0
    """How many different modules were parsed."""
    after: str = ""
    """The pass after which MLIR refuses the module, or `no pass`."""
    detail: str = ""
    """What MLIR says, with the line."""

    def __str__(self) -> str:
        return f"{self.case}: {self.outcome} after {self.after}: {self.detail}"


def passes() -> list[str]:
    """The passes before `lower`, from the documented table of the pipeline."""
    table = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8").split("<!-- pipeline -->")[1]
    names = re.findall(r"^\| `(\w+)`", table, re.MULTILINE)
    return names[: names.index("lower")]


def cases(paths: Iterable[pathlib.Path]) -> Iterator[Case]:
    """The cases of these files, and of the files of these folders."""
    for path in paths:
        for file in sorted(path.rglob("*.mlir")) if path.is_dir() else [path]:
            text = file.read_text(encoding="utf-8")
            given = tuple(options(text))
            parts = re.split(r"^// -----$", text, flags=re.MULTILINE)
            for index, part in enumerate(parts):
                yield Case(f"{file}:{index}" if len(parts) > 1 else str(file), part, given)


def options(text: str) -> Iterator[str]:
    for name, value in re.findall(r"^//! (\w+) = (.*)$", text, re.MULTILINE):
        if name in OPTIONS:
            given = json.loads(value)
            for one in given if isinstance(given, list) else [given]:
                yield from [OPTIONS[name]] if one is True else [OPTIONS[name], one]


def modules(case: Case, run: Callable[[list[str]], Sequence[Any]]) -> list[tuple[str, str]]:
    """The module without passes and after each pass that changes it; none if the compiler refuses the text.

    `run` runs the command line with arguments, and returns the status and what it prints to both streams.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "case.mlir")
        path.write_text(case.text, encoding="utf-8")
        opt = ["opt", str(path), *case.options]
        status, plain, errors = run(opt)
        status_after, _, after = run([*opt, "--passes", ",".join(passes()), "--print-after", "all"])
    # Others than success and errors in the text are crashes.
    if not {status, status_after} <= {0, 1}:
        raise RuntimeError(f"{case.name}: the compiler ended with {status} and {status_after}: {errors}{after[-2000:]}")
    found = [("no pass", plain)] if status == 0 else []
    parts = HEADER.split(after)[1:]
    # Diagnostics come after the last module.
    parts[-1:] = [DIAGNOSTICS.split(part)[0] for part in parts[-1:]]
    for name, text in zip(parts[::2], parts[1::2]):
        if found and text != found[-1][1]:
            found.append((name, text))
    return found


def check(
    found: Iterable[Case], command: Sequence[str] = (), jobs: int = 1, keep: pathlib.Path | None = None
) -> Iterator[Verdict]:
    """The verdicts of cases, in their order.

    `command` is the command line, without it that of the package. `keep` is a folder for the modules that MLIR refuses.
    """
    mine = threading.local()
    workers: list[Worker] = []

    def verdict(case: Case) -> Verdict:
        if not hasattr(mine, "worker"):
            mine.worker = Worker()
            workers.append(mine.worker)
        return _verdict(case, command, mine.worker, keep)

    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        try:
            yield from pool.map(verdict, found)
        finally:
            for worker in workers:
                worker.close()


def _verdict(case: Case, command: Sequence[str], worker: Worker, keep: pathlib.Path | None) -> Verdict:
    def run(arguments: list[str]) -> Sequence[Any]:
        if not command:
            return worker.run(arguments)
        done = subprocess.run([*command, *arguments], capture_output=True, encoding="utf-8", timeout=PATIENCE)
        return done.returncode, done.stdout, done.stderr

    try:
        if worker.fault(case.text, unknown_ops=False) is not None:
            return Verdict(case.name, "skipped: MLIR refuses the text")
    except Crash:
        return Verdict(case.name, "skipped: MLIR crashes")
    count = 0
    try:
        for after, text in modules(case, run):
            count += 1
            why = worker.fault(text, unknown_ops=count > 1)
            if why is None:
                continue
            if keep is not None:
                name = re.sub(r"[^.0-9A-Za-z]+", "_", case.name)
                (keep / f"{name}.{after}.mlir").write_text(text, encoding="utf-8")
            return Verdict(case.name, "refused", count, after, why)
    except Crash as crash:
        return Verdict(case.name, "refused", count + 1, "some pass", str(crash))
    return Verdict(case.name, "read" if count else "skipped: the compiler refuses the text", count)


class Crash(Exception):
    """The process of a worker has ended."""


class Worker:
    """A process that compiles, and in which MLIR parses. The request after a crash starts another one."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[str] | None = None

    def fault(self, text: str, unknown_ops: bool) -> str | None:
        """MLIR's error for a module, or nothing."""
        return self._answer("parse", text, unknown_ops)

    def run(self, arguments: list[str]) -> tuple[int, str, str]:
        """Runs the command line of the package; returns the status and what it prints to both streams."""
        return tuple(self._answer("run", arguments))

    def _answer(self, *request: Any) -> Any:
        if self.process is None:
            command = [sys.executable, __file__, "--worker"]
            environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8", env=environment
            )
            assert self.process.stdout is not None
            if self.process.stdout.readline() != "ready\n":
                raise RuntimeError("the process of a worker does not start")
        assert self.process.stdin is not None and self.process.stdout is not None
        try:
            print(json.dumps(request), file=self.process.stdin, flush=True)
            answer = self.process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if answer:
            return json.loads(answer)
        status = self.process.wait()
        self.close()
        raise Crash(f"the process ends with status {status}")

    def close(self) -> None:
        """Ends the process."""
        if self.process is not None:
            self.process.communicate()
            self.process = None


def _work() -> None:
    """The process of a worker: requests come from its standard input, and answers go to its standard output."""
    # The process that started this one reports an interrupt.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    channel = os.fdopen(os.dup(1), "w", buffering=1)
    # What libraries print is not an answer.
    os.dup2(2, 1)
    answers: dict[str, Callable[..., Any]] = {"parse": _parser(), "run": _run}
    print("ready", file=channel)
    for line in sys.stdin:
        kind, *request = json.loads(line)
        print(json.dumps(answers[kind](*request)), file=channel)


def _parser() -> Callable[[str, bool], str | None]:
    from jax._src.interpreters.mlir import make_ir_context
    from jaxlib.mlir import ir
    from jaxlib.mlir.dialects import stablehlo

    empty: bytes | None = None
    # An older JAX, which lacks this function, would abort.
    if hasattr(stablehlo, "serialize_portable_artifact_str"):
        with make_ir_context():
            empty = stablehlo.serialize_portable_artifact(ir.Module.parse(""), stablehlo.get_minimum_version())

    def parse(text: str, unknown_ops: bool) -> str | None:
        with make_ir_context() as context:
            if empty is not None:
                # This loads the dialect `quant`, which JAX does not.
                stablehlo.deserialize_portable_artifact(context, empty)
            context.allow_unregistered_dialects = unknown_ops
            try:
                ir.Module.parse(text)
            except ir.MLIRError as error:
                first = error.error_diagnostics[0]
                # The location of an op is that of the program, and a note shows the op.
                place = re.match(r'(?:loc\()?"?-"?:(\d+):', str(first.location))
                notes = [note.message for note in first.notes]
                shown = "; ".join(notes) if notes or place is None else text.splitlines()[int(place[1]) - 1].strip()
                return f"{first.message}\n    {shown[:600]}"
        return None

    return parse


def _run(arguments: list[str]) -> tuple[int, str, str]:
    from hlo2onnx._command_line import main as command_line

    kept = [os.dup(1), os.dup(2)]
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        os.dup2(out.fileno(), 1)
        os.dup2(err.fileno(), 2)
        try:
            status = command_line(arguments)
        finally:
            for stream, own in enumerate(kept, 1):
                os.dup2(own, stream)
                os.close(own)
        out.seek(0)
        err.seek(0)
        return status, out.read().decode(), err.read().decode()


def main() -> int:
    """Checks the requested files; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="*", type=pathlib.Path, metavar="PATH", help="files and folders")
    parser.add_argument("--command", type=shlex.split, default=(), help="the command line [default: the package's]")
    parser.add_argument("--jobs", type=int, default=1, help="threads")
    parser.add_argument("--keep", type=pathlib.Path, help="a folder for the modules that MLIR refuses")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.worker:
        _work()
        return 0
    if asked.keep is not None:
        asked.keep.mkdir(parents=True, exist_ok=True)
    started, read = time.monotonic(), 0
    outcomes: collections.Counter[str] = collections.Counter()
    for verdict in check(cases(asked.paths), asked.command, asked.jobs, asked.keep):
        outcomes[verdict.outcome] += 1
        read += verdict.modules - (verdict.outcome == "refused")
        if verdict.outcome == "refused":
            print(verdict, flush=True)
    print(*(f"{count:7} {outcome}" for outcome, count in sorted(outcomes.items())), sep="\n")
    print(f"{read:7} modules read\n{time.monotonic() - started:.0f} s")
    return 1 if outcomes["refused"] else 0


if __name__ == "__main__":
    sys.exit(main())
