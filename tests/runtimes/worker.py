"""Runs models in one Python runtime: `worker.py ENGINE`, with jobs as lines of JSON on stdin.

A job has the path of a model, the names of its outputs, and for each run its inputs: name, element type, shape, and where
their bytes are. The answers are lines of JSON: `{"loaded": true}`, then `{"results": [...]}` for each run, whose bytes are
in the file `job["results"]` with the number of the run, or `{"failed": "load" | "run", "message": ...}`. workers.py reads
them; web/worker.mjs and rten speak the same protocol.

This file runs in the environment of the runtime, which contains NumPy and not the packages of the harness.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
import warnings
from collections.abc import Callable

import numpy as np

Run = Callable[[dict[str, np.ndarray], list[str]], list[np.ndarray]]


def onnxruntime() -> Callable[[str], Run]:
    """ONNX Runtime on the CPU, with its default optimizations."""
    import onnxruntime as ort

    ort.set_default_logger_severity(4)
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4

    def load(path: str) -> Run:
        session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        return lambda inputs, outputs: session.run(outputs, inputs)

    return load


def openvino() -> Callable[[str], Run]:
    """OpenVINO on the CPU, in f32: its default depends on the processor."""
    import openvino as ov

    core = ov.Core()
    settings = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32"}

    def load(path: str) -> Run:
        compiled = core.compile_model(core.read_model(path), "CPU", settings)

        def run(inputs: dict[str, np.ndarray], outputs: list[str]) -> list[np.ndarray]:
            results = compiled(list(inputs.values()))
            return [results[index] for index in range(len(outputs))]

        return run

    return load


def onnx() -> Callable[[str], Run]:
    """onnx's ReferenceEvaluator."""
    from onnx.reference import ReferenceEvaluator

    def load(path: str) -> Run:
        evaluator = ReferenceEvaluator(path)
        return lambda inputs, outputs: evaluator.run(outputs, inputs)

    return load


def tract() -> Callable[[str], Run]:
    """tract, with its optimizations."""
    import tract

    context = tract.onnx()

    def load(path: str) -> Run:
        runnable = context.load(path).into_model().into_runnable()
        return lambda inputs, outputs: [value.to_numpy() for value in runnable.run(list(inputs.values()))]

    return load


ENGINES = {"onnxruntime": onnxruntime, "openvino": openvino, "onnx": onnx, "tract": tract}


def read(data: bytes, given: dict) -> np.ndarray:
    """One input."""
    dtype = np.dtype(given["type"])
    count = int(np.prod(given["shape"], dtype=np.int64))
    # A copy is aligned, whatever the offset.
    return np.frombuffer(data, dtype, count, given["offset"]).reshape(given["shape"]).copy()


def write(path: str, results: list) -> list[dict]:
    """Writes the bytes of the results; returns their types and shapes."""
    described, offset = [], 0
    with open(path, "wb") as file:
        for result in results:
            array = np.ascontiguousarray(np.asarray(result)).reshape(np.shape(result))
            described.append({"type": array.dtype.name, "shape": list(array.shape), "offset": offset})
            offset += file.write(array.tobytes())
    return described


def answer(job: dict, load: Callable[[str], Run], say: Callable[[dict], None]) -> None:
    """Answers one job."""
    stage = "load"
    try:
        run = load(job["model"])
        say({"loaded": True})
        stage = "run"
        with open(job["inputs"], "rb") as file:
            data = file.read()
        for number, inputs in enumerate(job["runs"]):
            results = run({given["name"]: read(data, given) for given in inputs}, job["outputs"])
            say({"results": write(f"{job['results']}.{number}", results)})
    # A runtime may raise anything; the message is part of the report.
    except Exception as error:
        place = ""
        if type(error).__module__ == "builtins":
            # Python's own exceptions say little without their place.
            frame = traceback.extract_tb(error.__traceback__)[-1]
            place = f" ({os.path.basename(frame.filename)}, {frame.name})"
        say({"failed": stage, "message": f"{type(error).__name__}: {str(error)[:4000]}{place}"})


def answer_all(start: Callable[[], Callable[[str], Run]]) -> None:
    """Starts a runtime, and answers jobs until stdin ends."""
    warnings.simplefilter("ignore")
    # Runtimes print to stdout, which has the answers: they get stderr instead.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def say(message: dict) -> None:
        answers.write(json.dumps(message) + "\n")
        answers.flush()

    load = start()
    say({"ready": True})
    for line in sys.stdin:
        answer(json.loads(line), load, say)


if __name__ == "__main__":
    answer_all(ENGINES[sys.argv[1]])
