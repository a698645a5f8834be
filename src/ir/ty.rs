//! Types of values, interned per module.

use super::dim::{Dims, Size};
use super::{Dim, Element, Symbol};
use rustc_hash::FxHashMap;

/// Handle of a [`Type`] in its module; equal handles are equal types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TypeId(pub(super) u32);

/// A ranked tensor type.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TensorType {
    /// Type of the elements.
    pub element: Element,
    /// Sizes, outermost first; empty for a scalar.
    pub dims: Dims,
    /// The encoding attribute after the element type, as its text (`#stablehlo.bounds<?, 4>`).
    pub encoding: Option<Symbol>,
}

impl TensorType {
    /// A tensor type of these sizes without an encoding.
    pub fn of<S: Size>(element: Element, sizes: &[S]) -> Self {
        Self { element, dims: sizes.iter().map(|&size| size.into()).collect(), encoding: None }
    }

    /// The same type with another element type.
    pub fn with_element(&self, element: Element) -> Self {
        Self { element, ..self.clone() }
    }

    /// Number of dimensions.
    pub fn rank(&self) -> usize {
        self.dims.len()
    }

    /// The sizes, when all are known.
    pub fn sizes(&self) -> Option<Vec<i64>> {
        self.dims.iter().map(|dim| dim.known()).collect()
    }

    /// Number of elements, when all sizes are known and their product fits.
    pub fn count(&self) -> Option<i64> {
        self.dims.iter().try_fold(1i64, |product, dim| product.checked_mul(dim.known()?))
    }

    /// Whether all sizes are known.
    pub fn is_static(&self) -> bool {
        self.dims.iter().all(|dim| dim.known().is_some())
    }

    /// Whether any size is an expression.
    pub fn is_symbolic(&self) -> bool {
        self.dims.iter().any(|dim| matches!(dim, Dim::Symbolic(_)))
    }

    /// Whether all sizes are numbers or expressions.
    pub fn is_sized(&self) -> bool {
        !self.dims.contains(&Dim::Dynamic)
    }
}

/// The type of a value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Type {
    /// `tensor<...>`.
    Tensor(TensorType),
    /// A builtin scalar such as `i32` or `index`, as used in attributes.
    Scalar(Element),
    /// `!stablehlo.token`.
    Token,
    /// `tuple<...>`.
    Tuple(Vec<TypeId>),
    /// `(...) -> (...)`.
    Function(Vec<TypeId>, Vec<TypeId>),
    /// `none`.
    None,
    /// A type of another dialect, as its text.
    Opaque(Symbol),
}

/// The types of a module.
#[derive(Clone, Debug, Default)]
pub struct Types {
    list: Vec<Type>,
    index: FxHashMap<Type, TypeId>,
}

impl Types {
    /// The handle of `ty`, which is added when it is new.
    pub fn intern(&mut self, ty: Type) -> TypeId {
        if let Some(&id) = self.index.get(&ty) {
            return id;
        }
        let id = TypeId(self.list.len() as u32);
        self.list.push(ty.clone());
        self.index.insert(ty, id);
        id
    }

    /// The type of a handle.
    pub fn get(&self, id: TypeId) -> &Type {
        &self.list[id.0 as usize]
    }
}
