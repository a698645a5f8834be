// The texts that the tests open.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const MODEL = `module @model {
  func.func public @main(%arg0: tensor<4xf32> loc("x")) -> tensor<4xf32> {
    %cst = stablehlo.constant dense<[1.0, -2.5, 3.0, 0.5]> : tensor<4xf32>
    %0 = stablehlo.add %arg0, %cst : tensor<4xf32> loc(#loc2)
    %1 = call @inner(%0) : (tensor<4xf32>) -> tensor<4xf32>
    return %1 : tensor<4xf32>
  }
  func.func private @inner(%arg0: tensor<4xf32>) -> tensor<4xf32> {
    %0 = stablehlo.tanh %arg0 : tensor<4xf32>
    return %0 : tensor<4xf32>
  }
}
#loc1 = loc("program.py":5:11 to :26)
#loc2 = loc("jit(apply)/Model/Dense_0/add"(#loc1))
`;

const BROKEN = `module @broken {
  func.func public @main(%arg0: tensor<?x?xf32> loc("x")) -> tensor<?x?xf32> {
    %0 = stablehlo.cholesky %arg0, lower = true : tensor<?x?xf32> loc(#loc2)
    %1 = "other.kernel"(%arg0) : (tensor<?x?xf32>) -> tensor<?x?xf32>
    return %0 : tensor<?x?xf32>
  }
}
#loc1 = loc("program.py":9:11 to :33)
#loc2 = loc("jit(factor)/cholesky"(#loc1))
`;

const PROGRAM = `import jax.numpy as jnp


def apply(x):
    return jnp.tanh(x + 1)


def factor(x):
    return jnp.linalg.cholesky(x)
`;

/** Writes the texts into a new folder. */
export function writeWorkspace(folder) {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "model.mlir"), MODEL);
  writeFileSync(join(folder, "broken.mlir"), BROKEN);
  writeFileSync(join(folder, "program.py"), PROGRAM);
}
