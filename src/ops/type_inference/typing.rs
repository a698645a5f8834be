//! The queries of type rules.

use super::{Inferred, Violation};
use crate::diagnostic::Part;
use crate::ir::{Attribute, Dim, Dims, Element, Module, OpId, TensorType, TypeId, ValueId, stablehlo};
use smallvec::smallvec;

/// An op being checked.
pub(in crate::ops) struct Typing<'a> {
    pub(super) module: &'a Module,
    pub(super) op: OpId,
}

/// A violation by types.
pub(super) fn types<T>(why: impl Into<String>) -> Result<T, Violation> {
    Err(Violation::types(why))
}

/// A violation by an attribute.
pub(super) fn attribute<T>(name: &'static str, why: impl Into<String>) -> Result<T, Violation> {
    Err(Violation::attribute(name, why))
}

/// Whether two sizes are compatible.
pub(in crate::ops) fn dim_fits(x: Dim, y: Dim) -> bool {
    match (x.known(), y.known()) {
        (Some(x), Some(y)) => x == y,
        _ => true,
    }
}

/// Whether two lists of sizes are compatible.
pub(in crate::ops) fn dims_fit(x: &[Dim], y: &[Dim]) -> bool {
    x.len() == y.len() && x.iter().zip(y).all(|(&x, &y)| dim_fits(x, y))
}

/// Whether two element types are compatible. The parameters of quantized types are not compared.
pub(super) fn element_fits(x: Element, y: Element) -> bool {
    x == y || matches!((x, y), (Element::Quantized(_), _) | (_, Element::Quantized(_)))
}

/// Whether two types are compatible.
pub(super) fn fits(x: &TensorType, y: &TensorType) -> bool {
    element_fits(x.element, y.element) && dims_fit(&x.dims, &y.dims)
}

/// The more precise of two compatible sizes.
pub(super) fn known_of(x: Dim, y: Dim) -> Dim {
    match (x, y) {
        (Dim::Known(_), _) | (_, Dim::Dynamic) => x,
        (_, Dim::Known(_)) | (Dim::Dynamic, _) => y,
        _ => x,
    }
}

/// A tensor type without an encoding.
pub(super) fn tensor(element: Element, dims: impl IntoIterator<Item = Dim>) -> TensorType {
    TensorType { element, dims: dims.into_iter().collect(), encoding: None }
}

/// One result.
pub(super) fn one(ty: TensorType) -> Inferred {
    Ok(smallvec![ty])
}

impl<'a> Typing<'a> {
    pub(super) fn operand_count(&self) -> usize {
        self.module.op(self.op).operands.len()
    }

    pub(super) fn result_count(&self) -> usize {
        self.module.op(self.op).results.len()
    }

    pub(super) fn operand_value(&self, index: usize) -> Result<ValueId, Violation> {
        let operand = self.module.op(self.op).operands.get(index).copied();
        operand.ok_or_else(|| Violation::types(format!("operand {index} is missing")))
    }

    /// The type of an operand.
    pub(super) fn operand(&self, index: usize) -> Result<&'a TensorType, Violation> {
        let ty = self.module.tensor(self.operand_value(index)?);
        ty.ok_or_else(|| {
            Violation::types(format!("operand {index} is not a tensor"))
                .showing(Part::OperandType(index), "this is not a tensor")
        })
    }

    /// The types of all operands.
    pub(super) fn operands(&self) -> Result<Vec<&'a TensorType>, Violation> {
        (0..self.operand_count()).map(|index| self.operand(index)).collect()
    }

    /// The type of a result in the text.
    pub(super) fn result(&self, index: usize) -> Result<&'a TensorType, Violation> {
        let result = self.module.op(self.op).results.get(index).copied();
        let ty = result.and_then(|result| self.module.tensor(result));
        ty.ok_or_else(|| {
            Violation::types(format!("result {index} is not a tensor"))
                .showing(Part::ResultType(index), "this is not a tensor")
        })
    }

    /// All results in the text.
    pub(super) fn stated(&self) -> Inferred {
        (0..self.result_count()).map(|index| self.result(index).cloned()).collect()
    }

    /// A type as the text writes it.
    pub(super) fn describe(&self, ty: &TensorType) -> String {
        self.module.spell_tensor(ty)
    }

    /// A size as a person would write it.
    pub(super) fn spell(&self, dim: Dim) -> String {
        self.module.dim_exprs.spell(&self.module.symbols, dim)
    }

    /// An operand of rank 0.
    pub(super) fn scalar(&self, index: usize) -> Result<&'a TensorType, Violation> {
        let ty = self.operand(index)?;
        if ty.rank() == 0 {
            return Ok(ty);
        }
        Err(self.wrong_operand(index, ty, "be a scalar"))
    }

    /// An operand that holds integers.
    pub(super) fn integer_operand(&self, index: usize) -> Result<&'a TensorType, Violation> {
        let ty = self.operand(index)?;
        if ty.element.is_integer() || ty.element == Element::Index {
            return Ok(ty);
        }
        Err(self.wrong_operand(index, ty, "hold integers"))
    }

    /// An operand that is a list of integers, of that length if it is known.
    pub(super) fn list(&self, index: usize, length: usize) -> Result<(), Violation> {
        let ty = self.integer_operand(index)?;
        if ty.rank() == 1 && dim_fits(ty.dims[0], Dim::Known(length as i64)) {
            return Ok(());
        }
        Err(self.wrong_operand(index, ty, &format!("be a list of {length} integers")))
    }

    /// The violation by the type of one operand.
    pub(super) fn wrong_operand(&self, index: usize, ty: &TensorType, must: &str) -> Violation {
        Violation::types(format!("operand {index} is `{}`, but must {must}", self.describe(ty)))
            .showing(Part::OperandType(index), format!("this must {must}"))
    }

    /// A violation by the types of two operands, the second being the primary one.
    pub(super) fn disagreeing(&self, x: usize, y: usize, why: impl Into<String>) -> Violation {
        let say = |index: usize| {
            let ty = self.operand(index).map(|ty| self.describe(ty));
            ty.map_or_else(|_| String::new(), |ty| format!("operand {index} is `{ty}`"))
        };
        Violation::types(why).showing(Part::OperandType(y), say(y)).showing(Part::OperandType(x), say(x))
    }

    /// Requires that two operands have the same element type.
    pub(super) fn same_element(&self, x: usize, y: usize) -> Result<(), Violation> {
        let (left, right) = (self.operand(x)?, self.operand(y)?);
        if element_fits(left.element, right.element) {
            return Ok(());
        }
        let (left, right) = (self.describe(left), self.describe(right));
        let why = format!("operands {x} and {y} differ in their element type: `{left}` and `{right}`");
        Err(self.disagreeing(x, y, why))
    }

    // Attributes.

    pub(super) fn attribute(&self, name: &'static str) -> Result<&'a Attribute, Violation> {
        self.module.attribute(self.op, name).ok_or_else(|| Violation::missing(name))
    }

    /// An integer.
    pub(super) fn integer(&self, name: &'static str) -> Result<i64, Violation> {
        let value = self.attribute(name)?.as_integer();
        value.ok_or_else(|| Violation::attribute(name, "expected an integer"))
    }

    /// An optional integer.
    pub(super) fn integer_or(&self, name: &'static str, default: i64) -> Result<i64, Violation> {
        if self.module.attribute(self.op, name).is_some() { self.integer(name) } else { Ok(default) }
    }

    /// A list of integers.
    pub(super) fn integers(&self, name: &'static str) -> Result<Vec<i64>, Violation> {
        let values = self.module.integers(self.attribute(name)?);
        values.ok_or_else(|| Violation::attribute(name, "expected a list of integers"))
    }

    /// A list of that many integers.
    pub(super) fn integers_of(&self, name: &'static str, length: usize) -> Result<Vec<i64>, Violation> {
        let values = self.integers(name)?;
        if values.len() == length {
            return Ok(values);
        }
        attribute(name, format!("expected {length} numbers, found {}", values.len()))
    }

    /// A list of that many integers, some of which may be expressions.
    pub(super) fn sizes_of(&self, name: &'static str, length: usize) -> Result<Dims, Violation> {
        let Some(Attribute::Dims(sizes)) = self.module.attribute(self.op, name) else {
            return Ok(self.integers_of(name, length)?.into_iter().map(Dim::Known).collect());
        };
        if sizes.len() == length {
            return Ok(sizes.clone());
        }
        attribute(name, format!("expected {length} sizes, found {}", sizes.len()))
    }

    /// A list of that many integers, each at least `least`; all are `default` if absent.
    pub(super) fn integers_or(
        &self,
        name: &'static str,
        length: usize,
        least: i64,
        default: i64,
    ) -> Result<Vec<i64>, Violation> {
        if self.module.attribute(self.op, name).is_none() {
            return Ok(vec![default; length]);
        }
        let values = self.integers_of(name, length)?;
        match values.iter().position(|&value| value < least) {
            Some(index) => Err(Violation::attribute(name, format!("{} is less than {least}", values[index]))
                .within(|part| part.item(index))),
            None => Ok(values),
        }
    }

    /// A dimension of a tensor of that rank.
    pub(super) fn dimension(&self, name: &'static str, rank: usize) -> Result<usize, Violation> {
        let value = self.integer(name)?;
        in_range(name, value, rank)
    }

    /// Distinct dimensions of a tensor of that rank.
    pub(super) fn dimensions(&self, name: &'static str, rank: usize) -> Result<Vec<usize>, Violation> {
        distinct(name, &self.integers(name)?, rank)
    }

    /// Distinct dimensions in a field of a struct attribute; an absent field is an empty list.
    pub(super) fn field_dimensions(
        &self,
        name: &'static str,
        field: &'static str,
        rank: usize,
    ) -> Result<Vec<usize>, Violation> {
        distinct(name, &self.field_integers(name, field)?, rank)
            .map_err(|violation| in_field(violation, field))
    }

    /// The integers in a field of a struct attribute; empty if the field is absent.
    pub(super) fn field_integers(&self, name: &'static str, field: &str) -> Result<Vec<i64>, Violation> {
        let Some(value) = self.module.field(self.attribute(name)?, field) else { return Ok(Vec::new()) };
        let values = self.module.integers(value);
        values.ok_or_else(|| Violation::attribute(name, format!("`{field}` is not a list of integers")))
    }

    /// The integer in a field of a struct attribute; 0 if absent.
    pub(super) fn field_integer(&self, name: &'static str, field: &str) -> Result<i64, Violation> {
        match self.field_integers(name, field)?[..] {
            [] => Ok(0),
            [value] => Ok(value),
            _ => attribute(name, format!("`{field}` is not an integer")),
        }
    }

    /// One of the given words.
    pub(super) fn word(&self, name: &'static str, words: &[&str]) -> Result<&'a str, Violation> {
        let word = self.module.word(self.attribute(name)?);
        match word.filter(|word| words.contains(word)) {
            Some(word) => Ok(word),
            None => attribute(name, format!("expected one of {}", words.join(", "))),
        }
    }

    /// The violation by a list that should have one number per dimension of an operand.
    pub(super) fn one_each(&self, name: &'static str, found: usize, index: usize, rank: usize) -> Violation {
        let numbers =
            if found == 1 { "this has 1 number".to_owned() } else { format!("this has {found} numbers") };
        let dimensions =
            if rank == 1 { "this has 1 dimension".to_owned() } else { format!("this has {rank} dimensions") };
        let mut violation = Violation::attribute(name, format!("expected {rank} dimensions, found {found}"))
            .showing(Part::OperandType(index), dimensions);
        violation.parts[0].1 = numbers;
        violation
    }

    // Regions.

    /// The types of a region's arguments and of its returned values. It must be one block with a terminator.
    pub(super) fn region(&self, index: usize) -> Result<(Vec<TypeId>, Vec<TypeId>), Violation> {
        let module = self.module;
        let region = module.op(self.op).regions.get(index).copied();
        let Some(region) = region else { return types(format!("region {index} is missing")) };
        let [block] = module.region(region).blocks[..] else {
            return types(format!("region {index} must have one block"));
        };
        let terminator = module.block(block).ops.last().copied();
        let Some(terminator) = terminator.filter(|&op| module.op(op).name == stablehlo::RETURN) else {
            return types(format!("region {index} does not end with `stablehlo.return`"));
        };
        let type_of = |&value: &ValueId| module.value_type(value);
        let arguments = module.block(block).arguments.iter().map(type_of).collect();
        Ok((arguments, module.op(terminator).operands.iter().map(type_of).collect()))
    }

    /// Requires this number of regions.
    pub(super) fn regions(&self, count: usize) -> Result<(), Violation> {
        let found = self.module.op(self.op).regions.len();
        if found == count { Ok(()) } else { types(format!("expected {count} regions, found {found}")) }
    }

    /// Requires that a region combines scalars: `count` arguments, each a scalar of its own element type, and half as
    /// many results.
    ///
    /// The element types are those of the operands, or wider ones.
    pub(super) fn combines(&self, index: usize, count: usize) -> Result<(), Violation> {
        let (arguments, returned) = self.region(index)?;
        if arguments.len() != 2 * count || returned.len() != count {
            return types(format!(
                "region {index} must take {} scalars and return {count}, found {} and {}",
                2 * count,
                arguments.len(),
                returned.len()
            ));
        }
        self.scalars(index, arguments.iter().chain(&returned))
    }

    /// Requires that a region takes and returns scalars.
    pub(super) fn scalars<'t>(
        &self,
        region: usize,
        mut all: impl Iterator<Item = &'t TypeId>,
    ) -> Result<(), Violation> {
        if all.all(|&ty| self.module.tensor_type(ty).is_some_and(|ty| ty.rank() == 0)) {
            return Ok(());
        }
        types(format!("region {region} must take and return scalars"))
    }
}

fn in_field(violation: Violation, field: &str) -> Violation {
    let why = format!("`{field}`: {}", violation.why);
    Violation { why, ..violation }.within(|part| part.field(field))
}

pub(super) fn in_range(name: &'static str, value: i64, rank: usize) -> Result<usize, Violation> {
    match usize::try_from(value) {
        Ok(value) if value < rank => Ok(value),
        _ => attribute(name, format!("{value} is not a dimension of a tensor of rank {rank}")),
    }
}

pub(super) fn distinct(name: &'static str, values: &[i64], rank: usize) -> Result<Vec<usize>, Violation> {
    let mut seen = vec![false; rank];
    let mut dims = Vec::with_capacity(values.len());
    for (index, &value) in values.iter().enumerate() {
        let dim =
            in_range(name, value, rank).map_err(|violation| violation.within(|part| part.item(index)))?;
        if std::mem::replace(&mut seen[dim], true) {
            let twice = Violation::attribute(name, format!("{value} occurs twice"));
            return Err(twice.within(|part| part.item(index)));
        }
        dims.push(dim);
    }
    Ok(dims)
}

/// The sizes without those at the given positions.
pub(super) fn without(dims: &[Dim], dropped: &[usize]) -> Dims {
    dims.iter().enumerate().filter(|(axis, _)| !dropped.contains(axis)).map(|(_, &dim)| dim).collect()
}
