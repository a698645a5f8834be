"""Compares the models of bytecode with those of its text.

    python python/tests/artifacts.py fixtures
    python python/tests/artifacts.py model.mlir --versions 0.9.0 1.0.0 --parse --jobs 2

MLIR serializes each program of the files for several versions of StableHLO, and reads each artifact back as text. The
compiler reads both, and must write the same model, or report the same faults. A file may hold several programs, separated by
lines `// -----`.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import dataclasses
import functools
import json
import os
import pathlib
import queue
import random
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any

VERSIONS = ("0.9.0", "0.14.0", "1.0.0", "current")
"""Old artifacts, those that JAX writes for consumers of any age, and those of the installed MLIR."""
PATIENCE = 300.0
"""A worker that needs more seconds for an artifact counts as stuck."""
SEPARATOR = "// -----"
BINDINGS_WORK = (0, 4, 38)
"""A release of JAX in which MLIR's Python bindings write and read artifacts. Those of 0.4.30 crash, and XLA's do not."""
LIMIT = "expected a type of at most"
"""MLIR abbreviates types by aliases, and the compiler limits what an alias stands for. Bytecode has no aliases."""


def main() -> int:
    """Runs the command; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="+", type=pathlib.Path, help="files, and folders of `.mlir` files")
    parser.add_argument("--versions", nargs="+", default=VERSIONS, help="of StableHLO; those unknown to MLIR are left out")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--mutations", type=int, default=0, metavar="N", help="damaged copies of each artifact")
    parser.add_argument("--seed", type=int, default=0, help="of the damage")
    parser.add_argument("--parse", action="store_true", help="also parse what `hlo2onnx opt` prints with MLIR")
    parser.add_argument("--keep", type=pathlib.Path, help="a folder for the artifacts that differ")
    asked = parser.parse_args()
    settings = Settings(tuple(asked.versions), asked.mutations, asked.seed, asked.parse, str(asked.keep or ""))
    started = time.monotonic()
    tally = Tally()
    try:
        run(programs(asked.paths), settings, asked.jobs, lambda line: print(line, flush=True), tally)
    except KeyboardInterrupt:
        print("interrupted")
    print(f"{tally}\n{time.monotonic() - started:.0f} s")
    return 1 if tally.failures else 0


@dataclasses.dataclass(frozen=True)
class Settings:
    """What is done with each program."""

    versions: tuple[str, ...] = VERSIONS
    mutations: int = 0
    seed: int = 0
    parse: bool = False
    keep: str = ""
    """A folder for the artifacts that differ, if it has a name."""


@dataclasses.dataclass
class Tally:
    """What became of all artifacts."""

    outcomes: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    failures: list[str] = dataclasses.field(default_factory=list)

    @property
    def artifacts(self) -> int:
        """How many artifacts were compared."""
        return sum(self.outcomes[kind] for kind in KINDS[:3])

    def __str__(self) -> str:
        lines = [f"{self.artifacts:7} artifacts"]
        lines += [f"{self.outcomes[kind]:7} {kind}" for kind in (*KINDS, *sorted(set(self.outcomes) - set(KINDS)))]
        return "\n".join(lines)


KINDS = ("same model", "same refusal", "different", "not serialized by MLIR", "crashed")
FAILED = ("different", "not parsed by MLIR", "the compiler crashed", "the worker failed")


def programs(paths: Iterable[pathlib.Path]) -> Iterator[tuple[str, str]]:
    """The programs of files and folders, with names."""
    for path in paths:
        files = sorted(path.rglob("*.mlir")) if path.is_dir() else [path]
        for file in files:
            texts = file.read_text().split(f"\n{SEPARATOR}")
            for place, text in enumerate(texts):
                yield f"{file}{f' #{place}' if len(texts) > 1 else ''}", text


def run(
    given: Iterable[tuple[str, str]],
    settings: Settings,
    jobs: int = 1,
    report: Callable[[str], None] = lambda line: None,
    tally: Tally | None = None,
) -> Tally:
    """Compares all artifacts of these programs in `jobs` processes, and reports each failure at once."""
    tally = Tally() if tally is None else tally
    waiting: queue.SimpleQueue[tuple[str, str]] = queue.SimpleQueue()
    for program in given:
        waiting.put(program)
    lock = threading.Lock()

    def take(name: str, message: dict[str, str]) -> None:
        with lock:
            kind, shown = message["outcome"], f"{message['outcome']}: {name}: {message['detail']}"
            tally.outcomes[kind] += 1
            if kind in FAILED:
                tally.failures.append(shown)
            if kind in FAILED or kind == "crashed":
                report(shown)

    threads = [threading.Thread(target=_supervise, args=(waiting, settings, take), daemon=True) for _ in range(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return tally


def _supervise(
    waiting: queue.SimpleQueue[tuple[str, str]], settings: Settings, take: Callable[[str, dict[str, str]], None]
) -> None:
    """Has a process compare programs until none is left. MLIR crashes on some; then another process continues."""
    process = None
    while True:
        try:
            name, text = waiting.get_nowait()
        except queue.Empty:
            break
        versions = list(settings.versions)
        while versions:
            process = process or _start()
            asked = dataclasses.asdict(dataclasses.replace(settings, versions=tuple(versions)))
            request = {"name": name, "text": text, "settings": asked}
            status = _ask(process, request, versions, functools.partial(take, name))
            process = process if status is None else None
    if process:
        process.communicate()


def _start() -> subprocess.Popen[str]:
    settings = {"JAX_PLATFORMS": "cpu", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.Popen(
        [sys.executable, __file__, WORKER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        # MLIR and the command line print here.
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, **settings},
    )


def _ask(
    process: subprocess.Popen[str],
    request: dict[str, Any],
    versions: list[str],
    take: Callable[[dict[str, str]], None],
) -> int | None:
    """Sends a request, takes the answers, and removes the versions that are done; returns the status of a dead process."""
    assert process.stdin is not None and process.stdout is not None
    with contextlib.suppress(BrokenPipeError):
        print(json.dumps(request), file=process.stdin, flush=True)
    stage = "MLIR"
    while True:
        timer = threading.Timer(PATIENCE, process.kill)
        timer.start()
        line = process.stdout.readline()
        timer.cancel()
        if not line:
            break
        message = json.loads(line)
        if "stage" in message:
            stage = message["stage"]
        elif "done" in message:
            versions.remove(message["done"])
            stage = "MLIR"
            if not versions:
                return None
        else:
            take(message)
    # The process ended on the first version that is not done.
    process.stdin.close()
    status = process.wait()
    version = versions.pop(0)
    kind = "crashed" if stage == "MLIR" else "the compiler crashed"
    if status > 0:
        # It was not ended by a signal: this program is wrong, or JAX cannot be imported.
        kind = "the worker failed"
    take({"outcome": kind, "detail": f"{stage} ended with status {status} at version {version}"})
    return status


WORKER = "--worker"


def work() -> None:
    """The process of a worker: a request on each line of its input, and messages on its output."""
    channel = os.fdopen(os.dup(1), "w", buffering=1)
    # What libraries print is not a message.
    os.dup2(2, 1)
    worker = Worker(lambda message: print(json.dumps(message), file=channel))
    for line in sys.stdin:
        request = json.loads(line)
        worker.compare(request["name"], request["text"], Settings(**request["settings"]))


class Worker:
    """Compares the artifacts of programs, and sends messages about them."""

    def __init__(self, send: Callable[[dict[str, str]], None]) -> None:
        from jax._src.interpreters.mlir import make_ir_context

        self.send = send
        self.context = make_ir_context()
        # The first artifact that is read loads further dialects, of quantized types for example.
        with self.context:
            self.read(_serialized("func.func @main() {\n  return\n}", "1.0.0"))

    def compare(self, name: str, text: str, settings: Settings) -> None:
        """Compares the artifacts of one program in all versions."""
        for version in settings.versions:
            for kind, detail in self.outcomes(name, text, version, settings):
                self.send({"outcome": kind, "detail": detail})
            self.send({"done": version})

    def outcomes(self, name: str, text: str, version: str, settings: Settings) -> Iterator[tuple[str, str]]:
        """The outcomes for one version."""
        from jaxlib.mlir import ir
        from jaxlib.mlir.dialects import stablehlo

        current = stablehlo.get_current_version()
        number = current if version == "current" else version
        if not _ordered(stablehlo.get_minimum_version()) <= _ordered(number) <= _ordered(current):
            return
        try:
            with self.context:
                artifact = _serialized(text, number)
            read = self.read(artifact)
        except Exception as error:
            yield "not serialized by MLIR", f"{version}: {_first_line(error)}"
            return
        self.send({"stage": "the compiler"})
        ours, theirs = _converted(artifact), _converted(read)
        kind = _compared(ours, theirs)
        yield kind, f"{version}: {_difference(ours, theirs)}" if kind == "different" else version
        if kind == "different" and settings.keep:
            place = pathlib.Path(settings.keep, f"{name.replace('/', '_')}_{version}")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.with_name(f"{place.name}.mlirbc").write_bytes(artifact)
            place.with_name(f"{place.name}.mlir").write_text(read)
        if settings.parse:
            printed = _printed(artifact)
            self.send({"stage": "MLIR"})
            try:
                with self.context:
                    ir.Module.parse(printed)
                yield "parsed by MLIR", version
            except Exception as error:
                yield "not parsed by MLIR", f"{version}: {_first_line(error)}"
        damage = random.Random(f"{settings.seed} {name} {version}")
        for _ in range(settings.mutations):
            yield from self.damaged(_damage(artifact, damage))

    def read(self, artifact: bytes) -> str:
        """MLIR's own reading of an artifact."""
        from jaxlib.mlir.dialects import stablehlo

        if _is_old():
            from jaxlib import xla_extension

            return str(xla_extension.mlir.deserialize_portable_artifact(artifact))
        module = stablehlo.deserialize_portable_artifact(self.context, artifact)
        return str(module.operation.get_asm(enable_debug_info=True, large_elements_limit=None))

    def damaged(self, artifact: bytes) -> Iterator[tuple[str, str]]:
        """The outcomes for a damaged artifact, on which nothing may crash.

        MLIR's own reader may crash on it, so MLIR does not read it.
        """
        self.send({"stage": "the compiler"})
        ours = _converted(artifact)
        yield f"damaged: {'read' if isinstance(ours, bytes) else 'refused'}", ""


def _serialized(text: str, version: str) -> bytes:
    """The artifact of a program. JAX, unlike MLIR, also serializes programs with ops of CHLO, which become others."""
    from jaxlib.mlir import ir
    from jaxlib.mlir.dialects import stablehlo

    if _is_old():
        from jax._src.interpreters.mlir import module_to_bytecode
        from jaxlib import xla_extension

        program = module_to_bytecode(ir.Module.parse(text))
        return bytes(xla_extension.mlir.serialize_portable_artifact(program, version))
    try:
        return bytes(stablehlo.serialize_portable_artifact(ir.Module.parse(text), version))
    except ValueError:
        try:
            from jaxlib import _jax
        except ImportError:
            # An older JAX.
            raise
        # The attempt may have left the module in pieces.
        return bytes(_jax.mlir.serialize_portable_artifact(ir.Module.parse(text), version, False))


def _is_old() -> bool:
    import jax

    return jax.__version_info__ < BINDINGS_WORK


def _first_line(error: Exception) -> str:
    """The line of a message that says most; MLIR prints whole modules after it."""
    lines = str(error).splitlines() or [type(error).__name__]
    return next((line for line in lines if "error: " in line), lines[0])[:300]


def _ordered(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def _converted(program: str | bytes) -> bytes | list[tuple[str, str]]:
    """The model of a program, or the codes and the messages of its errors."""
    import hlo2onnx

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return hlo2onnx.convert(program, return_mode="bytes")
        except hlo2onnx.ConversionError as error:
            return sorted((item.code, item.message) for item in error.diagnostics if item.severity == "error")


def _compared(ours: bytes | list[tuple[str, str]], theirs: bytes | list[tuple[str, str]]) -> str:
    """The kind of outcome."""
    if ours == theirs:
        return "same model" if isinstance(ours, bytes) else "same refusal"
    if isinstance(theirs, list) and any(LIMIT in message for _, message in theirs):
        return "beyond a limit of texts"
    return "different"


def _difference(ours: bytes | list[tuple[str, str]], theirs: bytes | list[tuple[str, str]]) -> str:
    """The first lines that differ."""
    import onnx

    def lines(outcome: bytes | list[tuple[str, str]]) -> list[str]:
        if isinstance(outcome, list):
            return [f"{code}: {message}" for code, message in outcome]
        return str(onnx.load_model_from_string(outcome)).splitlines()

    pairs = zip([*lines(ours), "no more"], [*lines(theirs), "no more"])
    first, second = next((pair for pair in pairs if pair[0] != pair[1]), ("equal text", "equal text"))
    return f"`{first.strip()}` of bytecode, `{second.strip()}` of text"


def _printed(artifact: bytes) -> str:
    """What `hlo2onnx opt` prints."""
    from hlo2onnx import _native

    with tempfile.TemporaryDirectory() as folder:
        source, output = pathlib.Path(folder, "artifact.mlirbc"), pathlib.Path(folder, "printed.mlir")
        source.write_bytes(artifact)
        standard = os.dup(1)
        with open(output, "wb") as file:
            os.dup2(file.fileno(), 1)
        try:
            _native.run(["hlo2onnx", "opt", str(source)])
        finally:
            os.dup2(standard, 1)
            os.close(standard)
        return output.read_text()


def _damage(artifact: bytes, random: random.Random) -> bytes:
    """A copy with some bytes changed, inserted or removed."""
    data = bytearray(artifact)
    for _ in range(random.randint(1, 4)):
        place = random.randrange(len(data) - 8)
        match random.randrange(4):
            case 0:
                data[place] = random.randrange(256)
            case 1:
                data[place] ^= 1 << random.randrange(8)
            case 2:
                del data[place : place + random.randint(1, 8)]
            case _:
                data.insert(place, random.randrange(256))
    return bytes(data)


if __name__ == "__main__":
    if sys.argv[1:] == [WORKER]:
        work()
    else:
        sys.exit(main())
