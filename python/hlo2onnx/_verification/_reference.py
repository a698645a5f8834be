"""Runs StableHLO programs in XLA on the CPU, through JAX's jaxlib."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .._conversion import precision


class Executable:
    """A compiled program."""

    def __init__(self, text: str | bytes, arrays: Sequence[np.ndarray]) -> None:
        """Compile a text for arrays of these shapes, which set its symbolic sizes."""
        import jax

        _register_libraries()
        self.device = jax.devices("cpu")[0]
        self._executable = _compile(self.device.client, self.device, _for_shapes(text, arrays))

    def __call__(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """The results for these arguments."""
        import jax

        # Otherwise JAX narrows 64 bits to 32.
        with precision(True):
            held = [jax.device_put(np.asarray(array, order="C"), self.device) for array in arrays]
        return [np.asarray(result) for result in self._executable.execute(held)]


def _compile(client: Any, device: Any, code: bytes) -> Any:
    from jax._src import compiler

    options = compiler.get_compile_options(num_replicas=1, num_partitions=1)
    if not hasattr(client, "compile_and_load"):
        return client.compile(code, options)
    return client.compile_and_load(code, _extension().DeviceList((device,)), options)


def _extension() -> Any:
    """jaxlib's extension module, whose name depends on its version."""
    from jax._src import lib

    return lib._jax if hasattr(lib, "_jax") else lib.xla_extension  # type: ignore[attr-defined]


def _for_shapes(text: str | bytes, arrays: Sequence[np.ndarray]) -> bytes:
    """The program as bytecode, with the sizes of the arrays."""
    from jax._src.interpreters import mlir
    from jax._src.lib.mlir import ir
    from jax._src.lib.mlir.dialects import hlo

    with mlir.make_ir_context(), ir.Location.unknown():
        module = ir.Module.parse(text)
        functions = [op for op in module.body.operations if op.operation.name == "func.func"]
        main = _entry(functions)
        main.attributes["sym_name"] = ir.StringAttr.get("main")
        for function in functions:
            word = "public" if function == main else "private"
            function.attributes["sym_visibility"] = ir.StringAttr.get(word)
        kind = ir.FunctionType(main.type)
        if len(kind.inputs) != len(arrays):
            raise ValueError(f"the program has {len(kind.inputs)} arguments, but {len(arrays)} arrays were passed")
        types = [ir.RankedTensorType(argument) for argument in kind.inputs]
        if all(argument.has_static_shape for argument in types):
            return mlir.module_to_bytecode(module)
        sized = [ir.RankedTensorType.get(array.shape, of.element_type) for array, of in zip(arrays, types)]
        with ir.InsertionPoint.at_block_begin(main.regions[0].blocks[0]):
            for argument, dynamic, static in zip(main.arguments, types, sized):
                if dynamic != static:
                    argument.set_type(static)
                    # The users of the argument, such as calls of functions, still need its symbolic type.
                    converted = hlo.ConvertOp(dynamic, argument)
                    argument.replace_all_uses_with(converted.result)
                    converted.operation.operands[0] = argument
        main.attributes["function_type"] = ir.TypeAttr.get(ir.FunctionType.get(sized, kind.results))
        return _refine(mlir.module_to_bytecode(module))


def _entry(functions: Sequence[Any]) -> Any:
    """The entry function of a module: `main`, or the only public function, or the only function."""

    def word(function: Any, name: str) -> str:
        return function.attributes[name].value if name in function.attributes else ""

    for wanted in (
        [function for function in functions if word(function, "sym_name") == "main"],
        [function for function in functions if word(function, "sym_visibility") == "public"],
        [function for function in functions if word(function, "sym_visibility") != "private"],
        functions,
    ):
        if len(wanted) == 1:
            return wanted[0]
    raise ValueError("the text has no unique entry function")


def _refine(code: bytes) -> bytes:
    refine = _extension().mlir.refine_polymorphic_shapes
    return refine(code, enable_shape_assertions=True, validate_static_shapes=True)


def _register_libraries() -> None:
    """Register LAPACK's routines with XLA: JAX does so only when it lowers a call of them."""
    try:
        from jax._src.lax import linalg

        linalg.initialize_lapack()
    except (ImportError, AttributeError):
        try:
            from jaxlib import lapack

            lapack.initialize()  # type: ignore[attr-defined]
        except (ImportError, AttributeError):
            # A program that calls LAPACK then fails with XLA's own message.
            return
