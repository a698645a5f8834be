//! Ops for programs on several devices, in programs on one.
//!
//! A collective among one device gives each operand back. A program for several, by the module's attributes or by
//! the groups that a collective names, is refused.

use super::call::identity;
use super::{Elements, Lower, Lowered, Refusal, Row, noted};
use crate::ir::{Element, OpId};

const MOVED: Elements = Elements::PLAIN.or(Elements::COMPLEX);

pub(super) const ROWS: &[Row] = &[
    noted("stablehlo.all_gather", MOVED, collective, "identity among one device"),
    noted("stablehlo.all_reduce", MOVED, collective, "identity among one device"),
    noted("stablehlo.all_to_all", MOVED, collective, "identity among one device"),
    noted("stablehlo.collective_broadcast", MOVED, collective, "identity among one device"),
    noted("stablehlo.collective_permute", MOVED, permute, "identity or zeros on one device"),
    noted("stablehlo.partition_id", MOVED, id, "0 on one device"),
    noted("stablehlo.reduce_scatter", MOVED, collective, "identity among one device"),
    noted("stablehlo.replica_id", MOVED, id, "0 on one device"),
];

/// The numbers of partitions and replicas, where the module says them.
fn devices(cx: &Lower) -> [Option<usize>; 2] {
    ["mhlo.num_partitions", "mhlo.num_replicas"].map(|name| {
        let found = cx.module.attributes.iter().find(|(key, _)| cx.module.symbols.get(*key) == name);
        found.and_then(|(_, value)| value.as_integer()).and_then(|number| usize::try_from(number).ok())
    })
}

/// Refuses a module for more than one device.
fn one_device(cx: &Lower) -> Result<(), Refusal> {
    match devices(cx).iter().flatten().fold(1, |product: usize, &number| product.saturating_mul(number)) {
        1 => Ok(()),
        devices => Err(Refusal::Devices(devices)),
    }
}

/// The number of this device, which is the first, where the module says that there is no other.
fn id(cx: &mut Lower, _: OpId) -> Lowered {
    one_device(cx)?;
    if devices(cx).contains(&None) {
        return Err(Refusal::form("the module does not say on how many devices it runs"));
    }
    Ok(cx.integer(Element::U32, 0).into())
}

fn collective(cx: &mut Lower, op: OpId) -> Lowered {
    one_device(cx)?;
    let groups = cx.ints(op, "replica_groups")?;
    // No groups at all stand for one of all devices.
    let devices = groups.iter().filter(|&&device| device >= 0).count();
    if groups.iter().any(|&device| device > 0) {
        return Err(Refusal::Devices(devices));
    }
    identity(cx, op)
}

/// What no pair sends here is zero.
fn permute(cx: &mut Lower, op: OpId) -> Lowered {
    one_device(cx)?;
    let pairs = cx.ints(op, "source_target_pairs")?;
    if let Some(&highest) = pairs.iter().max().filter(|&&device| device > 0) {
        return Err(Refusal::Devices(usize::try_from(highest).unwrap_or(usize::MAX).saturating_add(1)));
    }
    if !pairs.is_empty() {
        return identity(cx, op);
    }
    let (element, sizes) = cx.result_dims(op, 0)?;
    let zero = cx.scalar(element, 0.0);
    Ok(cx.broadcast_to(zero, &sizes).into())
}
