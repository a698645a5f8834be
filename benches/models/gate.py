"""Checks small models of the zoo against the bounds in bounds.toml: `gate.py HLO2ONNX [--record]`, with Python 3.11 or newer.

Each model has a largest number of nodes, by default and for ONNX Runtime. Some also have the largest share of the time of
JAX's jit, which is generous because a shared machine disturbs both sides. `--record` writes the results of a run where they
are better. The environment, under target/models, is made once; the first run installs packages.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

import tomllib

import report
from processes import Job, Worker
from run import ROOT, convert

BOUNDS = Path(__file__).parent / "bounds.toml"
FOLDER = ROOT / "target/models"
FORMS = {"nodes": ("ours", []), "target_nodes": ("target", ["--target", "onnxruntime"])}
TIMES = {"of_jax": "ours", "target_of_jax": "target"}
# How much larger a bound of a time is than what was measured.
MARGIN = 2.0
# How often a model is measured before a time counts as too long: other work of the machine can only lengthen it.
TRIES = 3
INSIDE = "HLO2ONNX_GATE"


def environment() -> Path:
    """The interpreter that has the packages of the gate."""
    folder = FOLDER / "environment"
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    files = [Path(__file__).parent / "gate.txt", ROOT / "fixtures/requirements.txt"]
    wanted, marker = "".join(file.read_text() for file in files), folder / "requirements.txt"
    if not marker.exists() or marker.read_text() != wanted:
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        options = ["--quiet", "--disable-pip-version-check", "--only-binary=:all:"]
        subprocess.run([str(python), "-m", "pip", "install", *options, "--requirement", str(files[0])], check=True)
        # It is written last, so that an interrupted installation is repeated.
        marker.write_text(wanted)
    return python


def measure(name: str, bounds: dict[str, float], converter: str, workers: dict[str, Worker]) -> Job:
    """The record of a model, in the form of run.py."""
    built = workers["build"].perform({"model": name, "folder": str(FOLDER)}, 600)
    if "error" in built:
        raise SystemExit(f"{name} cannot be built: {built['error']}")
    files = {}
    for tool, options in FORMS.values():
        files[tool] = str(FOLDER / name / f"gate-{tool}.onnx")
        converted = convert(converter, FOLDER / name / "program.mlir", Path(files[tool]), options)
        if "error" in converted:
            raise SystemExit(f"{name} does not convert: {converted['error']}")
    timed = any(kind in bounds for kind in TIMES)
    job = {"model": name, "folder": str(FOLDER), "models": files, "jax": timed, "seconds": 1.0 if timed else 0.0}
    measured = workers["measure"].perform(job, 600)
    for tool, result in measured.get("results", dict.fromkeys(files, measured)).items():
        if "error" in result:
            raise SystemExit(f"{name} does not run as {tool}: {result['error']}")
        result["runs"] = {"1": {"cpu_ms": result["cpu_ms"]}}
    return {"model": name, "tools": measured["results"]}


def results_of(record: Job, bounds: dict[str, float]) -> dict[str, float]:
    """What a run says about each bound."""
    found = {kind: record["tools"][tool]["nodes"] for kind, (tool, _) in FORMS.items()}
    for kind, tool in TIMES.items():
        share = report.ratio(record, tool, "jax")
        if kind in bounds and share is not None:
            found[kind] = share
    return found


def better(bounds: dict[str, float], found: dict[str, float]) -> dict[str, float]:
    """The bounds, tightened to a run."""
    best = dict(bounds)
    for kind, value in found.items():
        reached = round(MARGIN * value, 1) if kind in TIMES else value
        best[kind] = min(bounds.get(kind, reached), reached)
    return best


def write(table: dict[str, dict[str, float]]) -> None:
    """Writes the bounds behind the comment of the file."""
    comment = BOUNDS.read_text().split("\n[")[0].rstrip()
    sections = [[f"[{name}]", *(f"{kind} = {bound}" for kind, bound in bounds.items())] for name, bounds in table.items()]
    BOUNDS.write_text("\n\n".join([comment, *("\n".join(section) for section in sections)]) + "\n")


def main() -> int:
    """Runs the command; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("converter", type=Path)
    parser.add_argument("--record", action="store_true", help="write the results where they are better than the bounds")
    arguments = parser.parse_args()
    if INSIDE not in os.environ:
        return subprocess.run([str(environment()), *sys.argv], env={**os.environ, INSIDE: "1"}, check=False).returncode
    table: dict[str, dict[str, float]] = tomllib.loads(BOUNDS.read_text())
    converter = str(arguments.converter.resolve())
    workers = {"build": Worker("build.py"), "measure": Worker("measure.py", environment={"THREADS": "1"})}
    problems = []
    try:
        for name, bounds in table.items():
            found: dict[str, float] = {}
            for _ in range(TRIES):
                again = results_of(measure(name, bounds, converter, workers), bounds)
                found = {kind: min(value, found.get(kind, value)) for kind, value in again.items()}
                if all(found[kind] <= bounds[kind] for kind in TIMES if kind in bounds):
                    break
            for kind, value in found.items():
                if kind in bounds and value > bounds[kind]:
                    problems.append(f"{name}: {kind} is {value:.4g}, more than {bounds[kind]}")
            print(f"{name}: " + ", ".join(f"{kind} {value:.3g}" for kind, value in found.items()), flush=True)
            if arguments.record:
                table[name] = better(bounds, found)
                write(table)
    finally:
        for worker in workers.values():
            worker.close()
    print(*(problems or [f"{len(table)} models are within their bounds"]), sep="\n")
    return 1 if problems else 0


if __name__ == "__main__":
    raise SystemExit(main())
