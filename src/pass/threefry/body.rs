//! Follows the words through the body of a function, its loops and the functions that it calls.

use super::words::{WordId, Words};
use crate::ir::{Element, FunctionId, Module, OpId, OpName, RegionId, TypeId, ValueId, func, stablehlo};
use crate::ops::OpAttributes;
use crate::ops::fold::{self, Tensor};
use crate::source::Source;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

/// How a function broadcasts its arguments, if it computes Threefry-2x32: takes two words of a key and two of a counter, and
/// returns two words for each element.
pub(super) fn broadcasts(module: &Module, source: &Source, function: FunctionId) -> Option<Broadcasts> {
    let body = module.function(function).body;
    let block = module.block(module.entry_block(body)?);
    let arguments: [ValueId; 4] = block.arguments[..].try_into().ok()?;
    let &[first, second] = &module.op(*block.ops.last()?).operands[..] else { return None };
    let is_word =
        |value: &ValueId| module.tensor(*value).is_some_and(|tensor| tensor.element == Element::U32);
    let result = module.value_type(first);
    if !arguments.iter().all(is_word) || module.value_type(second) != result {
        return None;
    }
    let mut words = Words::default();
    let known = [0, 1, 2, 3].map(|index| words.argument(index));
    let expected = words.threefry2x32(known);
    let values = FxHashMap::default();
    let mut walk = Walk { module, source, words, values, result, dims: FxHashMap::default(), steps: 0 };
    let returned = walk.region(body, known.into_iter().map(Known::Word).collect(), 0)?;
    match returned[..] {
        [Known::Word(x), Known::Word(y)] if [x, y] == expected => {}
        _ => return None,
    }
    let of = |argument: ValueId| {
        let ty = module.value_type(argument);
        if ty == result { Some(None) } else { walk.dims.get(&ty).cloned().map(Some) }
    };
    let [first, second, x, y] = arguments;
    Some([of(first)?, of(second)?, of(x)?, of(y)?])
}

/// The dimensions of the results for those of each argument that does not have the type of the results.
pub(super) type Broadcasts = [Option<Vec<i64>>; 4];

/// What is known of a value.
#[derive(Clone)]
enum Known {
    /// Its elements.
    Elements(Tensor),
    /// A term of the arguments, the same for each element.
    Word(WordId),
}

/// How many ops are followed.
const STEPS: usize = 4096;
/// How deep calls are followed.
const DEPTH: usize = 8;

struct Walk<'a> {
    module: &'a Module,
    source: &'a Source,
    words: Words,
    values: FxHashMap<ValueId, Known>,
    /// The type of the results, to which terms of other types are broadcast.
    result: TypeId,
    /// The dimensions of these broadcasts. Terms of one type are functions of arguments of that type, element by element.
    dims: FxHashMap<TypeId, Vec<i64>>,
    steps: usize,
}

impl Walk<'_> {
    /// What a region returns for these arguments.
    fn region(&mut self, region: RegionId, arguments: Vec<Known>, depth: usize) -> Option<Vec<Known>> {
        let module = self.module;
        let block = module.block(module.entry_block(region)?);
        if depth > DEPTH || block.arguments.len() != arguments.len() {
            return None;
        }
        self.values.extend(block.arguments.iter().copied().zip(arguments));
        for &op in &block.ops {
            self.steps += 1;
            if self.steps > STEPS {
                return None;
            }
            let name = module.op(op).name;
            let operands: Vec<Known> = module
                .op(op)
                .operands
                .iter()
                .map(|operand| self.values.get(operand).cloned())
                .collect::<Option<_>>()?;
            if matches!(name, func::RETURN | stablehlo::RETURN) {
                return Some(operands);
            }
            let results = match name {
                func::CALL => {
                    let callee = module.function(module.callee(op)?).body;
                    self.region(callee, operands, depth + 1)?
                }
                stablehlo::WHILE => self.repeat(op, operands, depth)?,
                _ => vec![self.op(op, name, &operands)?],
            };
            self.values.extend(module.op(op).results.iter().copied().zip(results));
        }
        None
    }

    /// What a loop returns whose condition depends on known elements.
    fn repeat(&mut self, op: OpId, mut state: Vec<Known>, depth: usize) -> Option<Vec<Known>> {
        let [condition, body] = self.module.op(op).regions[..] else { return None };
        loop {
            let goes_on = self.region(condition, state.clone(), depth + 1)?;
            let [Known::Elements(goes_on)] = &goes_on[..] else { return None };
            if goes_on.scalar()? == 0 {
                return Some(state);
            }
            state = self.region(body, state, depth + 1)?;
        }
    }

    fn op(&mut self, op: OpId, name: OpName, operands: &[Known]) -> Option<Known> {
        let module = self.module;
        if name == stablehlo::CONSTANT {
            let constant = module.constant_of(module.op(op).results[0])?;
            return Some(Known::Elements(Tensor::read(module, self.source, constant)?));
        }
        let elements = |known: &Known| match known {
            Known::Elements(tensor) => Some(tensor.clone()),
            Known::Word(_) => None,
        };
        if let Some(elements) = operands.iter().map(elements).collect::<Option<SmallVec<_>>>() {
            return Some(Known::Elements(fold::evaluate_op(module, op, elements)?));
        }
        let result = module.op(op).results[0];
        let word = match (name, operands) {
            (stablehlo::ADD, [a, b]) => {
                let (a, b) = (self.word(a)?, self.word(b)?);
                self.words.sum(a, b)
            }
            (stablehlo::XOR, [a, b]) => {
                let (a, b) = (self.word(a)?, self.word(b)?);
                self.words.xor(a, b)
            }
            (stablehlo::OR, [a, b]) => {
                let (a, b) = (self.word(a)?, self.word(b)?);
                self.words.or(a, b)?
            }
            (stablehlo::SHIFT_LEFT, [Known::Word(word), by]) => self.words.left(*word, number(by)?)?,
            (stablehlo::SHIFT_RIGHT_LOGICAL, [Known::Word(word), by]) => {
                self.words.right(*word, number(by)?)?
            }
            (stablehlo::BROADCAST_IN_DIM, [Known::Word(word)]) => {
                let dims = OpAttributes::of(module, op).integers("broadcast_dimensions").ok()?;
                let operand = module.value_type(module.op(op).operands[0]);
                let known = self.dims.entry(operand).or_insert_with(|| dims.clone());
                if *known != dims || module.value_type(result) != self.result {
                    return None;
                }
                *word
            }
            (stablehlo::CONVERT, [Known::Word(word)]) => {
                let operand = module.op(op).operands[0];
                if module.value_type(operand) != module.value_type(result) {
                    return None;
                }
                *word
            }
            _ => return None,
        };
        Some(Known::Word(word))
    }

    fn word(&mut self, known: &Known) -> Option<WordId> {
        match known {
            Known::Word(word) => Some(*word),
            Known::Elements(_) => number(known).map(|number| self.words.number(number)),
        }
    }
}

/// The one number of a value.
fn number(known: &Known) -> Option<u32> {
    match known {
        Known::Elements(tensor) => u32::try_from(tensor.scalar()?).ok(),
        Known::Word(_) => None,
    }
}
