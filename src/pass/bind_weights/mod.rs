//! Binds arguments of the entry function to tensors in files, and placeholders in all functions to arrays.
//!
//! Reads the module as parsed, and removes bound arguments. Tensors match arguments by path, or by order with
//! `--weights-by-order`. Ambiguities and type mismatches are errors.

mod captured;
mod matching;
mod path;

pub(super) use captured::placeholder_id;

use super::{Context, entry};
use crate::diagnostic::{Diagnostics, catalog};
use crate::ir::{
    Attribute, BlockId, Constant, Data, Definition, Dim, Element, FunctionId, Location, LocationId, Module,
    OpSpan, TensorType, Type, ValueId, provenance, stablehlo,
};
use crate::source::Span;
use crate::weights::{Tensor, Weights, WeightsFile};
use path::{ArgumentPath, parts};
use smallvec::smallvec;

/// Smaller tensors are held in memory, so that they can be compared and folded.
const SMALL: usize = 1024;

/// How many bytes are compared at a time.
const PIECE: usize = 64 * 1024;

/// A tensor of the files, with its path after prefix and renames.
struct Offer<'w> {
    file: &'w WeightsFile,
    tensor: &'w Tensor,
    path: Vec<String>,
}

/// Pairs of indices of an argument and its offer, in the order of the arguments.
type Pairing = Vec<(usize, usize)>;

/// Runs the pass. It does nothing without placeholders and weight options.
pub fn run(module: &mut Module, cx: &mut Context) {
    captured::run(module, cx);
    if cx.options.weights.files.is_empty() {
        return;
    }
    let Some(entry) = entry(module) else { return };
    let Some(block) = module.entry_block(module.function(entry).body) else { return };
    let arguments = &module.function(entry).arguments;
    let spans: Vec<Span> = arguments.iter().map(|argument| argument.span).collect();
    let paths: Vec<Option<ArgumentPath>> = arguments
        .iter()
        .map(|argument| ArgumentPath::parse(provenance::own_name(module, argument.location?)?))
        .collect();
    let offers = offers(&cx.options.weights, &paths, cx.diagnostics);
    let plan = if cx.options.weights.by_order {
        matching::by_order(&offers, spans.len(), cx.diagnostics)
    } else {
        matching::by_path(&cx.options.weights, &offers, &paths, &spans, cx.diagnostics)
    };
    if cx.diagnostics.has_errors() {
        return;
    }
    let mut constants = Vec::new();
    for &(argument, offer) in &plan {
        let offer = &offers[offer];
        let constant = constant_of(
            module,
            module.block(block).arguments[argument],
            offer,
            spans[argument],
            cx.diagnostics,
        );
        let name = match &paths[argument] {
            Some(path) => path.short.clone(),
            None => offer.path.join("/"),
        };
        constants.extend(constant.map(|constant| (argument, constant, name)));
    }
    if cx.diagnostics.has_errors() {
        return;
    }
    cx.bound = constants.len();
    replace(module, entry, block, constants);
}

/// The tensors under the prefix, with their renamed paths.
fn offers<'w>(
    weights: &'w Weights,
    paths: &[Option<ArgumentPath>],
    diagnostics: &mut Diagnostics,
) -> Vec<Offer<'w>> {
    let prefix = weights.prefix.as_deref().map(parts).unwrap_or_default();
    let renames: Vec<(Vec<String>, Vec<String>)> =
        weights.renames.iter().map(|(from, to)| (parts(from), parts(to))).collect();
    let mut used = vec![false; renames.len()];
    let mut offers = Vec::new();
    for file in &weights.files {
        for tensor in &file.tensors {
            let path = parts(&tensor.name);
            let Some(rest) = path.strip_prefix(&prefix[..]) else { continue };
            let renamed = renames.iter().zip(&mut used).find_map(|((from, to), used)| {
                let rest = rest.strip_prefix(&from[..])?;
                *used = true;
                Some([to, rest].concat())
            });
            let path = renamed.unwrap_or_else(|| rest.to_vec());
            offers.push(Offer { file, tensor, path });
        }
    }
    let Some(example) = weights.files.iter().find_map(|file| file.tensors.first()) else { return offers };
    if offers.is_empty() {
        let option = format!("--weights-prefix {}", weights.prefix.as_deref().unwrap_or_default());
        let (tensor, remedy) = (&*example.name, matching::fitting_prefix(weights, paths));
        let remedy = remedy.as_deref();
        diagnostics.push(catalog::UnusedWeightOption { option: &option, tensor, remedy });
        return offers;
    }
    for ((from, to), _) in weights.renames.iter().zip(used).filter(|(_, used)| !used) {
        let option = format!("--rename {from}={to}");
        let tensor = &*offers[0].tensor.name;
        diagnostics.push(catalog::UnusedWeightOption { option: &option, tensor, remedy: None });
    }
    offers
}

/// The constant for a value, or a diagnostic that explains why the tensor does not fit.
fn constant_of(
    module: &mut Module,
    value: ValueId,
    offer: &Offer,
    at: Span,
    diagnostics: &mut Diagnostics,
) -> Option<Constant> {
    let Offer { file, tensor, .. } = offer;
    let expected = module.tensor(value).cloned();
    let element = expected.as_ref().map(|ty| ty.element);
    // `numpy.ascontiguousarray`, which many programs call before saving, turns a scalar into an array of one element.
    let sizes = match (&expected, &tensor.sizes[..]) {
        (Some(ty), [1]) if ty.rank() == 0 => &[],
        (_, sizes) => sizes,
    };
    let fits = |ty: &&TensorType| {
        let same = |(dim, &size): (&Dim, &usize)| dim.known().is_none_or(|known| known as usize == size);
        tensor.elements.contains(&ty.element)
            && ty.rank() == sizes.len()
            && ty.dims.iter().zip(sizes).all(same)
    };
    let Some((ty, element)) = expected.as_ref().filter(fits).zip(element) else {
        let dims: Vec<String> = tensor.sizes.iter().map(usize::to_string).collect();
        let found = match tensor.elements.first().and_then(|element| element.name()) {
            Some(element) => format!("{element}[{}]", dims.join(", ")),
            None => format!("`{}`[{}]", tensor.dtype, dims.join(", ")),
        };
        let expected = expected.as_ref().map_or_else(|| "no tensor".into(), type_name);
        let (tensor, path) = (&*tensor.name, &*file.name);
        diagnostics.push(catalog::WeightMismatch { tensor, path, found: &found, expected: &expected, at });
        return None;
    };
    if element == Element::Bool && tensor.data.bytes().iter().any(|&byte| byte > 1) {
        let why = format!("`{}` contains a bool that is neither 0 nor 1", tensor.name);
        diagnostics.push(catalog::UnreadableWeights { path: &file.name, why: &why });
        return None;
    }
    // The file sets sizes that are dynamic in the text.
    let dims = sizes.iter().map(|&size| Dim::Known(size as i64)).collect();
    let ty = TensorType { dims, ..ty.clone() };
    Some(Constant { ty: module.types.intern(Type::Tensor(ty)), data: data(tensor, element) })
}

/// A type as `f32[3, 4]`.
fn type_name(ty: &TensorType) -> String {
    let dims: Vec<String> =
        ty.dims.iter().map(|dim| dim.known().map_or_else(|| "?".into(), |size| size.to_string())).collect();
    format!("{}[{}]", ty.element.name().unwrap_or("?"), dims.join(", "))
}

/// The elements in their smallest form: new biases and scales are splats, like JAX's constants.
fn data(tensor: &Tensor, element: Element) -> Data {
    let (pieces, width) = (&tensor.data, element.bytes());
    let data = if !pieces.is_empty() && is_splat(tensor, width) {
        Data::Splat(pieces.read(0..width).iter().copied().collect())
    } else if pieces.len() < SMALL {
        Data::Bytes(pieces.bytes().into())
    } else {
        Data::Mapped(pieces.clone())
    };
    pieces.leave();
    data
}

/// Whether all elements have the same bits. For most tensors the first two elements decide.
fn is_splat(tensor: &Tensor, width: usize) -> bool {
    let pieces = &tensor.data;
    let first = pieces.read(0..width);
    let step = PIECE / width * width;
    (0..pieces.len()).step_by(step).all(|start| {
        let end = pieces.len().min(start + step);
        let same = pieces.read(start..end).chunks_exact(width).all(|element| element == &*first);
        pieces.release(start..end);
        same
    })
}

/// Replaces arguments with constants that have the argument's location and model name.
pub(super) fn replace(
    module: &mut Module,
    function: FunctionId,
    block: BlockId,
    constants: Vec<(usize, Constant, String)>,
) {
    let mut bound = vec![false; module.block(block).arguments.len()];
    let mut ops = Vec::new();
    for (argument, constant, name) in constants {
        bound[argument] = true;
        let declared = &module.function(function).arguments[argument];
        let (span, place) = (declared.span, declared.location.unwrap_or(LocationId::UNKNOWN));
        let name = module.symbols.intern(&name);
        module.weight_names.insert(name);
        let location = module.add_location(Location::Name(name, place));
        let ty = constant.ty;
        let constant = Attribute::Dense(module.add_constant(constant));
        let place = (OpSpan { name: span, whole: span }, location);
        let op = module.create(stablehlo::CONSTANT, &[]).attr("value", constant).at(place).results(&[]);
        // The value itself moves from the argument to the op, so that its uses need no change.
        let value = module.block(block).arguments[argument];
        module.op_mut(op).results = smallvec![value];
        let moved = module.value_mut(value);
        (moved.ty, moved.definition) = (ty, Definition::Result(op, 0));
        ops.push(op);
    }
    retain(&mut module.block_mut(block).arguments, &bound);
    retain(&mut module.function_mut(function).arguments, &bound);
    for (index, value) in module.block(block).arguments.clone().into_iter().enumerate() {
        module.value_mut(value).definition = Definition::Argument(block, index as u32);
    }
    module.block_mut(block).ops.splice(0..0, ops);
}

/// Keeps the items that were not bound.
fn retain<T>(items: &mut Vec<T>, bound: &[bool]) {
    let mut positions = bound.iter();
    items.retain(|_| positions.next() == Some(&false));
}
