"""Processes that check many programs, and survive a crash of one."""

from __future__ import annotations

import collections
import dataclasses
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import IO, Any

PATIENCE = 300.0
"""A worker that finishes no program for this many seconds counts as stuck."""


@dataclasses.dataclass(frozen=True)
class Failure:
    """A variant of a program that failed."""

    seed: int
    place: int
    variant: str
    kind: str
    detail: str
    program: str
    """The minimized program."""

    def __str__(self) -> str:
        again = f"python python/tests/generated.py --seed {self.seed} --only {self.place}"
        return f"{self.kind} ({self.variant}): {self.detail}\n{again}\n{self.program}"


@dataclasses.dataclass
class Tally:
    """What became of all programs."""

    programs: int = 0
    outcomes: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    """The outcomes of variants by kind and variant, and the codes of refusals."""
    failures: list[Failure] = dataclasses.field(default_factory=list)

    def count(self, kind: str) -> int:
        """How many variants ended so."""
        return sum(count for name, count in self.outcomes.items() if name.split(":")[0] == kind)

    def __str__(self) -> str:
        lines = [
            f"{self.programs} programs, {self.count('agrees')} models agree, {self.count('refused')} are refused, "
            f"{self.count('skipped')} are skipped, {len(self.failures)} failures"
        ]
        lines += [f"  {count:7} {name}" for name, count in sorted(self.outcomes.items())]
        return "\n".join(lines)


def run(
    seed: int,
    places: range,
    jobs: int,
    report: Callable[[Failure], None] = lambda failure: None,
    tally: Tally | None = None,
) -> Tally:
    """Checks the programs at these places of a seed in `jobs` processes, and reports each failure at once."""
    tally = Tally() if tally is None else tally
    lines: queue.Queue[tuple[int, str | None]] = queue.Queue()
    workers = {job: _Worker(seed, places[job::jobs], job, lines) for job in range(jobs)}
    while workers:
        try:
            job, line = lines.get(timeout=PATIENCE)
        except queue.Empty:
            # The processes end, and so their lines.
            for worker in workers.values():
                worker.process.kill()
            continue
        worker = workers[job]
        if line is not None:
            worker.receive(json.loads(line), tally, report)
            continue
        worker.process.wait()
        if worker.current is None and worker.done == len(worker.places):
            del workers[job]
            continue
        if worker.current is None:
            raise RuntimeError(f"a worker ended with status {worker.process.returncode} before its first program")
        if worker.process.returncode < 0 and not worker.compiled:
            # XLA crashed; nothing of this project has run.
            tally.outcomes["skipped: XLA crashes"] += 1
            tally.programs += 1
            workers[job] = _Worker(seed, worker.places[worker.done + 1 :], job, lines)
            continue
        detail = f"the process ended with status {worker.process.returncode}"
        tally.failures.append(Failure(seed, worker.current, "", "crash", detail, ""))
        report(tally.failures[-1])
        tally.outcomes["crash:"] += 1
        workers[job] = _Worker(seed, worker.places[worker.done + 1 :], job, lines)
    tally.failures.sort(key=lambda failure: failure.place)
    return tally


class _Worker:
    def __init__(self, seed: int, places: range, job: int, lines: Any) -> None:
        self.places, self.current, self.done, self.compiled = places, None, 0, False
        settings = {
            "JAX_PLATFORMS": "cpu",
            "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            "PYTHONWARNINGS": "ignore",
        }
        numbers = map(str, (seed, places.start, places.stop, places.step))
        command = [sys.executable, "-m", "generator.workers", *numbers]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **settings})
        assert self.process.stdout is not None
        threading.Thread(target=_forward, args=(self.process.stdout, job, lines), daemon=True).start()

    def receive(self, message: dict[str, Any], tally: Tally, report: Callable[[Failure], None]) -> None:
        """Takes a message of the process."""
        if "begin" in message:
            self.current, self.compiled = message["begin"], False
        elif "compiled" in message:
            self.compiled = True
        elif "end" in message:
            self.current = None
            self.done += 1
            tally.programs += 1
        elif "outcome" in message:
            tally.outcomes[message["outcome"]] += 1
        else:
            tally.failures.append(Failure(**message))
            report(tally.failures[-1])


def _forward(stream: IO[str], job: int, lines: Any) -> None:
    for line in stream:
        lines.put((job, line))
    lines.put((job, None))


def main() -> None:
    """The process of a worker: its messages go to its standard output."""
    seed, start, stop, step = map(int, sys.argv[1:])
    # The process that started this one prints what it has.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    channel = os.fdopen(os.dup(1), "w", buffering=1)
    # What libraries print is not a message.
    os.dup2(2, 1)
    for place in range(start, stop, step):
        for message in messages(seed, place):
            print(json.dumps(message), file=channel)


def messages(seed: int, place: int) -> Iterator[dict[str, Any]]:
    """What is to be said of one program."""
    from .check import Reference, Unusable, outcome, variants
    from .generate import generate
    from .minimize import minimize

    yield {"begin": place}
    program = generate(seed, place)
    try:
        reference = Reference(program)
    except Unusable:
        yield {"outcome": "skipped: XLA refuses"}
        yield {"end": place}
        return
    yield {"compiled": place}
    seen = set()
    for variant in variants(program, place):
        result = outcome(reference, variant)
        shown = result.detail if result.kind in ("refused", "skipped") else variant.name
        yield {"outcome": f"{result.kind}: {shown}"}
        # One fault shows in most variants.
        if result.failed and (result.kind, result.detail) not in seen:
            seen.add((result.kind, result.detail))
            small, found = minimize(program, variant, result.kind)
            arguments = [f"// {value.type}: {array.ravel()[:12].tolist()}" for value, array in small.arguments.items()]
            text = "\n".join([small.text(), *arguments])
            failure = Failure(seed, place, variant.name, result.kind, found.detail, text)
            yield dataclasses.asdict(failure)
    yield {"end": place}


if __name__ == "__main__":
    main()
