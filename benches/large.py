"""Converts a Flax model of several gigabytes with each form of its weights, runs it, and compares the time with `cp`.

    pip install -r fixtures/requirements.txt
    cargo build --release
    python benches/large.py [--gigabytes 2.5] [--folder target/bench/large]

Prints, for weights in a file (copied and referred to) and for weights in the text, the time of the conversion and of
`cp` of its inputs, the peak of resident memory, and the largest difference between ONNX Runtime's result and JAX's. A model of less than 2 GB, such as
`--gigabytes 0.25`, is also measured as a serialized export, which has no room for more.
Needs five times the size on disk.
"""

import argparse
import re
import shutil
import subprocess
import sys
from pathlib import Path

import flax.linen as nn
import jax
import jax.export
import jax.numpy as jnp
import numpy as np
import onnxruntime
from safetensors.numpy import save_file

WIDTH = 4096
RUNS = 3
LARGEST_EXPORT = 1.9e9


class Model(nn.Module):
    layers: int

    @nn.compact
    def __call__(self, x):
        for _ in range(self.layers):
            x = nn.tanh(nn.Dense(WIDTH)(x))
        return x


def path(keys):
    return jax.tree_util.keystr(keys, simple=True, separator="/")


def make(folder, gigabytes):
    """Writes the text, the weights, the text with the weights in it, and JAX's results."""
    model = Model(layers=round(gigabytes * 1e9 / (WIDTH * WIDTH * 4)))
    x = np.random.default_rng(0).normal(size=(4, WIDTH)).astype(np.float32)
    shapes = jax.eval_shape(model.init, jax.random.key(0), x)
    leaves, tree = jax.tree_util.tree_flatten_with_path(shapes)
    generator = np.random.default_rng(1)
    arrays = [generator.normal(size=leaf.shape, scale=WIDTH**-0.5).astype(np.float32) for _, leaf in leaves]

    names = [path(keys) for keys, _ in leaves]
    save_file(dict(zip(names, arrays)), folder / "weights.safetensors")
    text = jax.jit(model.apply).lower(shapes, x).as_text(debug_info=True)
    (folder / "args.mlir").write_text(text)
    bake(text, arrays, folder / "baked.mlir")
    variables = jax.tree_util.tree_unflatten(tree, arrays)
    if sum(array.nbytes for array in arrays) < LARGEST_EXPORT:
        exported = jax.export.export(jax.jit(lambda x: model.apply(variables, x)))(x)
        (folder / "exported.bin").write_bytes(exported.serialize())
    np.savez(folder / "run.npz", x=x, y=jax.jit(model.apply)(variables, jnp.asarray(x)))


def bake(text, arrays, to):
    """Writes the text with constants instead of all arguments but the last, like a program that closes over them."""
    head, arguments, rest = re.fullmatch(r"(.*func\.func public @main\()(.*?)(\) -> .*)", text, re.DOTALL).groups()
    arguments = re.split(r", (?=%arg\d+:)", arguments)
    signature, body = rest.split("{\n", 1)
    while signature.count("{") != signature.count("}"):
        more, body = body.split("{\n", 1)
        signature += "{\n" + more
    with open(to, "w") as out:
        out.write(head + arguments[-1] + signature + "{\n")
        for argument, array in zip(arguments, arrays, strict=False):
            name, ty = re.match(r"(%arg\d+): (tensor<[^>]*>)", argument).groups()
            out.write(f'    {name} = stablehlo.constant dense<"0x')
            flat = array.reshape(-1)
            for start in range(0, flat.size, 1 << 20):
                out.write(flat[start : start + (1 << 20)].tobytes().hex().upper())
            out.write(f'"> : {ty}\n')
        out.write(body)


# A process inherits its parent's peak, and this one is large.
SMALL_PARENT = """
import os, sys, time
started = time.perf_counter()
_, status, usage = os.wait4(os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ), 0)
print(time.perf_counter() - started, usage.ru_maxrss / 1024)
sys.exit(status != 0)
"""


def run(command):
    """Seconds and peak megabytes of a process."""
    output = subprocess.run([sys.executable, "-S", "-c", SMALL_PARENT, *command], check=True, stdout=subprocess.PIPE)
    seconds, megabytes = map(float, output.stdout.split())
    return seconds, megabytes


def measure(folder, output, inputs, options):
    """The least time of several runs to new files, each after a run of `cp`."""
    converts, copies, peak = [], [], 0
    program = Path(__file__).parent.parent / "target/release/hlo2onnx"
    for _ in range(RUNS):
        shutil.rmtree(folder / "copies", ignore_errors=True)
        (folder / "copies").mkdir()
        subprocess.run(["sync"], check=True)
        copies.append(run(["cp", *inputs, folder / "copies"])[0])
        shutil.rmtree(folder / "copies")
        for old in [output, Path(f"{output}.data")]:
            old.unlink(missing_ok=True)
        subprocess.run(["sync"], check=True)
        seconds, resident = run([program, "convert", inputs[0], "-o", output, "-q", *options])
        converts.append(seconds)
        peak = max(peak, resident)
    return min(converts), min(copies), peak


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--gigabytes", type=float, default=2.5)
    parser.add_argument("--folder", type=Path, default=Path("target/bench/large"))
    arguments = parser.parse_args()
    folder = arguments.folder
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "run.npz").exists():
        make(folder, arguments.gigabytes)
    data = np.load(folder / "run.npz")
    weights = folder / "weights.safetensors"
    print(f"{weights.stat().st_size / 1e9:.2f} GB of weights, and {(folder / 'baked.mlir').stat().st_size / 1e9:.2f} GB as text")
    forms = {
        "weights in a file": ([folder / "args.mlir", weights], ["--weights", weights]),
        "weights referred to": (
            [folder / "args.mlir", weights],
            ["--weights", weights, "--external-data", "reference"],
        ),
        "weights in the text": ([folder / "baked.mlir"], []),
    }
    if (folder / "exported.bin").exists():
        forms["weights in an export"] = ([folder / "exported.bin"], [])
    for name, (inputs, options) in forms.items():
        output = folder / "model.onnx"
        convert, copy, peak = measure(folder, output, inputs, options)
        session = onnxruntime.InferenceSession(output)
        [y] = session.run(None, {session.get_inputs()[0].name: data["x"]})
        difference = np.abs(y - data["y"]).max()
        print(
            f"{name}: convert {convert:.2f} s, cp of its inputs {copy:.2f} s, ratio {convert / copy:.2f}, "
            f"peak {peak:.0f} MB, largest difference from JAX {difference:.1e}"
        )
        np.testing.assert_allclose(y, data["y"], rtol=1e-3, atol=1e-4)


if __name__ == "__main__":
    main()
