//! Ops of programs for several devices. A model runs on one.
//!
//! A sharding does not change a value, so it is dropped for any number of devices. Ops that compute on parts or
//! exchange them are the identity on one device. On several they are refused: groups of devices in a collective,
//! manual axes of a mesh, the shape of one part.

use super::expand::{Expand, Expanded};
use super::{Elements, LowerError};
use crate::ir::{Attribute, BlockId, Module, OpId, Rewriter, ValueId, sdy, shape, stablehlo};
use crate::ops::row::{Row, expanded};
use crate::ops::type_inference::{AtLeast, Exactly, STATED, collective, rule, variadic};

const MOVED: Elements = Elements::PLAIN.or(Elements::COMPLEX);
const SHARDING: &str = "a sharding does not change the value";
const COLLECTIVE: &str = "identity on one device";

pub(super) const ROWS: &[Row] = &[
    expanded(sdy::ALL_GATHER, Elements::ANY, resharding).typed(rule(1, collective::same)).note(COLLECTIVE),
    expanded(sdy::ALL_REDUCE, Elements::ANY, resharding).typed(rule(1, collective::same)).note(COLLECTIVE),
    expanded(sdy::ALL_SLICE, Elements::ANY, resharding).typed(rule(1, collective::same)).note(COLLECTIVE),
    expanded(sdy::ALL_TO_ALL, Elements::ANY, resharding).typed(rule(1, collective::same)).note(COLLECTIVE),
    expanded(sdy::COLLECTIVE_PERMUTE, Elements::ANY, resharding)
        .typed(rule(1, collective::same))
        .note(COLLECTIVE),
    expanded(sdy::CONSTANT, Elements::ANY, constant).typed(rule(0, STATED)),
    expanded(sdy::DATA_FLOW_EDGE, Elements::ANY, annotation).typed(rule(1, collective::same)).note(SHARDING),
    expanded(sdy::PROPAGATION_BARRIER, Elements::ANY, annotation)
        .typed(rule(1, collective::same))
        .note(SHARDING),
    expanded(sdy::REDUCE_SCATTER, Elements::ANY, resharding)
        .typed(rule(1, collective::same))
        .note(COLLECTIVE),
    expanded(sdy::REPLICATED_TO_UNREDUCED, Elements::ANY, resharding)
        .typed(rule(1, collective::same))
        .note(COLLECTIVE),
    expanded(sdy::RESHARD, Elements::ANY, annotation).typed(rule(1, collective::same)).note(SHARDING),
    expanded(sdy::SHARDED_TO_UNREDUCED, Elements::ANY, resharding)
        .typed(rule(1, collective::same))
        .note(COLLECTIVE),
    expanded(sdy::SHARDING_CONSTRAINT, Elements::ANY, annotation)
        .typed(rule(1, collective::same))
        .note(SHARDING),
    expanded(sdy::SHARDING_GROUP, Elements::ANY, annotation).note(SHARDING),
    expanded(stablehlo::ALL_GATHER, MOVED, collective)
        .typed(variadic(1, AtLeast(1), collective::gathers))
        .note(COLLECTIVE),
    expanded(stablehlo::ALL_REDUCE, MOVED, collective)
        .typed(variadic(1, AtLeast(1), collective::one_each))
        .note(COLLECTIVE),
    expanded(stablehlo::ALL_TO_ALL, MOVED, collective)
        .typed(variadic(1, AtLeast(1), collective::one_each))
        .note(COLLECTIVE),
    expanded(stablehlo::COLLECTIVE_BROADCAST, MOVED, collective)
        .typed(variadic(1, Exactly(1), collective::one_each))
        .note(COLLECTIVE),
    expanded(stablehlo::COLLECTIVE_PERMUTE, MOVED, permute)
        .typed(variadic(1, Exactly(1), collective::one_each))
        .note("identity or zeros on one device"),
    expanded(stablehlo::CROSS_REPLICA_SUM, MOVED, collective)
        .typed(variadic(1, Exactly(1), collective::one_each))
        .note(COLLECTIVE),
    expanded(stablehlo::PARTITION_ID, MOVED, id).typed(rule(0, STATED)).note("0 on one device"),
    expanded(stablehlo::REDUCE_SCATTER, MOVED, collective)
        .typed(variadic(1, Exactly(1), collective::gathers))
        .note(COLLECTIVE),
    expanded(stablehlo::REPLICA_ID, MOVED, id).typed(rule(0, STATED)).note("0 on one device"),
];

/// Custom calls that place values on devices or in memories, in addition to all of `xla.sdy`.
const PLACEMENTS: &[&str] = &[
    "LayoutConstraint",
    "MoveToDevice",
    "MoveToHost",
    "SPMDFullToShardShape",
    "SPMDShardToFullShape",
    "Sharding",
    "annotate_device_placement",
];

/// Whether a custom call only places its operands.
pub(super) fn is_placement(target: &str) -> bool {
    PLACEMENTS.contains(&target) || target.starts_with("xla.sdy.")
}

/// Replaces a custom call that places its operands. Operands named by `indices_of_shape_operands` are the sizes of
/// the results.
pub(super) fn placement(cx: &mut Expand) -> Expanded {
    let op = cx.module().op(cx.op);
    let sizes = op.operands.iter().zip(&op.results).all(|(&operand, &result)| {
        let (operand, result) = (cx.module().tensor(operand), cx.module().tensor(result));
        operand.zip(result).is_none_or(|(operand, result)| operand.dims == result.dims)
    });
    if !sizes {
        return Err(several(cx.module(), None));
    }
    cx.operands_as_results()
}

/// The module's numbers of partitions and replicas, if stated.
fn devices(module: &Module) -> [Option<usize>; 2] {
    ["mhlo.num_partitions", "mhlo.num_replicas"].map(|name| {
        let found = module.attributes.iter().find(|(key, _)| module.symbols.get(*key) == name);
        found.and_then(|(_, value)| value.as_integer()).and_then(|number| usize::try_from(number).ok())
    })
}

/// The module's number of devices; 1 if not stated.
fn device_count(module: &Module) -> usize {
    devices(module).iter().flatten().fold(1, |product: usize, &number| product.saturating_mul(number))
}

/// The error for a computation on several devices, as many as the mesh or the module has.
fn several(module: &Module, mesh: Option<&Mesh>) -> LowerError {
    let devices = mesh.map_or(device_count(module), Mesh::devices);
    LowerError::Devices { devices, mesh: mesh.map(Mesh::describe).or_else(|| only_mesh(module)) }
}

/// The description of the mesh, if the module has one for several devices.
fn only_mesh(module: &Module) -> Option<String> {
    let mut meshes = module.top_level.iter().filter_map(|&op| Mesh::defined(module, op));
    let mesh = meshes.find(|mesh| mesh.devices() > 1)?;
    meshes.all(|other| other.devices() == 1).then(|| mesh.describe())
}

/// A mesh of devices.
struct Mesh {
    name: String,
    axes: Vec<(String, usize)>,
}

impl Mesh {
    /// The mesh that an op defines.
    fn defined(module: &Module, op: OpId) -> Option<Self> {
        if module.op(op).name != sdy::MESH {
            return None;
        }
        let name = module.attribute(op, "sym_name").and_then(Attribute::as_str)?.to_owned();
        let Some(Attribute::Opaque(text)) = module.attribute(op, "mesh") else { return None };
        Some(Self { name, axes: axes(text) })
    }

    /// The mesh of a sharding.
    fn of(module: &Module, sharding: &str) -> Option<Self> {
        if let Some((_, text)) = sharding.split_once("mesh<") {
            return Some(Self { name: String::new(), axes: axes(text) });
        }
        let (_, rest) = sharding.split_once('@')?;
        let name = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split('"').next()?,
            None => rest.split(|next: char| !(next.is_alphanumeric() || "_$.-".contains(next))).next()?,
        };
        let mut meshes = module.top_level.iter().filter_map(|&op| Self::defined(module, op));
        meshes.find(|mesh| mesh.name == name)
    }

    fn devices(&self) -> usize {
        self.axes.iter().fold(1, |product: usize, &(_, size)| product.saturating_mul(size))
    }

    fn describe(&self) -> String {
        let axes: Vec<String> = self.axes.iter().map(|(name, size)| format!("`{name}` = {size}")).collect();
        let name = if self.name.is_empty() { String::new() } else { format!(" `@{}`", self.name) };
        format!("the mesh{name} has the axes {}", axes.join(", "))
    }
}

/// The axes in the text of a mesh, `<["a"=2, "b"=4], device_ids=[0, 1]>`.
fn axes(mesh: &str) -> Vec<(String, usize)> {
    let list = mesh.split_once('[').map_or("", |(_, rest)| rest.split(']').next().unwrap_or_default());
    let axis = |text: &str| {
        let (name, size) = text.rsplit_once('=')?;
        Some((name.trim().trim_matches('"').to_owned(), size.trim().parse().ok()?))
    };
    list.split(',').filter_map(axis).collect()
}

/// The text of an `sdy` attribute, which the parser does not interpret.
fn text<'m>(module: &'m Module, op: OpId, name: &str) -> Option<&'m str> {
    match module.attribute(op, name)? {
        Attribute::Opaque(text) => Some(text),
        _ => None,
    }
}

/// Refuses a manual computation for several devices: its body works on parts of the values.
fn check_manual(module: &Module, op: OpId) -> Result<(), LowerError> {
    let shardings = ["in_shardings", "out_shardings"];
    let mesh = shardings.iter().find_map(|name| Mesh::of(module, text(module, op, name)?));
    let manual = text(module, op, "manual_axes").unwrap_or_default();
    let Some(mesh) = mesh else {
        return if device_count(module) == 1 { Ok(()) } else { Err(several(module, None)) };
    };
    let is_manual = |axis: &str| manual.split('"').any(|word| word == axis);
    if mesh.axes.iter().any(|(axis, size)| *size > 1 && is_manual(axis)) {
        return Err(several(module, Some(&mesh)));
    }
    Ok(())
}

/// Inlines the bodies of manual computations, named computations and assumptions. Returns the refused ones.
pub fn inline_computations(rewriter: &mut Rewriter) -> Vec<(OpId, LowerError)> {
    let mut refused = Vec::new();
    rewriter.splice(&mut |module, op| match computation(module, op)? {
        Ok(block) => Some(block),
        Err(refusal) => {
            refused.push((op, refusal));
            None
        }
    });
    refused
}

/// The body of a computation, whose types must match the operands and results.
fn computation(module: &Module, op: OpId) -> Option<Result<BlockId, LowerError>> {
    match module.op(op).name {
        sdy::MANUAL_COMPUTATION => match check_manual(module, op) {
            Ok(()) => {}
            Err(refusal) => return Some(Err(refusal)),
        },
        // The condition of an assumption is a check, which is dropped.
        sdy::NAMED_COMPUTATION | shape::ASSUMING => {}
        _ => return None,
    }
    let (takes_operands, terminator) = match module.op(op).name {
        shape::ASSUMING => (false, shape::ASSUMING_YIELD),
        _ => (true, sdy::RETURN),
    };
    let operation = module.op(op);
    let types = |values: &[ValueId]| module.value_types(values);
    let block = operation.regions.first().and_then(|&region| module.entry_block(region)).filter(|&block| {
        let end = module.block(block).ops.last().filter(|&&end| module.op(end).name == terminator);
        let taken = if takes_operands { types(&operation.operands) } else { Vec::new() };
        types(&module.block(block).arguments) == taken
            && end.is_some_and(|&end| types(&module.op(end).operands) == types(&operation.results))
    });
    Some(block.ok_or_else(|| LowerError::form("its body does not take its operands")))
}

fn annotation(cx: &mut Expand) -> Expanded {
    cx.operands_as_results()
}

/// Shardy's collectives reshard a value.
fn resharding(cx: &mut Expand) -> Expanded {
    let mesh = text(cx.module(), cx.op, "out_sharding").and_then(|text| Mesh::of(cx.module(), text));
    match mesh {
        Some(mesh) if mesh.devices() > 1 => Err(several(cx.module(), Some(&mesh))),
        None if device_count(cx.module()) > 1 => Err(several(cx.module(), None)),
        _ => cx.operands_as_results(),
    }
}

fn constant(cx: &mut Expand) -> Expanded {
    let value = cx.attributes().get("value")?.clone();
    cx.becomes(stablehlo::CONSTANT, &[], [("value", value)])
}

/// The index of this device, which is the first and only one.
fn id(cx: &mut Expand) -> Expanded {
    if device_count(cx.module()) > 1 {
        return Err(several(cx.module(), None));
    }
    if devices(cx.module()).contains(&None) {
        return Err(LowerError::form("the module does not state its number of devices"));
    }
    zeros(cx)
}

fn zeros(cx: &mut Expand) -> Expanded {
    let ty = cx.result()?;
    Ok(Some(cx.splat(ty, 0)?.into()))
}

/// Groups of one device exchange nothing. An empty list is one group of all devices.
fn collective(cx: &mut Expand) -> Expanded {
    let groups = cx.attributes().integers("replica_groups")?;
    let devices = groups.iter().filter(|&&device| device >= 0).count();
    // Without global device ids, each group has all partitions of its replicas.
    let global = match cx.module().op(cx.op).name {
        stablehlo::ALL_GATHER | stablehlo::ALL_REDUCE | stablehlo::REDUCE_SCATTER => {
            cx.module().attribute(cx.op, "use_global_device_ids").is_some()
        }
        _ => true,
    };
    let alone = global
        && match cx.module().attribute(cx.op, "replica_groups") {
            Some(Attribute::Dense(id)) => {
                let ty = cx.module().tensor_type(cx.module().constant(*id).ty);
                ty.is_some_and(|ty| ty.rank() == 2 && ty.dims[1].known() == Some(1))
            }
            _ => false,
        };
    if devices > 1 && !alone {
        return Err(match device_count(cx.module()) {
            1 => LowerError::Devices { devices, mesh: None },
            _ => several(cx.module(), None),
        });
    }
    if !alone && device_count(cx.module()) > 1 {
        return Err(several(cx.module(), None));
    }
    cx.operands_as_results()
}

/// Results without a sender are zero.
fn permute(cx: &mut Expand) -> Expanded {
    let pairs = cx.attributes().integers("source_target_pairs")?;
    let stays = pairs.chunks(2).all(|pair| pair.first() == pair.last());
    if stays && pairs.contains(&0) {
        return cx.operands_as_results();
    }
    if device_count(cx.module()) > 1 {
        return Err(several(cx.module(), None));
    }
    if let Some(&highest) = pairs.iter().max() {
        let devices = usize::try_from(highest).unwrap_or(usize::MAX).saturating_add(1);
        return Err(LowerError::Devices { devices, mesh: None });
    }
    zeros(cx)
}
