//! Generates the texts of the benchmarks: deterministic, in the form that JAX prints.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// A stack of dense layers whose kernels are baked into the text, `megabytes` of weights in all.
pub fn baked_weights(path: &Path, megabytes: usize) -> io::Result<()> {
    const WIDTH: usize = 1024;
    let layers = megabytes * 1_000_000 / (WIDTH * WIDTH * 4);
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
    let tensor = format!("tensor<1x{WIDTH}xf32>");
    writeln!(
        out,
        "module @jit_apply attributes {{mhlo.num_partitions = 1 : i32, mhlo.num_replicas = 1 : i32}} {{"
    )?;
    writeln!(
        out,
        "  func.func public @main(%arg0: {tensor}) -> ({tensor} {{jax.result_info = \"result\"}}) {{"
    )?;
    let mut numbers = Numbers(1);
    let mut value = "%arg0".to_owned();
    for layer in 0..layers {
        write!(out, "    %cst_{layer} = stablehlo.constant dense<\"0x")?;
        for _ in 0..WIDTH * WIDTH {
            let weight = numbers.next_weight().to_le_bytes();
            write!(out, "{:02X}{:02X}{:02X}{:02X}", weight[0], weight[1], weight[2], weight[3])?;
        }
        writeln!(out, "\"> : tensor<{WIDTH}x{WIDTH}xf32>")?;
        writeln!(
            out,
            "    %d{layer} = stablehlo.dot_general {value}, %cst_{layer}, contracting_dims = [1] x [0] : \
             ({tensor}, tensor<{WIDTH}x{WIDTH}xf32>) -> {tensor}"
        )?;
        writeln!(out, "    %t{layer} = stablehlo.tanh %d{layer} : {tensor}")?;
        value = format!("%t{layer}");
    }
    writeln!(out, "    return {value} : {tensor}\n  }}\n}}")?;
    out.flush()
}

/// About `ops` ops in the mix of a transformer (attention, layer norm, feed-forward), with locations.
pub fn transformer_ops(path: &Path, ops: usize) -> io::Result<()> {
    let mut text = Transformer { out: BufWriter::new(File::create(path)?), next: 0, written: 0 };
    writeln!(text.out, "#loc = loc(unknown)")?;
    writeln!(text.out, "#loc1 = loc(\"x\")")?;
    writeln!(
        text.out,
        "module @jit_apply attributes {{mhlo.num_partitions = 1 : i32, mhlo.num_replicas = 1 : i32}} {{"
    )?;
    writeln!(
        text.out,
        "  func.func public @main(%arg0: {X} loc(\"x\"), %arg1: tensor<32x32xf32> loc(\"w\"), \
         %arg2: tensor<32xf32> loc(\"b\")) -> ({X} {{jax.result_info = \"result\"}}) {{"
    )?;
    let mut value = "%arg0".to_owned();
    while text.written < ops {
        value = text.block(&value)?;
    }
    writeln!(text.out, "    return {value} : {X} loc(#loc)\n  }} loc(#loc)\n}} loc(#loc)")?;
    writeln!(text.out, "#loc2 = loc(\"model.py\":10:4 to :20)")?;
    writeln!(text.out, "#loc3 = loc(\"Block.__call__\"(#loc2))")?;
    for name in 0..LOCATIONS {
        writeln!(text.out, "#loc{} = loc(\"jit(apply)/Model/Block_{name}/op\"(#loc3))", name + 4)?;
    }
    text.out.flush()
}

const X: &str = "tensor<8x32xf32>";
const LOCATIONS: usize = 40;

struct Transformer {
    out: BufWriter<File>,
    next: usize,
    written: usize,
}

impl Transformer {
    fn op(&mut self, text: &str) -> io::Result<String> {
        let value = format!("%{}", self.next);
        self.next += 1;
        self.written += 1;
        writeln!(self.out, "    {value} = stablehlo.{text} loc(#loc{})", self.next % LOCATIONS + 4)?;
        Ok(value)
    }

    fn dense(&mut self, x: &str) -> io::Result<String> {
        let product = self.op(&format!(
            "dot_general {x}, %arg1, contracting_dims = [1] x [0], precision = [DEFAULT, DEFAULT] : \
             ({X}, tensor<32x32xf32>) -> {X}"
        ))?;
        let row = self.op("reshape %arg2 : (tensor<32xf32>) -> tensor<1x32xf32>")?;
        let bias = self.op(&format!("broadcast_in_dim {row}, dims = [0, 1] : (tensor<1x32xf32>) -> {X}"))?;
        self.op(&format!("add {product}, {bias} : {X}"))
    }

    fn reduced(&mut self, x: &str, init: &str, kind: &str) -> io::Result<String> {
        let init = self.op(&format!("constant dense<{init}> : tensor<f32>"))?;
        let sum = self.op(&format!(
            "reduce({x} init: {init}) applies stablehlo.{kind} across dimensions = [1] : ({X}, tensor<f32>) -> tensor<8xf32>"
        ))?;
        let column =
            self.op(&format!("broadcast_in_dim {sum}, dims = [0] : (tensor<8xf32>) -> tensor<8x1xf32>"))?;
        self.op(&format!("broadcast_in_dim {column}, dims = [0, 1] : (tensor<8x1xf32>) -> {X}"))
    }

    fn block(&mut self, x: &str) -> io::Result<String> {
        let mean = self.reduced(x, "0.000000e+00", "add")?;
        let centered = self.op(&format!("subtract {x}, {mean} : {X}"))?;
        let (query, key) = (self.dense(&centered)?, self.dense(&centered)?);
        let turned = self.op(&format!("transpose {key}, dims = [1, 0] : ({X}) -> tensor<32x8xf32>"))?;
        let scores = self.op(&format!(
            "dot_general {query}, {turned}, contracting_dims = [1] x [0] : ({X}, tensor<32x8xf32>) -> tensor<8x8xf32>"
        ))?;
        let probabilities = self.op(&format!("exponential {scores} : tensor<8x8xf32>"))?;
        let mixed = self.op(&format!(
            "dot_general {probabilities}, {centered}, contracting_dims = [1] x [0] : (tensor<8x8xf32>, {X}) -> {X}"
        ))?;
        let largest = self.reduced(&mixed, "0xFF800000", "maximum")?;
        let scaled = self.op(&format!("divide {mixed}, {largest} : {X}"))?;
        let hidden = self.dense(&scaled)?;
        let active = self.op(&format!("tanh {hidden} : {X}"))?;
        self.op(&format!("add {active}, {x} : {X}"))
    }
}

/// A small generator of distinct numbers (xorshift64*, Vigna 2016).
struct Numbers(u64);

impl Numbers {
    fn next_weight(&mut self) -> f32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let bits = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 40;
        (bits as f32 / (1u64 << 24) as f32 - 0.5) * 0.1
    }
}
