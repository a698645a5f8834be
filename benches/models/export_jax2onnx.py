"""Converts models of the zoo with jax2onnx, from the same functions."""

from __future__ import annotations

import json
import time
from importlib.metadata import version
from pathlib import Path

import jax
import jax2onnx

from build import baked, source_key
from processes import Job, alone, serve
from zoo import MODELS


def export(job: Job) -> Job:
    """Converts one model, unless that has been done. A failure is kept too."""
    model = MODELS[job["model"]]
    output = Path(job["output"])
    key = f"{source_key(model)} jax2onnx {version('jax2onnx')}"
    note = output.with_suffix(".json")
    if note.exists():
        kept: Job = json.loads(note.read_text())
        if kept["key"] == key:
            return kept
    result: Job = {"key": key}
    program = model.make()
    shapes = [jax.ShapeDtypeStruct(value.shape, value.dtype) for value in program.inputs]
    started = time.perf_counter()
    try:
        jax2onnx.to_onnx(baked(program), shapes, return_mode="file", output_path=str(output))
        result["convert_s"] = time.perf_counter() - started
    except Exception as error:
        result["error"] = f"{type(error).__name__}: {error}"[:500]
    note.write_text(json.dumps(result))
    return result


def perform(job: Job) -> Job:
    """Exports one model; another run that does the same waits, and finds it."""
    with alone(Path(job["output"]).parent):
        return export(job)


if __name__ == "__main__":
    serve(perform)
