//! Writes the attributes of VHLO's ops as those of StableHLO's, which has structs where VHLO has single numbers and lists
//! (StableHLO's `VhloLegalizeToStablehlo.cpp`). Some defaults are omitted. So are the attributes that a later
//! version of an op has more than an earlier one: they have their defaults there.

use super::Fault;
use super::attribute::{Attribute, Integer};
use super::print::Printer;
use super::shardy::Shardy;
use super::structs::struct_fields;
use super::ty::{MOST_DIMENSIONS, Scalar, Type};
use super::vhlo::{self, Form, base_name, form};
use std::io::Write;

/// The attributes that an op defines, and others that were added to it.
pub(super) struct OpAttributes<'a> {
    /// The offset of the op.
    pub at: usize,
    pub own: Vec<(&'a str, usize)>,
    pub other: Vec<(&'a [u8], usize)>,
}

impl OpAttributes<'_> {
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        self.own.iter().find(|(own, _)| *own == name).map(|&(_, value)| value)
    }
}

/// An attribute that is a struct in StableHLO: the ops that have it, its name, and its struct.
struct Struct {
    ops: &'static [&'static str],
    name: &'static str,
    ty: &'static str,
}

impl Struct {
    fn fields(&self) -> &'static [&'static str] {
        struct_fields(self.ty).unwrap_or_default()
    }
}

const STRUCTS: [Struct; 3] = [
    Struct { ops: &["dot_general"], name: "dot_dimension_numbers", ty: "dot" },
    Struct { ops: &["gather", "dynamic_gather"], name: "dimension_numbers", ty: "gather" },
    Struct { ops: &["scatter"], name: "scatter_dimension_numbers", ty: "scatter" },
];

const CONVOLUTIONS: [&str; 2] = ["convolution", "dynamic_conv"];
/// For the input, the kernel and the output of a convolution: two dimensions with their letters, and the spatial ones.
const CONVOLUTION_FIELDS: [[(&str, char); 2]; 3] = [
    [("input_batch_dimension", 'b'), ("input_feature_dimension", 'f')],
    [("kernel_input_feature_dimension", 'i'), ("kernel_output_feature_dimension", 'o')],
    [("output_batch_dimension", 'b'), ("output_feature_dimension", 'f')],
];
const SPATIAL_FIELDS: [&str; 3] =
    ["input_spatial_dimensions", "kernel_spatial_dimensions", "output_spatial_dimensions"];

const DOT_ALGORITHM: Struct = Struct { ops: &["dot_general"], name: "algorithm", ty: "dot_algorithm" };

const CHANNEL: [&str; 2] = ["channel_id", "channel_type"];

/// The attributes that an op of StableHLO, such as `compare`, can have.
pub fn attribute_names(op: &str) -> Vec<&'static str> {
    let mut names: Vec<&str> = vhlo::newest_attributes(op).collect();
    let mut join = |is_part: &dyn Fn(&str) -> bool, name| {
        let before = names.len();
        names.retain(|part| !is_part(part));
        names.extend((names.len() < before).then_some(name));
    };
    for structure in STRUCTS.iter().chain([&DOT_ALGORITHM]).filter(|structure| structure.ops.contains(&op)) {
        join(&|part| structure.fields().contains(&part), structure.name);
    }
    let is_dimension = |part: &str| CONVOLUTION_FIELDS.iter().flatten().any(|(name, _)| *name == part);
    join(&|part| is_dimension(part) || SPATIAL_FIELDS.contains(&part), "dimension_numbers");
    join(&|part| CHANNEL.contains(&part), "channel_handle");
    names.sort_unstable();
    names
}

// Writing to a vector cannot fail, so results of `write!` are ignored here.
impl<'a> Printer<'a> {
    /// All attributes of an op of VHLO, such as `gather_v2`, in braces with a space before them; nothing without any.
    pub(super) fn op_attributes(&mut self, op: &str, attributes: &OpAttributes<'a>) -> Result<(), Fault> {
        let start = self.out.len();
        self.push(" {");
        let first = self.out.len();
        let base = base_name(op);
        let mut joined: Vec<&str> = Vec::new();
        for structure in STRUCTS.iter().filter(|structure| structure.ops.contains(&base)) {
            self.structure(first, structure, attributes)?;
            joined.extend(structure.fields());
        }
        if CONVOLUTIONS.contains(&base) {
            self.convolution(first, attributes)?;
            joined.extend(CONVOLUTION_FIELDS.iter().flatten().map(|(name, _)| *name));
            joined.extend(SPATIAL_FIELDS);
        }
        if DOT_ALGORITHM.ops.contains(&base) {
            self.dot_algorithm(first, attributes)?;
            joined.extend(DOT_ALGORITHM.fields());
        }
        if attributes.find(CHANNEL[1]).is_some() {
            let [id, ty] = [self.number(attributes, CHANNEL[0])?, self.number(attributes, CHANNEL[1])?];
            self.separate(first);
            let _ =
                write!(self.out, "channel_handle = #stablehlo.channel_handle<handle = {id}, type = {ty}>");
            joined.extend(CHANNEL);
        }
        for &(name, value) in &attributes.own {
            // The first version of `dynamic_conv` has a padding that the operand of that name replaces.
            if !joined.contains(&name) && (op, name) != ("dynamic_conv_v1", "padding") {
                self.own_attribute(first, name, value, attributes)?;
            }
        }
        for &(name, value) in &attributes.other {
            if let Attribute::Shardy(Shardy::OpShardingRule) = self.file.attribute_of(value)? {
                continue;
            }
            self.separate(first);
            self.entry(name, value)?;
        }
        if self.out.len() == first {
            self.out.truncate(start);
        } else {
            self.push("}");
        }
        Ok(())
    }

    /// A comma, unless nothing was written since `first`.
    fn separate(&mut self, first: usize) {
        if self.out.len() > first {
            self.push(", ");
        }
    }

    fn own_attribute(
        &mut self,
        first: usize,
        name: &'a str,
        value: usize,
        attributes: &OpAttributes<'a>,
    ) -> Result<(), Fault> {
        let attribute = self.file.attribute_of(value)?;
        if self.is_default(name, &attribute, attributes)? {
            return Ok(());
        }
        let at = self.file.attributes[value].range.start;
        let wrong = |wanted: &str| Fault::new(at, format!("`{name}` is not {wanted}"));
        match (form(name), attribute) {
            (Form::Integers, Attribute::Dense { ty, data }) => {
                let numbers = self.integers(ty, data)?;
                self.separate(first);
                self.array(name, "i64", &numbers);
            }
            (Form::Booleans, Attribute::Dense { ty, data }) => {
                let flags: Vec<bool> = self.integers(ty, data)?.iter().map(|&bit| bit != 0).collect();
                self.separate(first);
                self.array(name, "i1", &flags);
            }
            (Form::Integers | Form::Booleans, _) => return Err(wrong("a tensor")),
            (Form::Symbol, Attribute::String(symbol)) => {
                self.separate(first);
                let _ = write!(self.out, "{name} = ");
                self.symbol(symbol);
            }
            (Form::Symbol, Attribute::Array(symbols)) => {
                self.separate(first);
                let _ = write!(self.out, "{name} = [");
                self.items(symbols, |printer, symbol| {
                    let symbol = printer.file.name(symbol)?;
                    printer.symbol(symbol);
                    Ok(())
                })?;
                self.push("]");
            }
            (Form::Symbol, _) => return Err(wrong("the name of a function")),
            (Form::Unit, Attribute::Bool(is_set)) => {
                if is_set {
                    self.separate(first);
                    self.push(name);
                }
            }
            (Form::Unit, _) => return Err(wrong("a boolean")),
            (Form::Channel, Attribute::Integer { value: Integer::Short(id), .. }) => {
                if id != 0 {
                    self.separate(first);
                    let _ = write!(
                        self.out,
                        "channel_handle = #stablehlo.channel_handle<handle = {id}, type = 0>"
                    );
                }
            }
            (Form::Channel, _) => return Err(wrong("an integer")),
            (Form::Same, _) => {
                self.separate(first);
                self.entry(name.as_bytes(), value)?;
            }
        }
        Ok(())
    }

    /// Whether StableHLO's op has this value where it lacks the attribute.
    fn is_default(
        &self,
        name: &str,
        value: &Attribute<'a>,
        attributes: &OpAttributes<'a>,
    ) -> Result<bool, Fault> {
        let is_empty_list = |name: &str| match attributes.find(name) {
            Some(value) => {
                Ok(matches!(self.file.attribute_of(value)?, Attribute::Array(items) if items.is_empty()))
            }
            None => Ok(true),
        };
        Ok(match (name, value) {
            ("compare_type", Attribute::Case(_, case)) => *case == 0,
            ("backend_config", Attribute::String(text)) => text.is_empty(),
            ("backend_config" | "composite_attributes", Attribute::Dictionary(entries)) => entries.is_empty(),
            (
                "called_computations" | "output_operand_aliases" | "result_tilings",
                Attribute::Array(items),
            ) => items.is_empty(),
            // One without the other is not valid.
            ("operand_layouts" | "result_layouts", _) => {
                is_empty_list("operand_layouts")? && is_empty_list("result_layouts")?
            }
            (
                "known_expanding_dimensions" | "known_nonexpanding_dimensions",
                Attribute::Dense { data, .. },
            ) => data.is_empty(),
            // Only of ops with a channel.
            ("source_target_pairs", Attribute::Dense { data, .. }) => {
                data.is_empty() && attributes.find(CHANNEL[1]).is_some()
            }
            ("result_accuracy", Attribute::Accuracy { absolute, relative, ulps, mode }) => {
                let is_zero = *absolute == 0.0 && *relative == 0.0 && *ulps == 0;
                is_zero && matches!(self.file.attribute_of(*mode)?, Attribute::Case(_, 0))
            }
            _ => false,
        })
    }

    fn array<T: std::fmt::Display>(&mut self, name: &str, element: &str, values: &[T]) {
        let _ = write!(self.out, "{name} = array<{element}");
        if !values.is_empty() {
            self.push(": ");
        }
        self.numbers(values);
        self.push(">");
    }

    fn value_of(&self, attributes: &OpAttributes<'a>, name: &str) -> Result<(usize, Attribute<'a>), Fault> {
        let lacks = || Fault::new(attributes.at, format!("an op without its attribute `{name}`"));
        let value = attributes.find(name).ok_or_else(lacks)?;
        Ok((self.file.attributes[value].range.start, self.file.attribute_of(value)?))
    }

    fn number(&self, attributes: &OpAttributes<'a>, name: &str) -> Result<i64, Fault> {
        match self.value_of(attributes, name)? {
            (_, Attribute::Integer { value: Integer::Short(value), .. }) => Ok(value),
            (at, _) => Err(Fault::new(at, format!("`{name}` is not an integer"))),
        }
    }

    fn numbers_of(&self, attributes: &OpAttributes<'a>, name: &str) -> Result<Vec<i64>, Fault> {
        match self.value_of(attributes, name)? {
            (_, Attribute::Dense { ty, data }) => self.integers(ty, data),
            (at, _) => Err(Fault::new(at, format!("`{name}` is not a tensor"))),
        }
    }

    fn structure(
        &mut self,
        first: usize,
        structure: &Struct,
        attributes: &OpAttributes<'a>,
    ) -> Result<(), Fault> {
        self.separate(first);
        let _ = write!(self.out, "{} = #stablehlo.{}<", structure.name, structure.ty);
        let start = self.out.len();
        for &field in structure.fields().iter().filter(|field| attributes.find(field).is_some()) {
            if let (_, Attribute::Integer { value: Integer::Short(value), .. }) =
                self.value_of(attributes, field)?
            {
                self.separate(start);
                let _ = write!(self.out, "{field} = {value}");
                continue;
            }
            let numbers = self.numbers_of(attributes, field)?;
            if !numbers.is_empty() {
                self.separate(start);
                let _ = write!(self.out, "{field} = [");
                self.numbers(&numbers);
                self.push("]");
            }
        }
        self.push(">");
        Ok(())
    }

    fn convolution(&mut self, first: usize, attributes: &OpAttributes<'a>) -> Result<(), Fault> {
        self.separate(first);
        self.push("dimension_numbers = #stablehlo.conv<");
        for (side, (letters, spatial)) in CONVOLUTION_FIELDS.iter().zip(SPATIAL_FIELDS).enumerate() {
            let spatial_dims = self.numbers_of(attributes, spatial)?;
            let mut labels = vec![String::new(); spatial_dims.len() + letters.len()];
            if labels.len() > MOST_DIMENSIONS {
                let why = format!("a convolution of {} dimensions", labels.len());
                return Err(Fault::new(attributes.at, why).unsupported());
            }
            let mut label = |dim: i64, text: String, name: &str| {
                let slot = usize::try_from(dim).ok().and_then(|dim| labels.get_mut(dim));
                let slot = slot.filter(|slot| slot.is_empty());
                let why = || format!("`{name}` is dimension {dim}, which does not exist or is used twice");
                *slot.ok_or_else(|| Fault::new(attributes.at, why()))? = text;
                Ok(())
            };
            for &(name, letter) in letters {
                label(self.number(attributes, name)?, letter.to_string(), name)?;
            }
            for (index, &dim) in spatial_dims.iter().enumerate() {
                label(dim, index.to_string(), spatial)?;
            }
            self.push(["[", "x[", "->["][side]);
            self.numbers(&labels);
            self.push("]");
        }
        self.push(">");
        Ok(())
    }

    /// Nothing, if the op has no algorithm: its fields are then the type `none`.
    fn dot_algorithm(&mut self, first: usize, attributes: &OpAttributes<'a>) -> Result<(), Fault> {
        let Some(accumulation) = attributes.find("accumulation_type") else { return Ok(()) };
        if let Attribute::Type(ty) = self.file.attribute_of(accumulation)?
            && matches!(self.file.type_of(ty)?, Type::Scalar(Scalar::None))
        {
            return Ok(());
        }
        self.separate(first);
        let _ = write!(self.out, "{} = #stablehlo.{}<", DOT_ALGORITHM.name, DOT_ALGORITHM.ty);
        let start = self.out.len();
        for field in DOT_ALGORITHM.fields() {
            self.separate(start);
            let _ = write!(self.out, "{field} = ");
            match self.value_of(attributes, field)? {
                (_, Attribute::Integer { value: Integer::Short(value), .. }) => {
                    let _ = write!(self.out, "{value}");
                }
                (_, Attribute::Type(ty)) => self.ty(ty)?,
                (_, Attribute::Bool(value)) => self.push(if value { "true" } else { "false" }),
                (at, _) => return Err(Fault::new(at, format!("`{field}` is not a number or a type"))),
            }
        }
        self.push(">");
        Ok(())
    }
}
