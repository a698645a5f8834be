"""Compares conversions of Flax models by hlo2onnx and jax2onnx.

    pip install . jax2onnx flax onnxruntime
    python python/benches/against_jax2onnx.py

Each tool converts each model to a file in its own process: once, with the import of the tool, and five times more,
of which the fastest counts. It prints

- the elapsed times,
- the peak of resident memory that the first conversion adds,
- the nodes of the model,
- the number of weights that are named as in the user's tree,
- the largest difference between the results of ONNX Runtime and JAX,

and what each tool reports of a function with three calls that neither supports.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

TOOLS = ("hlo2onnx", "jax2onnx")
LATER = 5


def mlp() -> tuple[Any, tuple[Any, ...]]:
    from flax import linen as nn

    return nn.Sequential([nn.Dense(4000), nn.relu, nn.Dense(4000), nn.relu, nn.Dense(4000), nn.relu, nn.Dense(4000)]), ("B", 4000)


def encoder() -> tuple[Any, tuple[Any, ...]]:
    from flax import linen as nn

    class Block(nn.Module):
        @nn.compact
        def __call__(self, x: Any) -> Any:
            x = x + nn.MultiHeadDotProductAttention(num_heads=8)(nn.LayerNorm()(x))
            return x + nn.Dense(512)(nn.gelu(nn.Dense(2048)(nn.LayerNorm()(x))))

    return nn.Sequential([Block() for _ in range(6)]), ("B", 64, 512)


def cnn() -> tuple[Any, tuple[Any, ...]]:
    import jax
    from flax import linen as nn

    class Block(nn.Module):
        features: int

        @nn.compact
        def __call__(self, x: Any) -> Any:
            y = nn.Conv(self.features, (3, 3), use_bias=False)(x)
            y = nn.relu(nn.BatchNorm(use_running_average=True)(y))
            y = nn.Conv(self.features, (3, 3), use_bias=False)(y)
            y = nn.BatchNorm(use_running_average=True)(y)
            return nn.relu(nn.Conv(self.features, (1, 1))(x) + y)

    class Network(nn.Module):
        @nn.compact
        def __call__(self, x: Any) -> Any:
            for features in (32, 64, 128):
                # By keyword: jax2onnx's patched `max_pool` takes no second positional argument.
                x = nn.max_pool(Block(features)(x), window_shape=(2, 2), strides=(2, 2))
            return jax.nn.softmax(nn.Dense(10)(x.mean(axis=(1, 2))))

    return Network(), ("B", 64, 64, 3)


MODELS: dict[str, Callable[[], tuple[Any, tuple[Any, ...]]]] = {"mlp": mlp, "encoder": encoder, "cnn": cnn}


def main() -> None:
    print("| model | tool | first | later | memory added | nodes | named weights | largest difference |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for model in MODELS:
        for tool in TOOLS:
            found = worker("convert", tool, model)
            print(
                f"| {model}, {found['megabytes']:.0f} MB | {tool} | {found['first']:.2f} s | {found['later']:.2f} s "
                f"| {found['memory']:.0f} MB | {found['nodes']} | {found['named']} of {found['weights']} "
                f"| {found['difference']:.1e} |",
                flush=True,
            )
    for tool in TOOLS:
        print(f"\n{tool} on a function with three unsupported calls:\n{worker('refuse', tool, '')['text']}")


def worker(task: str, tool: str, model: str) -> Any:
    run = subprocess.run([sys.executable, __file__, task, tool, model], capture_output=True, text=True, check=False)
    if run.returncode != 0:
        raise SystemExit(f"{task} {tool} {model}:\n{run.stderr}")
    return json.loads(run.stdout.splitlines()[-1])


def convert(tool: str, name: str) -> dict[str, Any]:
    import jax
    import numpy as np

    module, shape = MODELS[name]()
    concrete = tuple(2 if size == "B" else size for size in shape)
    x = np.random.default_rng(0).standard_normal(concrete, dtype=np.float32)
    variables = jax.jit(module.init)(jax.random.key(0), x)
    # Initial biases and statistics are zeros and ones, which a compiler removes: trained ones are not.
    keys = iter(jax.random.split(jax.random.key(1), 1000))
    variables = jax.tree_util.tree_map(
        lambda leaf: leaf if leaf.ndim > 1 else abs(leaf + 0.1 * jax.random.normal(next(keys), leaf.shape)), variables
    )
    expected = np.asarray(module.apply(variables, x))
    jax.clear_caches()

    def function(x: Any) -> Any:
        return module.apply(variables, x)

    with tempfile.TemporaryDirectory() as folder:
        before = memory("VmRSS")
        reset_peak()
        start = time.perf_counter()
        to_onnx = __import__(tool).to_onnx
        path = Path(folder) / "first.onnx"
        to_onnx(function, inputs=[shape], model_name=name, return_mode="file", output_path=str(path))
        first = time.perf_counter() - start
        added = memory("VmHWM") - before
        later = []
        for index in range(LATER):
            start = time.perf_counter()
            to_onnx(
                function, inputs=[shape], model_name=name, return_mode="file", output_path=f"{folder}/{index}.onnx"
            )
            later.append(time.perf_counter() - start)
        nodes, named, difference = inspect(path, variables, x, expected)
    leaves = jax.tree_util.tree_leaves(variables)
    return {
        "first": first,
        "later": min(later),
        "memory": added,
        "nodes": nodes,
        "named": named,
        "weights": len(leaves),
        "megabytes": sum(leaf.nbytes for leaf in leaves) / 1e6,
        "difference": difference,
    }


def inspect(path: Path, variables: Any, x: Any, expected: Any) -> tuple[int, int, float]:
    """The nodes of a model, how many weights have their names, and the largest difference of its results."""
    import jax
    import numpy as np
    import onnx
    import onnxruntime

    model = onnx.load(path, load_external_data=False)
    names = {tensor.name for tensor in model.graph.initializer}
    leaves = jax.tree_util.tree_leaves_with_path(variables)
    paths = [jax.tree_util.keystr(keys, simple=True, separator="/") for keys, _ in leaves]
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (got,) = session.run(None, {session.get_inputs()[0].name: x})
    nodes = len(model.graph.node) + sum(len(function.node) for function in model.functions)
    return nodes, sum(path in names for path in paths), float(np.max(np.abs(got - expected)))


def refuse(tool: str) -> dict[str, Any]:
    import jax
    import jax.numpy as jnp
    import numpy as np

    def function(x: Any) -> Any:
        sort = jax.pure_callback(np.sort, jax.ShapeDtypeStruct((8,), jnp.float32), x)
        noise = jax.lax.rng_uniform(0.0, 1.0, (8,))
        return jax.pure_callback(np.cumsum, jax.ShapeDtypeStruct((8,), jnp.float32), sort + noise)

    to_onnx = __import__(tool).to_onnx
    try:
        to_onnx(function, inputs=[(8,)])
    except Exception as error:
        return {"text": f"{type(error).__name__}: {error}"}
    return {"text": "no error"}


def memory(field: str) -> float:
    """A field of this process's status, in megabytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) / 1e3
    raise SystemExit(f"the status of this process has no {field}")


def reset_peak() -> None:
    """Reset the peak of resident memory."""
    Path("/proc/self/clear_refs").write_text("5")


if __name__ == "__main__":
    if len(sys.argv) == 1:
        main()
    elif sys.argv[1] == "convert":
        print(json.dumps(convert(*sys.argv[2:])))
    else:
        print(json.dumps(refuse(sys.argv[2])))
