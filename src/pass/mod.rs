//! The passes in order.
//!
//! A pass transforms a module and preserves its meaning. One table defines the pipeline for the command line, the
//! tests and the documentation.

mod batch_random;
mod bind_weights;
mod canonicalize;
mod check_target;
mod complex;
mod contributed;
mod conv_fusions;
mod drop_assertions;
mod drop_effects;
mod dynamic_batch;
mod emulate_small_floats;
mod flatten;
mod fuse;
mod gemm;
mod groups;
mod half_floats;
mod inline;
mod insert_casts;
mod integer_nodes;
mod integer_ranges;
mod io_layout;
mod layout;
mod lift_weights;
mod linear_maps;
mod loops;
mod lower;
mod module_tree;
mod name_values;
mod normalize;
mod older_forms;
mod outline;
mod prevent_ort_fusions;
mod product_scales;
mod products;
mod qdq_propagation;
mod quant_to_qdq;
mod refine_arguments;
mod refine_shapes;
mod residual_sums;
mod scaled_weights;
mod signed_zeros;
mod simplify_reductions;
mod sink_reshapes;
mod target_bits;
mod target_forms;
mod target_integers;
mod target_limits;
mod target_loops;
mod target_unsigned;
mod threefry;
mod tree_reduction;
mod trim_constants;
mod widen_floats;

pub(crate) use check_target::{Missing, missing};
#[cfg(feature = "cli")]
pub(crate) use fuse::families as fusion_families;
pub(crate) use name_values::Path as TreePath;

use crate::diagnostic::{Diagnostics, catalog};
use crate::ir::{FunctionId, Module, OpName, TypeId};
use crate::options::Options;
use crate::source::{Source, Span};
use std::ops::ControlFlow;

/// What a pass can use apart from the module.
pub struct Context<'a> {
    /// The text, for reading large constants.
    pub source: &'a Source,
    /// The options of the conversion.
    pub options: &'a Options,
    /// The bytes of folded constants so far.
    pub folded: u64,
    /// The number of bound arguments.
    pub bound: usize,
    /// Whether an error makes all further errors mere consequences.
    pub halted: bool,
    /// Receives diagnostics.
    pub diagnostics: &'a mut Diagnostics,
}

impl<'a> Context<'a> {
    /// The context of the first pass.
    pub fn new(source: &'a Source, options: &'a Options, diagnostics: &'a mut Diagnostics) -> Self {
        Self { source, options, folded: 0, bound: 0, halted: false, diagnostics }
    }
}

/// What follows a pass after which there are errors.
#[derive(Clone, Copy)]
enum OnError {
    /// The run stops if the pass reported one.
    Stop,
    /// The next pass runs.
    Continue,
    /// The run stops: no later pass refuses ops.
    End,
}

/// One entry of the pipeline.
#[derive(Clone, Copy)]
pub struct Pass {
    /// Its name, for `--print-after` and `opt --passes`.
    pub name: &'static str,
    /// One line for the documentation.
    pub about: &'static str,
    /// Runs it.
    pub run: fn(&mut Module, &mut Context),
    on_error: OnError,
}

impl Pass {
    /// A pass that refuses nothing.
    pub const fn new(name: &'static str, about: &'static str, run: fn(&mut Module, &mut Context)) -> Self {
        Self { name, about, run, on_error: OnError::Stop }
    }

    /// The pass replaces refused ops with unknown values, so that one run reports everything.
    const fn refuses(mut self) -> Self {
        self.on_error = OnError::Continue;
        self
    }

    /// The pass is the last that can refuse an op.
    const fn refuses_last(mut self) -> Self {
        self.on_error = OnError::End;
        self
    }
}

const CANONICALIZE: Pass = Pass::new(
    "canonicalize",
    "constant folding, identities, common subexpressions, dead code",
    canonicalize::run,
)
.refuses();

/// The pipeline: the order is the table's.
pub const PIPELINE: &[Pass] = &[
    Pass::new(
        "normalize",
        "other dialects, older forms and shardings become StableHLO for one device",
        normalize::run,
    )
    .refuses(),
    Pass::new(
        "refine_arguments",
        "symbolic dimensions get their names or the sizes from `--dim`, and arguments their names",
        refine_arguments::run,
    ),
    Pass::new(
        "bind_weights",
        "arguments become constants from files of weights, and placeholders become the arrays",
        bind_weights::run,
    ),
    Pass::new("threefry", "functions that compute Threefry-2x32 become one op", threefry::run),
    Pass::new("inline", "calls and composites are inlined", inline::run),
    Pass::new(
        "lift_weights",
        "placeholders of arrays that stay out of the model become arguments",
        lift_weights::run,
    ),
    Pass::new("drop_assertions", "assertions are dropped", drop_assertions::run),
    Pass::new(
        "quant_to_qdq",
        "quantized tensors become their storage integers, with arithmetic in floats",
        quant_to_qdq::run,
    )
    .refuses(),
    Pass::new(
        "emulate_small_floats",
        "floats of at most 8 bits are computed in f32 and rounded, and stored as f32 where ONNX lacks them",
        emulate_small_floats::run,
    )
    .refuses(),
    Pass::new(
        "widen_floats",
        "`bf16` and `f16` are stored as `f32` for a target that lacks them",
        widen_floats::run,
    )
    .refuses(),
    Pass::new(
        "dynamic_batch",
        "static dimensions become symbolic, if requested and if rows are independent",
        dynamic_batch::run,
    )
    .refuses(),
    Pass::new(
        "refine_shapes",
        "shape arithmetic becomes numbers and expressions, propagated through all types",
        refine_shapes::run,
    )
    .refuses(),
    CANONICALIZE,
    Pass::new(
        "loops",
        "loops keep only what depends on the iteration before, and the rest runs for all iterations at once",
        loops::run,
    )
    .refuses(),
    Pass::new("drop_effects", "tokens and Python calls without results are dropped", drop_effects::run)
        .refuses(),
    Pass::new(
        "complex",
        "complex tensors become two real tensors, packed with a trailing dimension of two in inputs and results",
        complex::run,
    )
    .refuses(),
    Pass::new("fuse", "patterns of JAX and Flax become one op with a kernel", fuse::run),
    Pass::new("batch_random", "random bits that do not depend on each other are made together", batch_random::run),
    Pass::new("lower", "stablehlo and chlo ops become onnx ops, or diagnostics", lower::run).refuses(),
    Pass::new(
        "qdq_propagation",
        "ops that only move elements work on the stored integers of quantized tensors",
        qdq_propagation::run,
    )
    .refuses(),
    Pass::new(
        "half_floats",
        "products and the ops between them compute in f16, if requested",
        half_floats::run,
    ),
    Pass::new("signed_zeros", "selections keep the sign of zeros where an op reads it", signed_zeros::run),
    Pass::new("insert_casts", "casts where the runtime has no kernel for an element type", insert_casts::run)
        .refuses_last(),
    Pass::new("target_loops", "loops take the form that the target has", target_loops::run),
    Pass::new(
        "simplify_reductions",
        "sums become means, and reductions keep dimensions that a Reshape would restore",
        simplify_reductions::run,
    ),
    Pass::new("io_layout", "image inputs and outputs become channels-first, if requested", io_layout::run),
    Pass::new("layout", "transposes move toward each other and cancel", layout::run),
    Pass::new("tree_reduction", "long sums of floats become sums of shorter sums", tree_reduction::run),
    CANONICALIZE,
    Pass::new(
        "linear_maps",
        "many small ops that are one linear map become a product with its matrix",
        linear_maps::run,
    ),
    Pass::new(
        "conv_fusions",
        "biases and batch norms become part of the convolution before them",
        conv_fusions::run,
    ),
    Pass::new(
        "trim_constants",
        "constants that are broadcast lose leading dimensions of size 1",
        trim_constants::run,
    ),
    Pass::new(
        "sink_reshapes",
        "a Reshape of a product moves after its bias and its scale",
        sink_reshapes::run,
    ),
    Pass::new(
        "product_scales",
        "scales by column become part of the constant matrix of the product before them",
        product_scales::run,
    ),
    Pass::new(
        "residual_sums",
        "residuals are a Sum with the bias of a product, which ONNX Runtime runs faster than Add before a norm",
        residual_sums::run,
    ),
    Pass::new(
        "contributed",
        "projections and attention, and a bias and Gelu, are ops of ONNX Runtime, if it is the target",
        contributed::run,
    ),
    Pass::new(
        "flatten",
        "ops between products with matrices compute on matrices, where ONNX Runtime would reshape for each product",
        flatten::run,
    ),
    Pass::new("gemm", "products of matrices are a Gemm, with what is added, a scale and Transposes", gemm::run),
    Pass::new(
        "prevent_ort_fusions",
        "patterns that ONNX Runtime would fuse incorrectly are rewritten",
        prevent_ort_fusions::run,
    ),
    Pass::new(
        "target_forms",
        "ops that the target computes incorrectly or lacks become others",
        target_forms::run,
    ),
    Pass::new(
        "target_unsigned",
        "`ui32` is stored as `i32` for a target that lacks it",
        target_unsigned::run,
    ),
    Pass::new("target_bits", "bitwise ops become arithmetic for a target that lacks them", target_bits::run),
    Pass::new(
        "target_integers",
        "integer arithmetic takes the form that the target computes exactly",
        target_integers::run,
    ),
    Pass::new(
        "check_target",
        "nodes that the target does not run are reported, if one is named",
        check_target::run,
    ),
    Pass::new(
        "older_forms",
        "full reductions name no axes, and ops have the forms of the model's opset, where it is below 18",
        older_forms::run,
    ),
    Pass::new("outline", "modules become functions, shared by equal modules, if requested", outline::run),
    Pass::new("name_values", "values get names from the user's program", name_values::run),
];

/// The ops that the `complex` pass supports, for the table of coverage.
pub(crate) fn complex_ops() -> std::collections::BTreeSet<OpName> {
    complex::covered().collect()
}

/// Whether the `emulate_small_floats` pass supports an op, for the table of coverage.
pub(crate) fn takes_small_floats(name: OpName) -> bool {
    emulate_small_floats::covers(name)
}

/// Whether an op can be row-wise, for the table of coverage.
pub(crate) fn takes_rows(name: OpName) -> bool {
    dynamic_batch::takes_rows(name)
}

/// The pass of that name.
pub fn find(name: &str) -> Option<&'static Pass> {
    PIPELINE.iter().find(|pass| pass.name == name)
}

/// Runs passes in order. After an error only those that could refuse more ops run. `after` sees the module after each
/// pass and may stop the run, which is the result.
pub fn run(
    passes: &[Pass],
    module: &mut Module,
    cx: &mut Context,
    mut after: impl FnMut(&Pass, &Module) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let mut known = cx.diagnostics.error_count();
    for pass in passes {
        (pass.run)(module, cx);
        module.settle_signatures();
        after(pass, module)?;
        let errors = cx.diagnostics.error_count();
        if cx.halted {
            return ControlFlow::Continue(());
        }
        let stops = match pass.on_error {
            OnError::Stop => errors > known,
            OnError::Continue => false,
            OnError::End => errors > 0,
        };
        if stops {
            return ControlFlow::Continue(());
        }
        known = errors;
        if cfg!(debug_assertions) && errors == 0 && !verify(pass, module, cx.diagnostics) {
            return ControlFlow::Continue(());
        }
    }
    ControlFlow::Continue(())
}

/// The inputs and outputs of a function: what each is, its type, and where it is. The types are those from before the
/// running pass.
fn boundary(module: &Module, function: FunctionId) -> Vec<(String, TypeId, Span)> {
    let function = module.function(function);
    let inputs = function.arguments.iter().zip(&function.argument_types).enumerate();
    let inputs = inputs.map(|(index, (argument, &ty))| (format!("input {index}"), ty, argument.span));
    let outputs = function.results.iter().enumerate();
    let outputs = outputs.map(|(index, result)| (format!("output {index}"), result.ty, function.span));
    inputs.chain(outputs).collect()
}

/// Checks the module after a pass. An invalid module is a bug in the pass, not in the text.
fn verify(pass: &Pass, module: &Module, diagnostics: &mut Diagnostics) -> bool {
    let mut found = Diagnostics::new();
    crate::ir::verify(module, &crate::ops::type_inference::check, &mut found);
    for diagnostic in &found {
        let (why, at) = (&*diagnostic.message, diagnostic.span());
        diagnostics.push(catalog::InvalidModule { pass: pass.name, why, at });
    }
    let Some(op) = lower::unlowered(module).filter(|_| found.is_empty()) else { return found.is_empty() };
    let (why, at) = (&*format!("`{}` is not an ONNX op", module.op_name(op)), module.span(op).name);
    diagnostics.push(catalog::InvalidModule { pass: pass.name, why, at });
    false
}

/// The function to convert: `@main` of the outer module or its only public function, else those of nested modules,
/// else the only function.
pub fn entry(module: &Module) -> Option<FunctionId> {
    let name = |id: FunctionId| module.symbols.get(module.function(id).name);
    let is_outer = |id: FunctionId| !name(id).contains("::");
    let is_main = |id: FunctionId| name(id).rsplit("::").next() == Some("main");
    let is_public = |id: FunctionId| module.function(id).public;
    let only = |wanted: &dyn Fn(FunctionId) -> bool| {
        let has_body = |&id: &FunctionId| module.entry_block(module.function(id).body).is_some();
        let mut found = module.functions().filter(has_body).filter(|&id| wanted(id));
        found.next().filter(|_| found.next().is_none())
    };
    only(&|id| is_outer(id) && is_main(id))
        .or_else(|| only(&|id| is_outer(id) && is_public(id)))
        .or_else(|| only(&is_main))
        .or_else(|| only(&is_public))
        .or_else(|| only(&|_| true))
}

/// The entry function; otherwise reports the candidates.
pub(crate) fn entry_or_report(module: &Module, diagnostics: &mut Diagnostics) -> Option<FunctionId> {
    let entry = entry(module);
    if entry.is_none() {
        let candidates: Vec<&str> =
            module.functions().map(|id| module.symbols.get(module.function(id).name)).collect();
        let at = module.functions().next().map_or(Span::NONE, |id| module.function(id).span);
        if candidates.is_empty() {
            diagnostics.push(catalog::EmptyInput { at });
        } else {
            diagnostics.push(catalog::NoEntryFunction { candidates: &candidates, at });
        }
    }
    entry
}
