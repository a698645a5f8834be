"""Verifies correct models, and models with one node broken on purpose, and counts the verdicts.

    python python/tests/broken.py [--broken 200] [--right 500] [--seed 0] [--show]

The programs are those of fixtures/ops and fixtures/models. It prints for how many broken models the report names the broken
node, and how many correct models it reports as wrong.
"""

from __future__ import annotations

import argparse
import dataclasses
import re
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

import hlo2onnx
from hlo2onnx._verification._report import Fault
from hlo2onnx._verification._runtime import Runner
from hlo2onnx._verification._segments import Segments
from hlo2onnx._verification._subject import TextSubject
from hlo2onnx._verification._verify import Run, Verification

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"


@dataclasses.dataclass(frozen=True)
class Program:
    """A program of the fixtures."""

    name: str
    text: str
    inputs: list[np.ndarray] | None = None
    weights: tuple[str, ...] = ()
    options: dict[str, Any] = dataclasses.field(default_factory=dict)

    def convert(self) -> onnx.ModelProto | None:
        """The model; ``None`` if the compiler refuses the program."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return hlo2onnx.convert(self.text, weights=self.weights, **self.options)
        except hlo2onnx.ConversionError:
            return None

    def verify(self, model: Any) -> hlo2onnx.Report:
        """The verdict on a model of this program."""
        return hlo2onnx.verify(self.text, model, self.inputs, weights=self.weights, **self.options)


def operations(pattern: str = "**/*.mlir") -> Iterator[Program]:
    """The cases of fixtures/ops whose values XLA has computed, with their own inputs."""
    # Python 3.10, which the tests also support, lacks this module.
    import tomllib

    sys.path.insert(0, str(FIXTURES))
    import notation

    for path in sorted((FIXTURES / "ops").glob(pattern)):
        text = path.read_text()
        head = tomllib.loads("\n".join(line[3:] for line in text.split("\n") if line.startswith("//!")))
        if head.get("values") == "hand" or "run" not in head.get("test", ["graph", "run"]):
            continue
        if set(head) - {"test", "values"}:
            continue
        for index, case in enumerate(re.split(r"(?m)^// -----$", text)):
            if "@twin" in case or "// error" in case:
                continue
            inputs = []
            for line in case.split("\n"):
                if line.startswith("// out:"):
                    break
                if line.startswith("// in:"):
                    inputs.append(notation.parse_value(line.removeprefix("// in:")))
            yield Program(f"{path.relative_to(FIXTURES)}::{index}", case, inputs)


def models() -> Iterator[Program]:
    """The models of fixtures/models, on random inputs."""
    for folder in sorted((FIXTURES / "models").iterdir()):
        for path in sorted(folder.glob("*.mlir")) if folder.is_dir() else ():
            weights = folder / "weights.safetensors"
            takes = weights.exists() and ".args" in path.name
            yield Program(str(path.relative_to(FIXTURES)), path.read_text(), None, (str(weights),) if takes else ())


def mutations(model: onnx.ModelProto, random: np.random.Generator) -> Iterator[tuple[str, str, onnx.ModelProto]]:
    """Models with one node broken: what was done, the value that the node computes, and the model."""
    indices = random.permutation(len(model.graph.node))
    for index in indices:
        for name, change in CHANGES.items():
            copy = onnx.ModelProto()
            copy.CopyFrom(model)
            node = copy.graph.node[index]
            if node.output and change(copy.graph, node, random):
                yield f"{name} of {node.op_type}", node.output[0], copy


def constant(graph: Any, name: str) -> Any:
    """The initializer of that name, if it exists."""
    return next((tensor for tensor in graph.initializer if tensor.name == name), None)


def put_constant(graph: Any, node: Any, place: int, array: np.ndarray) -> None:
    """Make only this node read another constant."""
    name = f"broken/{node.input[place]}"
    graph.initializer.append(numpy_helper.from_array(array, name))
    node.input[place] = name


def change_axis(graph: Any, node: Any, random: np.random.Generator) -> bool:
    """Another axis: of an attribute, of the axes of a reduction, or another order of dimensions."""
    for attribute in node.attribute:
        if attribute.name == "axis":
            attribute.i = attribute.i - 1 if attribute.i > 0 else attribute.i + 1
            return True
        if attribute.name == "perm" and len(attribute.ints) > 1:
            attribute.ints[-2], attribute.ints[-1] = attribute.ints[-1], attribute.ints[-2]
            return True
    if node.op_type.startswith("Reduce") and len(node.input) > 1:
        axes = constant(graph, node.input[1])
        if axes is not None:
            array = numpy_helper.to_array(axes)
            if array.size:
                put_constant(graph, node, 1, np.where(array > 0, array - 1, array + 1))
                return True
    return False


def change_constant(graph: Any, node: Any, random: np.random.Generator) -> bool:
    """A wrong element of a constant."""
    for place, name in enumerate(node.input):
        tensor = constant(graph, name)
        if tensor is None or tensor.data_type not in (onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE):
            continue
        array = numpy_helper.to_array(tensor).copy()
        if array.size:
            flat = array.reshape(-1)
            at = random.integers(array.size)
            flat[at] = flat[at] * 1.5 + 0.5
            put_constant(graph, node, place, array)
            return True
    return False


def drop_broadcast(graph: Any, node: Any, random: np.random.Generator) -> bool:
    """An Expand without effect."""
    if node.op_type != "Expand":
        return False
    node.op_type = "Identity"
    del node.input[1:]
    return True


def shift_index(graph: Any, node: Any, random: np.random.Generator) -> bool:
    """Off-by-one positions of a slice, gather or scatter."""
    if node.op_type not in ("Slice", "Gather", "GatherND", "GatherElements", "ScatterND", "ScatterElements"):
        return False
    tensor = constant(graph, node.input[1])
    if tensor is None:
        return False
    array = numpy_helper.to_array(tensor)
    if not array.size:
        return False
    put_constant(graph, node, 1, np.where(array > 0, array - 1, array + 1).astype(array.dtype))
    return True


def swap_operator(graph: Any, node: Any, random: np.random.Generator) -> bool:
    """Another operator on the same operands."""
    others = {"Add": "Sub", "Sub": "Add", "Mul": "Add", "Max": "Min", "Min": "Max", "ReduceSum": "ReduceMean",
              "ReduceMax": "ReduceMin", "Less": "LessOrEqual", "Sin": "Cos", "Tanh": "Sigmoid", "Exp": "Neg"}  # fmt: skip
    if node.op_type not in others or len(node.input) == 0:
        return False
    node.op_type = others[node.op_type]
    return True


CHANGES: dict[str, Callable[[Any, Any, np.random.Generator], bool]] = {
    "another axis": change_axis,
    "a wrong constant": change_constant,
    "a missing broadcast": drop_broadcast,
    "a shifted index": shift_index,
    "another operator": swap_operator,
}


def check_right(programs: Iterator[Program], wanted: int, show: bool, places: bool = False) -> tuple[int, list[str]]:
    """How many correct models were verified, and those that were reported as wrong."""
    done, imprecise, alarms = 0, 0, []
    for program in programs:
        if done == wanted:
            break
        model = program.convert()
        if model is None:
            continue
        try:
            report = program.verify(model)
        except Exception as error:
            alarms.append(f"{program.name}: {type(error).__name__}: {str(error).strip()[:300]}")
            continue
        if not report.checked:
            # XLA lacks the op, or XLA on the CPU does not support the program.
            print(f"{program.name}: {report}")
            continue
        done += 1
        if show and done % 50 == 0:
            print(f"{len(alarms)} of {done}, at {program.name}", file=sys.stderr, flush=True)
        imprecise += any("in 64 bits" in note for note in report.notes)
        if not report.passed:
            alarms.append(f"{program.name}:\n{report}" if show else program.name)
        elif places:
            try:
                fault = false_place(program, model)
            except Exception as error:
                print(f"{program.name}: its segments cannot be checked: {str(error).strip()[:200]}")
                continue
            if fault is not None:
                alarms.append(f"{program.name}: a segment of a correct model would be named" + (f"\n{fault}" if show else ""))
    print(f"{imprecise} programs do not run in 64 bits")
    return done, alarms


def check_broken(programs: Iterator[Program], wanted: int, seed: int, each: int, show: bool) -> tuple[int, int, list[str]]:
    """How many broken models were verified, how many reports name the broken node, and the verdicts on the others."""
    random = np.random.default_rng(seed)
    done, named, others = 0, 0, []
    for program in programs:
        if done == wanted:
            break
        model = program.convert()
        if model is None:
            continue
        taken = 0
        if sys.stderr.isatty() or show:
            print(f"{named} of {done} named, at {program.name}", file=sys.stderr, flush=True)
        for what, node, broken in mutations(model, random):
            if done == wanted or taken == each:
                break
            try:
                report = program.verify(broken)
            except Exception as error:
                others.append(f"{program.name}: {what} `{node}`: {type(error).__name__}: {str(error).strip()[:300]}")
                continue
            if report.passed:
                # Some changes have no effect: an axis of size 1, a constant that no result depends on.
                if is_equal(program, model, broken):
                    continue
                done, taken = done + 1, taken + 1
                others.append(f"{program.name}: {what} `{node}` passes")
                continue
            done, taken = done + 1, taken + 1
            if report.fault is not None and node in report.fault.nodes:
                named += 1
            else:
                others.append(f"{program.name}: {what} `{node}` is not named\n{report if show else ''}")
    return done, named, others


def run_of(program: Program, model: Any) -> Run:
    """A model and its program on the same inputs."""
    options = hlo2onnx.Options(weights=program.weights, **program.options)
    subject = TextSubject(program.text, program.inputs, options, model)
    arguments = subject.arguments({name: 2 + place for place, name in enumerate(subject.symbols)}, 0)
    return Run(Verification(subject, model, model, options, None, 0), arguments, subject.run(arguments))


def false_place(program: Program, model: Any) -> Fault | None:
    """The part of a correct model that would be named if the whole differed; it must be ``None``."""
    run = run_of(program, model)
    return Segments(model, run.known(), run.feeds).first_fault()


def is_equal(program: Program, model: Any, broken: Any) -> bool:
    """Whether both models compute the same bits for the inputs of the verification."""
    feeds = run_of(program, model).feeds
    pairs = zip(Runner(model)(feeds), Runner(broken)(feeds))
    return all(np.array_equal(one, other, equal_nan=one.dtype.kind == "f") for one, other in pairs)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--broken", type=int, default=200)
    parser.add_argument("--right", type=int, default=500)
    parser.add_argument("--each", type=int, default=3, help="broken models of one program")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--every", type=int, default=1, help="take every Nth operation fixture")
    parser.add_argument("--ops", default="**/*.mlir", help="the operation fixtures")
    parser.add_argument("--places", action="store_true", help="also look for segments of correct models that would be named")
    parser.add_argument("--show", action="store_true", help="print the reports of failures")
    asked = parser.parse_args()
    start = time.time()
    programs = [*models(), *list(operations(asked.ops))[:: asked.every]]
    done, alarms = check_right(iter(programs), asked.right, asked.show, asked.places)
    print("\n".join(alarms))
    print(f"false alarms: {len(alarms)} of {done} correct models, {time.time() - start:.0f} s", flush=True)
    start = time.time()
    count, named, others = check_broken(iter(programs), asked.broken, asked.seed, asked.each, asked.show)
    print("\n".join(others))
    print(f"named at the node: {named} of {count} broken models, {time.time() - start:.0f} s")
    return 0 if not alarms and named == count else 1


if __name__ == "__main__":
    sys.exit(main())
