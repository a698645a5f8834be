"""Applies tools that transform models to the flax suite: ONNX Runtime's static quantisation after its preprocessing, its
float16 converter and its symbolic shape inference, and onnxslim.

A tool succeeds if it makes a model that ONNX Runtime loads. Symbolic shape inference and onnxslim must also keep the results
right.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

import environments
from cases import NoSuite, cases
from conversion import Model, convert_all
from environments import HERE, TARGET, Runtime
from execution import RIGHT, WRONG, Outcome, execute
from report import counts, groups

TOOLS = ("symbolic_shape_inference", "quantize_static", "float16", "onnxslim")
# The tools that do not change what a model computes.
EXACT = ("symbolic_shape_inference", "onnxslim")
SUITE = "flax"
RUNTIME = Runtime("tools", "ONNX Runtime and its tools", "", "onnxruntime", "tools.txt")


def made(outcome: Outcome) -> bool:
    """Whether a tool made a model that loads, whatever its results are."""
    return outcome[0] in (RIGHT, WRONG)


def main(arguments: argparse.Namespace, converter: Path) -> int:
    """Runs the tools and reports; returns the exit status."""
    try:
        python = environments.install("tools", "tools.txt")
        found = list(cases(SUITE))
    except (environments.NotInstalled, NoSuite) as error:
        raise SystemExit(str(error)) from None
    chosen = [case for case in found if arguments.filter is None or arguments.filter.search(case.name)]
    models = convert_all(chosen, converter, arguments.convert_args.split(), arguments.jobs)
    everything_succeeds = True
    for tool in TOOLS:
        command = [str(python), str(HERE / "tool_worker.py"), tool, str(TARGET / "tools")]
        outcomes: dict[str, Outcome] = execute(
            dataclasses.replace(RUNTIME, name=f"tools-{tool}"),
            command,
            chosen,
            models,
            arguments.jobs,
            arguments.timeout,
            not arguments.fresh,
        )
        if tool not in EXACT:
            outcomes = {name: (RIGHT, "") if made(outcome) else outcome for name, outcome in outcomes.items()}
        print(f"{tool}: {counts(outcomes)}")
        print("\n".join(groups(outcomes, arguments.examples)), flush=True)
        everything_succeeds &= all(outcome == RIGHT for outcome, _ in outcomes.values())
    return 0 if everything_succeeds or not arguments.check else 1
