//! Attributes of Shardy, the dialect `sdy`, in which JAX states how arrays are spread over devices.
//!
//! Even a program for one device has its mesh. The numbers of the attributes are those of Shardy's `bytecode.td`.

use super::Fault;
use super::attribute::Attribute;
use super::container::Container;
use super::print::Printer;
use super::reader::Reader;
use std::io::Write;

/// An attribute of Shardy. Parts are indices of attributes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Shardy<'a> {
    ManualAxes(Vec<usize>),
    MeshAxis {
        name: &'a [u8],
        size: i64,
    },
    Mesh {
        axes: Vec<usize>,
        devices: Vec<i64>,
    },
    SubAxis {
        before: i64,
        size: i64,
    },
    AxisRef {
        name: &'a [u8],
        sub_axis: Option<usize>,
    },
    Dimension {
        axes: Vec<usize>,
        is_closed: bool,
        priority: Option<u64>,
    },
    Sharding {
        mesh: usize,
        dimensions: Vec<usize>,
        replicated: Vec<usize>,
        unreduced: Vec<usize>,
    },
    ShardingPerValue(Vec<usize>),
    /// How the dimensions of an op are spread, which is not read.
    OpShardingRule,
}

impl<'a> Container<'a> {
    pub(super) fn shardy(&self, reader: &mut Reader<'a>) -> Result<Shardy<'a>, Fault> {
        let at = reader.offset();
        let code = reader.varint()?;
        let attribute = |reader: &mut Reader<'a>| self.attribute_index(reader);
        Ok(match code {
            0 => Shardy::ManualAxes(reader.list(attribute)?),
            1 => Shardy::MeshAxis { name: self.string(reader)?, size: reader.signed()? },
            2 => Shardy::Mesh { axes: reader.list(attribute)?, devices: reader.list(Reader::signed)? },
            3 => Shardy::SubAxis { before: reader.signed()?, size: reader.signed()? },
            4 => Shardy::AxisRef { name: self.string(reader)?, sub_axis: self.optional_attribute(reader)? },
            5 => {
                let (axes, is_closed) = (reader.list(attribute)?, reader.byte()? != 0);
                let (priority, has_priority) = reader.flagged()?;
                Shardy::Dimension { axes, is_closed, priority: has_priority.then_some(priority) }
            }
            6 | 15 => Shardy::Sharding {
                mesh: attribute(reader)?,
                dimensions: reader.list(attribute)?,
                replicated: reader.list(attribute)?,
                unreduced: if code == 15 { reader.list(attribute)? } else { Vec::new() },
            },
            7 | 16 => Shardy::ShardingPerValue(reader.list(attribute)?),
            10 => {
                reader.take(reader.left() as u64)?;
                Shardy::OpShardingRule
            }
            _ => return Err(Fault::new(at, format!("attribute {code} of Shardy")).unsupported()),
        })
    }
}

// Writing to a vector cannot fail, so results of `write!` are ignored here.
impl<'a> Printer<'a> {
    pub(super) fn shardy(&mut self, attribute: &Shardy<'a>, at: usize) -> Result<(), Fault> {
        match attribute {
            Shardy::ManualAxes(axes) => {
                self.push("#sdy<manual_axes{");
                self.items(axes, |printer, &axis| printer.attribute(axis))?;
                self.push("}>");
            }
            Shardy::Mesh { axes, devices } => {
                self.push("#sdy.mesh");
                self.mesh(axes, devices)?;
            }
            Shardy::Sharding { .. } => {
                self.push("#sdy.sharding");
                self.sharding(attribute, at)?;
            }
            Shardy::ShardingPerValue(shardings) => {
                self.push("#sdy.sharding_per_value<[");
                self.items(shardings, |printer, &sharding| {
                    let sharding = printer.shardy_part(sharding)?;
                    printer.sharding(&sharding, at)
                })?;
                self.push("]>");
            }
            Shardy::MeshAxis { .. }
            | Shardy::SubAxis { .. }
            | Shardy::AxisRef { .. }
            | Shardy::Dimension { .. }
            | Shardy::OpShardingRule => {
                return Err(misplaced(at));
            }
        }
        Ok(())
    }

    /// An attribute of Shardy that is a part of another.
    fn shardy_part(&self, index: usize) -> Result<Shardy<'a>, Fault> {
        match self.file.attribute_of(index)? {
            Attribute::Shardy(part) => Ok(part),
            _ => Err(misplaced(self.file.attributes[index].range.start)),
        }
    }

    /// `<["a"=2], device_ids=[1, 0]>`.
    fn mesh(&mut self, axes: &[usize], devices: &[i64]) -> Result<(), Fault> {
        self.push("<[");
        self.items(axes, |printer, &axis| {
            let Shardy::MeshAxis { name, size } = printer.shardy_part(axis)? else {
                return Err(misplaced(printer.file.attributes[axis].range.start));
            };
            printer.string(name);
            let _ = write!(printer.out, "={size}");
            Ok(())
        })?;
        self.push("]");
        if !devices.is_empty() {
            self.push(", device_ids=[");
            self.numbers(devices);
            self.push("]");
        }
        self.push(">");
        Ok(())
    }

    /// `<@mesh, [{"a"}, {?}p1], replicated={"b"}>`.
    fn sharding(&mut self, sharding: &Shardy<'a>, at: usize) -> Result<(), Fault> {
        let Shardy::Sharding { mesh, dimensions, replicated, unreduced } = sharding else {
            return Err(misplaced(at));
        };
        self.push("<");
        match self.file.attribute_of(*mesh)? {
            Attribute::Shardy(Shardy::Mesh { axes, devices }) => {
                self.push("mesh");
                self.mesh(&axes, &devices)?;
            }
            _ => self.attribute(*mesh)?,
        }
        self.push(", [");
        self.items(dimensions, |printer, &dimension| {
            let Shardy::Dimension { axes, is_closed, priority } = printer.shardy_part(dimension)? else {
                return Err(misplaced(printer.file.attributes[dimension].range.start));
            };
            printer.push("{");
            printer.axes(&axes)?;
            match (is_closed, axes.is_empty()) {
                (true, _) => {}
                (false, true) => printer.push("?"),
                (false, false) => printer.push(", ?"),
            }
            printer.push("}");
            if let Some(priority) = priority {
                let _ = write!(printer.out, "p{priority}");
            }
            Ok(())
        })?;
        self.push("]");
        for (name, axes) in [("replicated", replicated), ("unreduced", unreduced)] {
            if !axes.is_empty() {
                let _ = write!(self.out, ", {name}={{");
                self.axes(axes)?;
                self.push("}");
            }
        }
        self.push(">");
        Ok(())
    }

    /// `"a", "b":(1)2`.
    fn axes(&mut self, axes: &[usize]) -> Result<(), Fault> {
        self.items(axes, |printer, &axis| {
            let Shardy::AxisRef { name, sub_axis } = printer.shardy_part(axis)? else {
                return Err(misplaced(printer.file.attributes[axis].range.start));
            };
            printer.string(name);
            if let Some(sub_axis) = sub_axis {
                let Shardy::SubAxis { before, size } = printer.shardy_part(sub_axis)? else {
                    return Err(misplaced(printer.file.attributes[sub_axis].range.start));
                };
                let _ = write!(printer.out, ":({before}){size}");
            }
            Ok(())
        })
    }
}

fn misplaced(at: usize) -> Fault {
    Fault::new(at, "an attribute of Shardy at the wrong place")
}
