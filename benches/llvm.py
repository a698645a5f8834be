"""Times jaxlib's own parser on a text: `python benches/llvm.py target/bench/ops50000.mlir` (needs jax and jaxlib)."""

import statistics
import sys
import time

from jax._src.interpreters import mlir
from jaxlib.mlir import ir

RUNS = 5


def main() -> None:
    for path in sys.argv[1:]:
        with open(path, encoding="utf-8") as file:
            text = file.read()
        times = []
        for _ in range(RUNS):
            with mlir.make_ir_context():
                started = time.perf_counter()
                module = ir.Module.parse(text)
                times.append((time.perf_counter() - started) * 1e3)
                del module
        print(f"{path}: {statistics.median(times):.0f} ms (least {min(times):.0f})")


main()
