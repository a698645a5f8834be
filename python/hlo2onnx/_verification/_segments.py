"""Finds the first part of a model that differs from the program.

Known values, which the model and the program share, cut the graph into segments. Each segment runs on JAX's values, so that
errors elsewhere do not count.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ._errors import FACTOR, Error, compare
from ._report import Fault
from ._runtime import Runner, element_type, first_line, names
from ._values import Mapped


@dataclasses.dataclass(frozen=True)
class Known:
    """A value of the model, as JAX computes it."""

    jax: np.ndarray
    exact: np.ndarray | None
    """The value in 64 bits, if it is known."""
    nudged: Sequence[np.ndarray]
    """The values for inputs that differ in their last bit."""
    mapped: Mapped | None = None


@dataclasses.dataclass(frozen=True)
class Segment:
    """Nodes that compute a known value from other known ones."""

    value: str
    nodes: list[Any]
    inputs: list[str]


class Segments:
    """The segments of a model."""

    def __init__(self, model: Any, known: Mapping[str, Known], feeds: Mapping[str, np.ndarray]) -> None:
        self.model = model
        self.known = known
        self.feeds = feeds
        self.initializers = {tensor.name: tensor for tensor in model.graph.initializer}
        self.producers = {
            output: index for index, node in enumerate(model.graph.node) for output in node.output if output
        }
        self._checked: list[tuple[Segment, Error]] = []

    def __iter__(self) -> Iterator[Segment]:
        """All segments, in the order of the model's nodes."""
        for node in self.model.graph.node:
            for output in node.output:
                if output in self.known:
                    yield self._segment(output)

    def _segment(self, value: str) -> Segment:
        pending, found, inputs = [self.producers[value]], set(), set()
        while pending:
            index = pending.pop()
            if index in found:
                continue
            found.add(index)
            for name in _read(self.model.graph.node[index]):
                if name in self.known or name in self.feeds or name in self.initializers:
                    inputs.add(name)
                elif name in self.producers:
                    pending.append(self.producers[name])
        nodes = [self.model.graph.node[index] for index in sorted(found)]
        return Segment(value, nodes, sorted(inputs))

    def check(self, segment: Segment, *, optimized: bool = True) -> Error:
        """Run one segment on JAX's values and compare its result."""
        known = self.known[segment.value]
        feeds = {name: self._value(name) for name in segment.inputs if name not in self.initializers}
        try:
            got = Runner(self._model(segment, feeds), optimized=optimized)(feeds)[0]
        except Exception as error:
            return Error(False, segment.value, f"ONNX Runtime cannot run it: {first_line(error)}")
        return compare(segment.value, got, known.jax, known.exact, known.nudged)

    def _value(self, name: str) -> np.ndarray:
        return self.known[name].jax if name in self.known else self.feeds[name]

    def _model(self, segment: Segment, feeds: Mapping[str, np.ndarray]) -> bytes:
        import onnx

        # A node of the segment may also compute a value that the segment reads as an input; names must be unique.
        nodes = []
        for node in segment.nodes:
            if any(output in feeds for output in node.output):
                copy = onnx.NodeProto()
                copy.CopyFrom(node)
                for index, output in enumerate(copy.output):
                    if output in feeds and output != segment.value:
                        copy.output[index] = f"{output}/computed"
                node = copy
            nodes.append(node)
        info = onnx.helper.make_tensor_value_info
        result = self.known[segment.value].jax
        graph = onnx.helper.make_graph(
            nodes,
            "segment",
            [info(name, element_type(array.dtype), None) for name, array in feeds.items()],
            [info(segment.value, element_type(result.dtype), None)],
            [self.initializers[name] for name in segment.inputs if name in self.initializers],
        )
        model = onnx.helper.make_model(graph, opset_imports=self.model.opset_import, functions=self.model.functions)
        model.ir_version = self.model.ir_version
        return model.SerializeToString()

    def first_fault(self) -> Fault | None:
        """The first segment that differs."""
        self._checked.clear()
        for segment in self:
            error = self.check(segment)
            if not error.ok:
                plain = self.check(segment, optimized=False)
                return self._fault(segment, error, "The first part that differs", plain.ok)
            self._checked.append((segment, error))
        return None

    def furthest(self) -> Fault | None:
        """The segment with the largest error relative to its own elements, if `first_fault` found none.

        A tolerance relative to the largest element hides errors in small elements; with eight bits it hides nearly all.
        """
        segment, error = max(self._checked, key=lambda checked: checked[1].excess, default=(None, None))
        if segment is None or error is None or error.excess <= FACTOR:
            return None
        why = f"it is off by {error.excess:.3g} times what rounding explains at one of its elements"
        if error.excess == np.inf:
            why = "NaN or infinity differs from JAX"
        message = "No part differs by more than is allowed. The part with the largest relative error"
        return self._fault(segment, dataclasses.replace(error, why=why), message, False)

    def _fault(self, segment: Segment, error: Error, which: str, is_optimization: bool) -> Fault:
        count = len(segment.nodes)
        what = "this node computes" if count == 1 else f"these {count} nodes compute"
        message = f"{which}: {what} `{segment.value}` from correct values."
        if is_optimization:
            message += " They are correct when ONNX Runtime does not optimize: its optimization is at fault."
        mapped = self.known[segment.value].mapped
        return Fault(
            nodes=tuple(names(segment.nodes)),
            value=segment.value,
            cause="runtime" if is_optimization else "nodes",
            error=error,
            message=message,
            python=mapped.python if mapped else None,
            module_path=mapped.module_path if mapped else None,
            ops=tuple(node.op_type for node in segment.nodes),
        )


def exposed(model: Any, known: Mapping[str, Known]) -> bytes:
    """The model with all known values as outputs after its own, so that nothing is fused across them."""
    import onnx

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    own = {output.name for output in copy.graph.output} | {value.name for value in copy.graph.input}
    for name, value in known.items():
        if name not in own:
            info = onnx.helper.make_tensor_value_info(name, element_type(value.jax.dtype), None)
            copy.graph.output.append(info)
    return copy.SerializeToString()


def _read(node: Any) -> set[str]:
    """All values that a node reads, including those that its subgraphs capture."""
    found = {name for name in node.input if name}
    for attribute in node.attribute:
        graphs = [attribute.g] if attribute.HasField("g") else attribute.graphs
        for graph in graphs:
            inner = set().union(*(_read(inner) for inner in graph.node)) if graph.node else set()
            inner |= {output.name for output in graph.output}
            own = {value.name for value in graph.input} | {tensor.name for tensor in graph.initializer}
            own |= {output for inner_node in graph.node for output in inner_node.output}
            found |= inner - own
    return found
