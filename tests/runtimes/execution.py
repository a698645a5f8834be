"""Runs cases in a runtime and judges the results."""

from __future__ import annotations

import hashlib
import json
import tempfile
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import comparison
import numpy as np
from cases import Case, Run
from conversion import Model, positions
from environments import HERE, TARGET, Runtime
from workers import Died, Hung, Worker

RIGHT, WRONG, REFUSED, FAILED, DIES, HANGS, NOT_CONVERTED = OUTCOMES = (
    "right",
    "wrong value",
    "refused at load",
    "failed at run",
    "dies",
    "hangs",
    "not converted",
)
Outcome = tuple[str, str]
"""What happened, and the message."""


class Memory:
    """Outcomes of earlier runs, by the hashes of the model, its inputs and the harness."""

    def __init__(self, runtime: Runtime, use: bool) -> None:
        harness = hashlib.sha256()
        for path in sorted([*HERE.glob("*.py"), *HERE.glob("web/*"), *HERE.glob("rten/**/*.rs")]):
            if path.name in {"worker.py", "worker.mjs", "main.rs", "workers.py", "tool_worker.py", "comparison.py", "execution.py"}:
                harness.update(path.read_bytes())
        name = f"{runtime.name}-{runtime.version}-{harness.hexdigest()[:12]}.jsonl"
        self.path = TARGET / "outcomes" / name
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.lock = threading.Lock()
        self.known: dict[str, Outcome] = {}
        if use and self.path.exists():
            lines = self.path.read_text().splitlines(keepends=True)
            # An interrupted run leaves half a line.
            whole = [line for line in lines if line.endswith("]\n")]
            for line in whole:
                key, outcome, message = json.loads(line)
                self.known[key] = (outcome, message)
            if whole != lines:
                self.path.write_text("".join(whole))

    def add(self, key: str, outcome: Outcome) -> None:
        """Remembers an outcome. A hang may be due to the machine, so it is tried again."""
        if outcome[0] == HANGS:
            return
        with self.lock, self.path.open("a") as file:
            self.known[key] = outcome
            file.write(json.dumps([key, *outcome]) + "\n")


def execute(
    runtime: Runtime,
    command: list[str],
    cases: Iterable[Case],
    models: dict[str, Model | str],
    jobs: int,
    timeout: float,
    use_memory: bool,
) -> dict[str, Outcome]:
    """The outcome of each case, by name."""
    memory = Memory(runtime, use_memory)
    local = threading.local()
    workers: list[Worker] = []
    with tempfile.TemporaryDirectory() as folder:

        def one(case: Case) -> tuple[str, Outcome]:
            if not hasattr(local, "worker"):
                number = len(workers)
                local.folder = Path(folder) / threading.current_thread().name
                local.folder.mkdir()
                local.worker = Worker(command, TARGET / f"{runtime.name}.{number}.log")
                workers.append(local.worker)
            model = models[case.name]
            if isinstance(model, str):
                return case.name, (NOT_CONVERTED, model)
            return case.name, judge(case, model, runtime, local.worker, local.folder, timeout, memory)

        try:
            with ThreadPoolExecutor(jobs) as pool:
                return dict(pool.map(one, cases))
        finally:
            for worker in workers:
                worker.stop()


def judge(
    case: Case, model: Model, runtime: Runtime, worker: Worker, folder: Path, timeout: float, memory: Memory
) -> Outcome:
    """Runs one model on all inputs of its case."""
    runs = case.runs()
    if not runs or not all(run.outputs for run in runs):
        return WRONG, "the case has no expected results"
    chosen = positions(model, case, len(runs[0].inputs))
    if chosen is None:
        names = [given.name for given in model.inputs]
        return WRONG, f"the model has the inputs {names}, and the program has {len(runs[0].inputs)}"
    if len(model.outputs) != len(runs[0].outputs):
        return WRONG, f"the model has {len(model.outputs)} outputs, expected {len(runs[0].outputs)}"
    job, data = prepare(model, runs, chosen, folder)
    key = hashlib.sha256(model.key.encode() + data)
    for run in runs:
        for output in run.outputs:
            key.update(output.tobytes())
    known = memory.known.get(key.hexdigest())
    if known is not None:
        return known
    (folder / "inputs").write_bytes(data)
    outcome = ask(worker, job, runs, runtime, timeout)
    memory.add(key.hexdigest(), outcome)
    return outcome


def prepare(model: Model, runs: list[Run], chosen: list[int], folder: Path) -> tuple[dict, bytes]:
    """A job, and the bytes of its inputs."""
    data = bytearray()
    described = []
    for run in runs:
        given = []
        for wanted, index in zip(model.inputs, chosen, strict=True):
            array = run.inputs[index]
            if array.dtype.kind == "c":
                array = comparison.pairs(array)
            # The reader of a file may have widened a narrow type, and a file of weights may have vectors for scalars.
            array = array.astype(wanted.dtype)
            if wanted.scalar and array.size == 1:
                array = array.reshape(())
            data.extend(bytes(-len(data) % 16))
            place = {"shape": list(array.shape), "offset": len(data)}
            given.append({"name": wanted.name, "type": wanted.dtype.name, **place})
            data.extend(array.tobytes())
        described.append(given)
    paths = {"model": str(model.path), "inputs": str(folder / "inputs"), "results": str(folder / "results")}
    return {**paths, "runs": described, "outputs": model.outputs}, bytes(data)


def ask(worker: Worker, job: dict, runs: list[Run], runtime: Runtime, timeout: float) -> Outcome:
    """Has a worker do a job, and compares the results."""
    answered, wrong = 0, None
    try:
        for answer in worker.ask(job, timeout):
            if "failed" in answer:
                return (REFUSED if answer["failed"] == "load" else FAILED), answer["message"]
            if "results" in answer:
                path = f"{job['results']}.{answered}"
                found = compare(answer["results"], path, runs[answered], runtime.narrow)
                if found and wrong is None:
                    wrong = f"run {answered}, {found}"
                answered += 1
    except Hung:
        return HANGS, f"no answer within {timeout:g} s"
    except Died as error:
        return DIES, str(error)
    return (WRONG, wrong) if wrong else (RIGHT, "")


def compare(results: list[dict], path: str, run: Run, narrow: bool) -> str | None:
    """Why the results of a run are wrong, if they are."""
    data = Path(path).read_bytes()
    for number, (described, expected, check) in enumerate(zip(results, run.outputs, run.checks, strict=True)):
        shape = described["shape"]
        try:
            dtype = np.dtype(described["type"])
        except TypeError:
            return f"output {number}: type: {described['type']}"
        count = int(np.prod(shape, dtype=np.int64))
        actual = np.frombuffer(data, dtype, count, described["offset"]).reshape(shape)
        wrong = comparison.compare(actual, expected, check, narrow)
        if wrong:
            return f"output {number}: {wrong}"
    return None
