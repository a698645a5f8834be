//! Makes dimensions of a static program symbolic on request (`--dynamic x:0=batch`), if it can prove that this is
//! sound.
//!
//! It proves that the program is row-wise: one function computes each row of every result from the same row of the
//! argument. A model for any number of rows then computes the same for each row as the program, including constants
//! that Python computed from the batch size.
//!
//! Row positions propagate from the argument along each op in both directions ([`rows`]), using the op's relation
//! (one file per family). An op that mixes rows or treats them differently is an obstacle and is reported. If there
//! is none, the dimensions get their symbols ([`apply`]), and `refine_shapes` propagates the rest.
//!
//! Expects a module whose calls are inlined.

mod apply;
mod batch_constants;
mod batch_gathers;
mod calls;
mod contraction;
mod control;
mod index;
mod movement;
mod reduction;
mod relation;
mod request;
mod row_axis;
mod rows;
mod split_uses;

use super::{Context, canonicalize, entry};
use crate::diagnostic::{Diagnostic, catalog};
use crate::ir::{Module, OpId, OpName};
use request::Request;
use rows::{RowPropagation, UseGraph};

/// Whether rows can stay apart in an op of this name.
pub(super) fn takes_rows(name: OpName) -> bool {
    control::forwards_values(name)
        || (relation::relation_of(name).is_some() && !reduction::always_mixes(name))
}

/// Runs the pass on the entry function.
pub(super) fn run(module: &mut Module, cx: &mut Context) {
    if cx.options.dynamic.is_empty() {
        return;
    }
    let Some(entry) = entry(module) else { return };
    let Some(block) = module.entry_block(module.function(entry).body) else { return };
    let before = cx.diagnostics.error_count();
    let requests = request::resolve(module, entry, cx);
    batch_gathers::batch(module, entry);
    // Dead code cannot mix rows.
    canonicalize::remove_dead(module);
    let constant = split_uses::separate(module, entry, requests.iter().any(|request| request.size == 1));
    let graph = UseGraph::new(module, entry);
    let mut found = Vec::new();
    for request in requests {
        let mut rows = RowPropagation::new(module, &graph, &constant, cx.source, request.size);
        request.places.iter().for_each(|place| rows.begin(place.value, place.axis));
        rows.spread();
        rows.demand_known_places(block);
        for (op, why) in &rows.obstacles {
            cx.diagnostics.push(obstacle(module, &request, *op, why));
        }
        found.push((request, rows.row_axes));
    }
    if cx.diagnostics.error_count() > before {
        return;
    }
    let sizes = match apply::sizes(module, entry, &found) {
        Ok(sizes) => sizes,
        Err(clash) => {
            let (first, second) = (&found[clash.first].0, &found[clash.second].0);
            let why = format!(
                "it is the same dimension as `{}` here, or the two cannot be distinguished",
                second.name
            );
            cx.diagnostics.push(match module.defining_op(clash.value) {
                Some(op) => obstacle(module, first, op, &why),
                None => catalog::MixedRows {
                    name: &first.name,
                    argument: &first.places[0].name,
                    axis: first.places[0].axis,
                    why: &why,
                    op: "",
                    at: first.places[0].span,
                    argument_at: first.places[0].span,
                }
                .into(),
            });
            return;
        }
    };
    for (request, row_axes) in &found {
        batch_constants::report(module, entry, request, row_axes, cx);
    }
    apply::apply(module, entry, &sizes);
}

/// Why a dimension cannot become dynamic.
fn obstacle(module: &Module, request: &Request, op: OpId, why: &str) -> Diagnostic {
    let place = &request.places[0];
    let mixed = catalog::MixedRows {
        name: &request.name,
        argument: &place.name,
        axis: place.axis,
        why,
        op: module.op_name(op),
        at: module.span(op).name,
        argument_at: place.span,
    };
    let mut diagnostic = module.located(op, mixed);
    if why == reduction::REDUCED
        && let Some(help) = remedy(diagnostic.module_path.as_deref())
    {
        diagnostic.help = Some(help.to_owned());
    }
    diagnostic
}

/// Help for rows that are reduced to one, which a batch norm does only in training.
fn remedy(module_path: Option<&str>) -> Option<&'static str> {
    let is_batch_norm = |name: &str| {
        let name: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
        name.to_ascii_lowercase().starts_with("batchnorm")
    };
    match module_path {
        Some(path) if path.split(['/', '.']).any(is_batch_norm) => Some(
            "the batch norm uses the statistics of the batch, as in training; export it with its running statistics: \
             `use_running_average=True` in Flax, `is_training=False` in Haiku, `eqx.nn.inference_mode` in Equinox",
        ),
        Some(_) => None,
        None => Some(
            "lower it with a symbolic size instead: a name in `inputs` of `to_onnx`, or `jax.export.symbolic_shape`; \
             for a batch norm in training mode, use its running statistics (`use_running_average=True` in Flax)",
        ),
    }
}
