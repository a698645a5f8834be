"""Measures what runs a model: ONNX files in ONNX Runtime, and JAX's jit, in turn, in one process.

Times are the least of many blocks of runs, of CPU time and of wall time. With one thread, only CPU time is exact on a
machine that has other work.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
import onnx
import onnxruntime

from build import EXACT, EXPECTED, INPUTS, baked, load
from processes import Job, serve
from zoo import MODELS

Run = Callable[[], Any]
THREADS = int(os.environ.get("THREADS", "1"))
# A model whose results differ more from JAX's computes something else, and its time says nothing. Short floats differ less.
WRONG = 0.1
# Of one block, in seconds: long against the clock's cost, short against a time slice.
BLOCK = 0.001
# Of the blocks of one contender before the next one's turn.
TURN = 0.03


def nodes_of(graph: onnx.GraphProto, functions: dict[str, int]) -> int:
    """Nodes, those of subgraphs and called functions included, constants left out."""
    count = 0
    for node in graph.node:
        count += functions.get(f"{node.domain}:{node.op_type}", node.op_type != "Constant")
        for attribute in node.attribute:
            count += sum(nodes_of(inner, functions) for inner in [attribute.g, *attribute.graphs])
    return count


def describe(path: Path) -> Job:
    """Nodes and bytes of a model."""
    model = onnx.load(path, load_external_data=False)
    functions: dict[str, int] = {}
    # Functions come after those that they call.
    for function in model.functions:
        body = onnx.GraphProto(node=function.node)
        functions[f"{function.domain}:{function.name}"] = nodes_of(body, functions)
    files = [path, *path.parent.glob(f"{path.name}.data*")]
    return {"nodes": nodes_of(model.graph, functions), "bytes": sum(file.stat().st_size for file in files)}


def onnx_run(path: Path, inputs: list[np.ndarray]) -> tuple[Run, float]:
    """A run in ONNX Runtime, and the seconds of loading."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    started = time.process_time()
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    loading = time.process_time() - started
    names = [value.name for value in session.get_inputs()]
    if len(names) != len(inputs):
        raise ValueError(f"the model has {len(names)} inputs, the program {len(inputs)}")
    feed = dict(zip(names, inputs))
    return lambda: session.run(None, feed), loading


def limit_threads() -> None:
    """XLA makes as many threads as the process may use processors, once it starts."""
    if hasattr(os, "sched_setaffinity"):
        allowed = sorted(os.sched_getaffinity(0))
        first = os.getpid() % len(allowed)
        os.sched_setaffinity(0, (allowed * 2)[first : first + THREADS])
    if THREADS == 1:
        os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + " --xla_cpu_multi_thread_eigen=false"


def jax_runs(name: str, inputs: list[np.ndarray]) -> dict[str, Run]:
    """Runs of JAX's jit, with the weights as constants and as arguments."""
    jax.config.update("jax_cpu_enable_async_dispatch", False)
    program = MODELS[name].make()
    on_device = [jax.device_put(value) for value in inputs]
    weights = jax.tree_util.tree_map(jax.device_put, program.weights)
    constants, arguments = jax.jit(baked(program)), jax.jit(program.function)
    return {
        "constants": lambda: jax.block_until_ready(constants(*on_device)),
        "arguments": lambda: jax.block_until_ready(arguments(weights, *on_device)),
    }


def difference(results: list[np.ndarray], references: list[np.ndarray]) -> list[float]:
    """For each float result the largest difference, relative to the largest value; for others, the share that differs."""
    if len(results) != len(references):
        raise ValueError(f"{len(results)} results instead of {len(references)}")
    differences = []
    for result, reference in zip(results, references):
        if result.shape != reference.shape:
            raise ValueError(f"the shape {result.shape} instead of {reference.shape}")
        if not np.issubdtype(reference.dtype, np.floating):
            differences.append(float(np.mean(result != reference)) if result.size else 0.0)
            continue
        wide, exact = result.astype(np.float64), reference.astype(np.float64)
        finite = np.isfinite(exact)
        if not np.array_equal(wide[~finite], exact[~finite], equal_nan=True):
            differences.append(float("inf"))
            continue
        scale = np.max(np.abs(exact[finite]), initial=0.0)
        differences.append(float(np.max(np.abs(wide - exact)[finite], initial=0.0) / (scale or 1.0)))
    return differences


def compare(results: Any, expected: list[np.ndarray], exact: list[np.ndarray] | None) -> Job:
    """The error against JAX, and that against exact results, as a multiple of JAX's own."""
    arrays = [np.asarray(result) for result in jax.tree_util.tree_leaves(results)]
    errors: Job = {"error_jax": max(difference(arrays, expected), default=0.0)}
    if not errors["error_jax"] <= WRONG:
        raise ValueError(f"the results are wrong: {errors['error_jax']:.2g} of the largest value")
    if exact is not None:
        floats = [i for i, value in enumerate(exact) if np.issubdtype(value.dtype, np.floating)]
        ours, jaxs = difference(arrays, exact), difference(expected, exact)
        # Results of JAX that are exact by chance do not count as such.
        rounding = 2.0**-23
        errors["error_exact"] = max((ours[i] for i in floats), default=0.0)
        errors["error_ratio"] = max((ours[i] / max(jaxs[i], rounding) for i in floats), default=0.0)
    return errors


def least(runs: dict[str, Run], seconds: float) -> dict[str, tuple[float, float]]:
    """The least CPU and wall time of each, in milliseconds."""
    counts, turns = {}, {}
    for name, run in runs.items():
        run()
        started = time.perf_counter()
        run()
        once = time.perf_counter() - started
        counts[name] = max(1, round(BLOCK / once))
        turns[name] = max(2, min(30, round(TURN / (once * counts[name]))))
    best = {name: (float("inf"), float("inf")) for name in runs}
    order = list(runs)
    started = time.perf_counter()
    rounds = 0
    while rounds < 4 or time.perf_counter() - started < seconds:
        for name in order:
            if THREADS > 1:
                # The threads of the one before stop to spin.
                time.sleep(0.005)
            best[name] = turn(runs[name], counts[name], turns[name], best[name])
        order = order[1:] + order[:1]
        rounds += 1
    return {name: (cpu * 1e3, wall * 1e3) for name, (cpu, wall) in best.items()}


def turn(run: Run, count: int, blocks: int, best: tuple[float, float]) -> tuple[float, float]:
    """The least times after several blocks. The first run fills the caches."""
    run()
    cpu, wall = best
    for _ in range(blocks):
        cpu_start, wall_start = time.process_time(), time.perf_counter()
        for _ in range(count):
            run()
        wall = min(wall, (time.perf_counter() - wall_start) / count)
        cpu = min(cpu, (time.process_time() - cpu_start) / count)
    return cpu, wall


def perform(job: Job) -> Job:
    """Measures one model; `models` has the ONNX files by name."""
    folder = Path(job["folder"]) / job["model"]
    inputs, expected = load(folder / INPUTS), load(folder / EXPECTED)
    exact = load(folder / EXACT) if (folder / EXACT).exists() else None
    results: Job = {}
    runs: dict[str, Run] = {}
    for name, path in job["models"].items():
        results[name] = describe(Path(path))
        try:
            # A model of torch has its own weights, and other forms of inputs.
            foreign = name == "torch"
            run, loading = onnx_run(Path(path), load(Path(path).with_suffix(".npz")) if foreign else inputs)
            values = run()
            results[name] |= {"load_s": loading, **({} if foreign else compare(values, expected, exact))}
            runs[name] = run
        except Exception as error:
            results[name]["error"] = f"{type(error).__name__}: {error}"[:500]
    if job["jax"]:
        for form, run in jax_runs(job["model"], inputs).items():
            name = f"jax {form}"
            try:
                started = time.process_time()
                values = run()
                results[name] = {"load_s": time.process_time() - started, **compare(values, expected, exact)}
                runs[name] = run
            except Exception as error:
                results[name] = {"error": f"{type(error).__name__}: {error}"[:500]}
    for name, (cpu, wall) in least(runs, job["seconds"]).items():
        results[name] |= {"cpu_ms": cpu, "wall_ms": wall}
    return {"results": results}


if __name__ == "__main__":
    sys.setrecursionlimit(10000)
    limit_threads()
    serve(perform)
