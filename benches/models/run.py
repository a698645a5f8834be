"""Measures the models of the zoo: conversion by hlo2onnx and jax2onnx, latency in ONNX Runtime, and that of JAX's jit.

    pip install -r benches/models/requirements.txt
    cargo build --release
    python benches/models/run.py                                 # all models; takes an hour on two cores
    python benches/models/run.py --only 'gpt|llama' --threads 1  # models whose names contain the expression
    python benches/models/run.py --small --converter new=target/release/hlo2onnx --converter old=/tmp/hlo2onnx
    python benches/models/run.py --real --torch PYTHON           # also against torch's exporter; PYTHON has torch
    python benches/models/run.py --report FILE                   # prints the table of an earlier --json
    python benches/models/run.py --torch PYTHON --docs           # writes the tables in README.md and docs/performance.md

The zoo is built once, under target/models or --folder: its texts have 6 GB. Each model is then converted by each tool: `ours`
is hlo2onnx with its default options, `target` the same with `--target onnxruntime`, and `jax` is the faster one of the
program with its weights as constants and as arguments. All run in turn in one process, and a time is the least of many.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import re
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import docs
import report
from processes import Job, Worker

ROOT = Path(__file__).resolve().parent.parent.parent
TOOLS = ("ours", "target", "jax2onnx", "torch", "jax")


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", type=re.compile, help="models whose names contain this expression")
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--real", action="store_true", help="only models of the size that people deploy")
    size.add_argument("--small", action="store_true", help="only the others")
    parser.add_argument("--folder", type=Path, default=ROOT / "target/models", help="where the zoo is built")
    parser.add_argument(
        "--converter", action="append", metavar="[LABEL=]BIN", help="the hlo2onnx to measure; target/release/hlo2onnx without it"
    )
    parser.add_argument("--tools", type=lambda text: text.split(","), default=list(TOOLS), help=f"some of {','.join(TOOLS)}")
    parser.add_argument("--torch", metavar="PYTHON", help="a Python that has torch, torchvision and onnxscript")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--seconds", type=float, default=6, help="of measurement, for each model and number of threads")
    parser.add_argument("--build", action="store_true", help="build and convert, do not measure")
    parser.add_argument("--json", type=Path, help="write all results; written after each model")
    parser.add_argument("--report", type=Path, nargs="+", help="print the table of files that --json wrote")
    parser.add_argument("--docs", action="store_true", help="write the tables in README.md and docs/performance.md")
    return parser.parse_args()


def converters(given: list[str] | None) -> dict[str, str]:
    """The binaries by their labels."""
    named = {}
    for text in given or [str(ROOT / "target/release/hlo2onnx")]:
        label, _, path = text.rpartition("=")
        if not Path(path).is_file():
            raise SystemExit(f"there is no converter {path}: run `cargo build --release`")
        named[label or "ours"] = str(Path(path).resolve())
    return named


def convert(binary: str, program: Path, output: Path, options: list[str]) -> Job:
    """Converts a text."""
    started = time.perf_counter()
    command = [binary, "convert", str(program), "-o", str(output), "--quiet", *options]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode != 0:
        return {"error": run.stderr[:500] or f"status {run.returncode}"}
    return {"convert_s": time.perf_counter() - started}


def selected(arguments: argparse.Namespace) -> list[Job]:
    """The models that the command line names."""
    # This process needs no JAX for anything else.
    script = "import json, zoo; print(json.dumps([[m.name, m.real, m.random, m.layers] for m in zoo.MODELS.values()]))"
    environment = {**os.environ, "JAX_PLATFORMS": "cpu"}
    output = subprocess.run(
        [sys.executable, "-c", script], cwd=Path(__file__).parent, env=environment, stdout=subprocess.PIPE, check=True
    ).stdout
    models = [dict(zip(("model", "real", "random", "layers"), row)) for row in json.loads(output)]
    return [
        model
        for model in models
        if (arguments.only is None or arguments.only.search(model["model"]))
        and not (arguments.real and not model["real"])
        and not (arguments.small and model["real"])
    ]


class Bench:
    """The processes of one command."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.arguments = arguments
        self.folder = arguments.folder.resolve()
        self.converters = converters(arguments.converter)
        self.build = Worker("build.py")
        self.jax2onnx = Worker("export_jax2onnx.py")
        self.torch = Worker("export_torch.py", arguments.torch) if arguments.torch else None
        self.measure = {threads: Worker("measure.py", environment={"THREADS": str(threads)}) for threads in arguments.threads}

    def close(self) -> None:
        """Frees the memory of all processes."""
        for worker in [self.build, self.jax2onnx, self.torch, *self.measure.values()]:
            if worker is not None:
                worker.close()

    def models(self, name: str) -> tuple[dict[str, str], dict[str, Job]]:
        """Converts a model with each tool: the files, and what is known of each tool."""
        tools = self.arguments.tools
        folder = self.folder / name
        files, notes = {}, {}
        for label, binary in self.converters.items():
            forms = {"ours": (label, []), "target": (f"{label} target", ["--target", "onnxruntime"])}
            for form, (tool, options) in forms.items():
                if form in tools:
                    tool = "target" if tool == "ours target" else tool
                    files[tool] = str(folder / f"{tool.replace(' ', '-')}.onnx")
                    notes[tool] = convert(binary, folder / "program.mlir", Path(files[tool]), options)
        if "jax2onnx" in tools:
            files["jax2onnx"] = str(folder / "jax2onnx.onnx")
            notes["jax2onnx"] = self.jax2onnx.perform({"model": name, "output": files["jax2onnx"]}, 1800)
            notes["jax2onnx"].pop("key", None)
        if "torch" in tools and self.torch is not None:
            output, inputs = folder / "torch.onnx", folder / "torch.npz"
            exported = self.torch.perform({"model": name, "output": str(output), "inputs": str(inputs)}, 1800)
            if exported.get("known", True):
                files["torch"] = str(output)
                notes["torch"] = {name: value for name, value in exported.items() if name != "key"}
        return {tool: path for tool, path in files.items() if "error" not in notes[tool]}, notes

    def run(self, model: Job) -> Job:
        """Builds, converts and measures a model."""
        name = model["model"]
        built = self.build.perform({"model": name, "folder": str(self.folder)}, 1800)
        if "error" in built:
            return {**model, "tools": {}, "error": built["error"]}
        files, notes = self.models(name)
        if self.arguments.build:
            return {**model, "tools": notes}
        for threads, worker in self.measure.items():
            job = {"model": name, "folder": str(self.folder), "models": files, "jax": "jax" in self.arguments.tools}
            measured = worker.perform({**job, "seconds": self.arguments.seconds}, 1800 + 10 * self.arguments.seconds)
            if "error" in measured:
                return {**model, "tools": notes, "error": measured["error"]}
            for tool, result in measured["results"].items():
                times = {kind: result.pop(kind) for kind in ("cpu_ms", "wall_ms") if kind in result}
                note = notes.setdefault(tool, {})
                note |= result
                note.setdefault("runs", {})[str(threads)] = times
        return {**model, "tools": notes}


def versions() -> dict[str, str]:
    """The versions that the results depend on."""
    packages = ("jax", "flax", "jax2onnx", "onnxruntime")
    return {"python": platform.python_version(), **{name: version(name) for name in packages}}


def machine() -> str:
    """The number and the kind of processors."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{os.cpu_count()} cores of {names[0] if names else platform.machine()}"


def main() -> int:
    """Runs the command; returns the exit status."""
    arguments = parse()
    if arguments.report:
        documents = [json.loads(path.read_text()) for path in arguments.report]
        finish(documents[0] | {"models": [record for one in documents for record in one["models"]]}, arguments.docs)
        return 0
    document: Job = {"date": datetime.date.today().isoformat(), "machine": machine(), "versions": versions(), "models": []}
    bench = Bench(arguments)
    try:
        for model in selected(arguments):
            record = bench.run(model)
            document["models"].append(record)
            print(report.line(record), flush=True)
            if arguments.json:
                arguments.json.write_text(json.dumps(document, indent=1) + "\n")
            if model["real"]:
                bench.close()
    finally:
        bench.close()
    finish(document, arguments.docs)
    return 0


def finish(document: Job, writes: bool) -> None:
    """Prints the table, and writes it to the documentation if asked."""
    print(report.table(document["models"]))
    if writes:
        docs.write(document, ROOT)


if __name__ == "__main__":
    raise SystemExit(main())
