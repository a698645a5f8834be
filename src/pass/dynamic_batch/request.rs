//! The dimensions that `--dynamic` makes symbolic.

use super::super::{Context, name_values};
use crate::DynamicDimension;
use crate::diagnostic::{Diagnostics, catalog, nearest};
use crate::ir::{Dim, FunctionId, Module, Symbol, ValueId};
use crate::source::Span;
use rustc_hash::FxHashSet;

/// A dimension of an argument.
pub(super) struct ArgumentDim {
    pub(super) value: ValueId,
    pub(super) axis: usize,
    /// The argument's name.
    pub(super) name: String,
    /// Its declaration.
    pub(super) span: Span,
}

/// A symbol and the dimensions that get it as their size.
pub(super) struct Request {
    pub(super) name: String,
    pub(super) symbol: Symbol,
    /// Their common static size.
    pub(super) size: i64,
    /// At least one.
    pub(super) places: Vec<ArgumentDim>,
}

/// The requests of the options, one per symbol. Reports those that do not match the function.
pub(super) fn resolve(module: &mut Module, entry: FunctionId, cx: &mut Context) -> Vec<Request> {
    let Some(block) = module.entry_block(module.function(entry).body) else { return Vec::new() };
    let arguments = module.block(block).arguments.clone();
    let given = &cx.options.input_names;
    let known =
        if given.len() == arguments.len() { given.to_vec() } else { name_values::inputs(module, entry).0 };
    let taken = symbols_of(module, &arguments);
    let mut requests: Vec<Request> = Vec::new();
    for wanted in &cx.options.dynamic {
        let (place, size) = match find(module, entry, wanted, &arguments, &known) {
            Ok(found) => found,
            Err(why) => {
                refuse(cx.diagnostics, &why);
                continue;
            }
        };
        let symbol = module.symbols.intern(&wanted.name);
        if taken.contains(&symbol) {
            refuse(
                cx.diagnostics,
                &format!("the program already has a symbolic dimension `{}`", wanted.name),
            );
            continue;
        }
        match requests.iter_mut().find(|request| request.symbol == symbol) {
            Some(request) if request.size != size => {
                let Request { name, size: other, .. } = request;
                refuse(cx.diagnostics, &format!("`{name}` would have two sizes, {other} and {size}"));
            }
            Some(request) => request.places.push(place),
            None => {
                // `jax.export` makes the same assumption about its symbols.
                module.dim_exprs.at_least(symbol, 1);
                requests.push(Request { name: wanted.name.clone(), symbol, size, places: vec![place] });
            }
        }
    }
    requests
}

fn refuse(diagnostics: &mut Diagnostics, why: &str) {
    diagnostics.push(catalog::NameMismatch { option: "--dynamic", why });
}

/// The dimension and its size, or why there is none.
fn find(
    module: &Module,
    entry: FunctionId,
    wanted: &DynamicDimension,
    arguments: &[ValueId],
    known: &[String],
) -> Result<(ArgumentDim, i64), String> {
    let DynamicDimension { input, axis, .. } = wanted;
    let index = known.iter().position(|known| known == input).ok_or_else(|| {
        match nearest(input, known.iter().map(String::as_str)) {
            Some(near) => format!("unknown input `{input}`: did you mean `{near}`?"),
            None => format!("unknown input `{input}`; the inputs are `{}`", known.join("`, `")),
        }
    })?;
    let value = *arguments.get(index).ok_or_else(|| format!("unknown input `{input}`"))?;
    let tensor = module.tensor(value).ok_or_else(|| format!("`{input}` is not a tensor"))?;
    let size = match tensor.dims.get(*axis) {
        Some(Dim::Known(size)) => *size,
        Some(_) => return Err(format!("dimension {axis} of `{input}` is already symbolic")),
        None => {
            return Err(format!(
                "`{input}` has {} dimensions, so dimension {axis} does not exist",
                tensor.rank()
            ));
        }
    };
    if size < 1 {
        return Err(format!(
            "dimension {axis} of `{input}` has size 0, so the computation of a row is unknown"
        ));
    }
    let span = module.function(entry).arguments.get(index).map_or(Span::NONE, |argument| argument.span);
    Ok((ArgumentDim { value, axis: *axis, name: input.clone(), span }, size))
}

/// The symbols in the sizes of the arguments.
fn symbols_of(module: &Module, arguments: &[ValueId]) -> FxHashSet<Symbol> {
    let mut found = FxHashSet::default();
    let tensors = arguments.iter().filter_map(|&argument| module.tensor(argument));
    tensors.flat_map(|tensor| &tensor.dims).for_each(|&dim| module.dim_exprs.symbols(dim, &mut found));
    found
}
