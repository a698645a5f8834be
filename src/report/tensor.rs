//! Tensors of a signature and weights, with their sizes.

use crate::diagnostic::one_line;
use crate::ir::{Attribute, Dim, Element, Module, TensorType, ValueId, provenance};
use crate::pass::{self, TreePath};
use serde::Serialize;

/// Characters of a name that are kept.
const NAME: usize = 240;

/// Keys in the tree of arguments below which the user's frameworks keep variables.
const COLLECTIONS: &[&str] = &["params", "variables", "batch_stats", "weights"];

/// How large a tensor is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Size {
    /// Number of elements, where it is a number.
    pub elements: Option<u64>,
    /// Number of bytes, where it is a number.
    pub bytes: Option<u64>,
    /// The bytes as an expression over symbolic dimensions, such as `3136*b`.
    pub symbolic_bytes: Option<String>,
}

/// A tensor with a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Tensor {
    /// Its name in the model, or the closest to it that the text has.
    pub name: String,
    /// Its element type as MLIR spells it.
    pub element: String,
    /// Its dimensions as text: numbers, names and expressions; `?` if unknown.
    pub dims: Vec<String>,
    /// How large it is.
    pub size: Size,
}

/// Where a weight comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum WeightOrigin {
    /// It is an argument of the program, and an input of the model.
    Argument,
    /// It is an argument of the program, and a constant of the model with the tensor of a file.
    Bound,
    /// It is in the text.
    Constant,
}

/// A weight.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Weight {
    /// The tensor.
    #[serde(flatten)]
    pub tensor: Tensor,
    /// Where it comes from.
    pub origin: WeightOrigin,
    /// The module that it belongs to; empty where it is not known.
    pub module: String,
}

impl Tensor {
    /// A tensor of a module.
    pub(super) fn new(module: &Module, name: &str, ty: &TensorType) -> Self {
        let dims = ty.dims.iter().map(|&dim| one_line(&module.dim_exprs.spell(&module.symbols, dim), NAME));
        Self {
            name: one_line(name, NAME),
            element: one_line(module.spell_element(ty.element), NAME),
            dims: dims.collect(),
            size: size(module, ty),
        }
    }

    /// Its type as `f32[b, 784]`.
    pub fn ty(&self) -> String {
        format!("{}[{}]", self.element, self.dims.join(", "))
    }
}

/// A type as `f32[b, 784]`.
pub(super) fn spelled(module: &Module, ty: &TensorType) -> String {
    Tensor::new(module, "", ty).ty()
}

fn size(module: &Module, ty: &TensorType) -> Size {
    let bits = match ty.element {
        // A quantized tensor stores integers; how wide they are is in the type's text, which is not read here.
        Element::Quantized(_) => 0,
        element => u64::from(element.bits()),
    };
    let elements = ty.count().and_then(|count| u64::try_from(count).ok());
    let bytes = elements.filter(|_| bits > 0).and_then(|count| Some(count.checked_mul(bits)?.div_ceil(8)));
    let whole_bytes = bits > 0 && bits.is_multiple_of(8);
    let symbolic_bytes = (elements.is_none() && whole_bytes && ty.is_sized()).then(|| {
        let width = Dim::Known(bits as i64 / 8);
        let product = module.dim_exprs.product(ty.dims.iter().copied().chain([width]));
        one_line(&module.dim_exprs.spell(&module.symbols, product), NAME)
    });
    Size { elements, bytes, symbolic_bytes }
}

/// A list of arguments as tensors, each with its path in the user's argument tree.
pub(super) type Inputs = Vec<(Tensor, Vec<String>)>;

/// The arguments and results of the entry function.
pub(super) fn signature(module: &Module) -> (Inputs, Vec<Tensor>) {
    let Some(entry) = pass::entry(module) else { return (Vec::new(), Vec::new()) };
    let function = module.function(entry);
    let Some(block) = module.entry_block(function.body).map(|block| module.block(block)) else {
        return (Vec::new(), Vec::new());
    };
    let mut inputs = Vec::new();
    for (index, &value) in block.arguments.iter().enumerate() {
        let Some(ty) = module.tensor(value) else { continue };
        let location = function.arguments.get(index).and_then(|argument| argument.location);
        let place =
            location.and_then(|location| provenance::own_name(module, location)).and_then(TreePath::parse);
        let name = given_name(module, value)
            .or_else(|| place.as_ref().map(TreePath::short))
            .unwrap_or_else(|| format!("arg{index}"));
        let keys = place.map_or_else(Vec::new, |place| {
            std::iter::once(place.root)
                .chain(place.keys)
                .filter(|key| !key.is_empty())
                .map(str::to_owned)
                .collect()
        });
        inputs.push((Tensor::new(module, &name, ty), keys));
    }
    let results = block.ops.last().map(|&op| module.op(op).operands.to_vec()).unwrap_or_default();
    let mut outputs = Vec::new();
    for (index, value) in results.into_iter().enumerate() {
        let Some(ty) = module.tensor(value) else { continue };
        let info = function.results.get(index).and_then(|result| {
            let mut attributes = result.attributes.iter();
            let found = attributes.find(|(name, _)| module.symbols.get(*name) == "jax.result_info");
            found.and_then(|(_, value)| Attribute::as_str(value)).and_then(TreePath::parse)
        });
        let name = given_name(module, value)
            .or_else(|| info.map(|place| place.short()))
            .unwrap_or_else(|| format!("result{index}"));
        outputs.push(Tensor::new(module, &name, ty));
    }
    (inputs, outputs)
}

fn given_name(module: &Module, value: ValueId) -> Option<String> {
    module.value(value).name.map(|name| module.symbols.get(name).to_owned())
}

/// The module of an argument that is a weight, by its path: the keys between the collection and the tensor's own.
/// `None` for an input.
pub fn weight_module<K: AsRef<str>>(keys: &[K]) -> Option<String> {
    // The innermost collection: `variables['params']['Dense_0']['kernel']`.
    let collection = keys.iter().rposition(|key| COLLECTIONS.contains(&key.as_ref()))?;
    let below = &keys[collection + 1..];
    let (_, modules) = below.split_last()?;
    Some(modules.iter().map(AsRef::as_ref).collect::<Vec<_>>().join("/"))
}
