//! Expressions: arithmetic on values with Rust's operators.
//!
//! `x.abs().less(0.5).select(a, b * 2.0 + 1.0)` reads like mathematics and emits one op per operation, in the order of
//! evaluation. The emitter decides on the dialect: lowerings emit ONNX ops (`ops::formula`), and the pass `complex`
//! emits StableHLO ops. A plain number becomes a constant of the other operand's element type.

use crate::ir::{Element, OpName, ValueId, onnx, stablehlo};
use std::ops::{Add, BitAnd, BitOr, BitXor, Div, Mul, Neg, Not, Sub};

/// Emits the ops of an expression in one dialect.
pub trait Emitter: Copy {
    /// The name that an op has in the dialect.
    fn name(onnx: OpName, stablehlo: OpName) -> OpName;
    /// An elementwise op whose result has elements of this type.
    fn elementwise(self, name: OpName, operands: &[ValueId], element: Element) -> ValueId;
    /// A comparison: an op of its own in ONNX, and a direction in StableHLO.
    fn compare(self, onnx: OpName, direction: &str, operands: [ValueId; 2]) -> ValueId;
    /// A constant that can be combined with `like`.
    fn number(self, number: f64, like: ValueId) -> ValueId;
}

/// A value in an expression.
#[derive(Clone, Copy)]
pub struct Expr<E> {
    /// What emits its ops.
    pub emitter: E,
    pub(super) value: ValueId,
    pub(super) element: Element,
}

/// An operand beside an expression `T`: another one, or a literal.
pub trait Operand<T>: Copy {
    /// The operand as an expression with the element type of `like`.
    fn beside(self, like: T) -> T;
    /// The expression, unless it is a literal that takes its type from the other operand.
    fn expr(self) -> Option<T> {
        None
    }
}

impl<E: Emitter> Operand<Self> for Expr<E> {
    fn beside(self, _: Self) -> Self {
        self
    }
    fn expr(self) -> Option<Self> {
        Some(self)
    }
}

impl<E: Emitter> Operand<Expr<E>> for f64 {
    fn beside(self, like: Expr<E>) -> Expr<E> {
        like.with(like.emitter.number(self, like.value), like.element)
    }
}

impl<E: Emitter> Expr<E> {
    /// An expression of a value.
    pub fn new(emitter: E, value: ValueId, element: Element) -> Self {
        Self { emitter, value, element }
    }

    /// The value that the expression represents.
    pub fn value(self) -> ValueId {
        self.value
    }

    /// The element type.
    pub fn element(self) -> Element {
        self.element
    }

    /// Another value of the same emitter.
    pub(super) fn with(self, value: ValueId, element: Element) -> Self {
        Self { emitter: self.emitter, value, element }
    }

    /// A number as a constant of this element type.
    pub fn beside(self, number: impl Operand<Self>) -> Self {
        number.beside(self)
    }

    /// A unary op.
    pub fn unary(self, name: OpName) -> Self {
        self.with(self.emitter.elementwise(name, &[self.value], self.element), self.element)
    }

    /// A binary op with an operand of the same type.
    pub fn binary(self, name: OpName, other: impl Operand<Self>) -> Self {
        let other = other.beside(self);
        self.with(self.emitter.elementwise(name, &[self.value, other.value], self.element), self.element)
    }

    fn compare(self, onnx: OpName, direction: &str, other: impl Operand<Self>) -> Self {
        let other = other.beside(self);
        self.with(self.emitter.compare(onnx, direction, [self.value, other.value]), Element::Bool)
    }

    /// For an `i1` expression: `yes` where it holds, else `no`. At least one of them is an expression.
    pub fn select(self, yes: impl Operand<Self>, no: impl Operand<Self>) -> Self {
        let like = yes.expr().or(no.expr()).unwrap_or(self);
        let (yes, no) = (yes.beside(like), no.beside(like));
        let name = E::name(onnx::WHERE, stablehlo::SELECT);
        let operands = [self.value, yes.value, no.value];
        self.with(self.emitter.elementwise(name, &operands, like.element), like.element)
    }

    /// Whether the elements are infinite.
    pub fn is_infinite(self) -> Self {
        self.abs().equal(f64::INFINITY)
    }
}

/// Methods with the names of their ops in ONNX and in StableHLO.
macro_rules! methods {
    (unary { $($unary:ident $unary_onnx:ident $unary_stablehlo:ident, $unary_doc:literal;)* }
     binary { $($binary:ident $binary_onnx:ident $binary_stablehlo:ident, $binary_doc:literal;)* }
     compare { $($compare:ident $compare_onnx:ident $direction:literal, $compare_doc:literal;)* }) => {
        impl<E: Emitter> Expr<E> {
            $(#[doc = $unary_doc]
            pub fn $unary(self) -> Self {
                self.unary(E::name(onnx::$unary_onnx, stablehlo::$unary_stablehlo))
            })*
            $(#[doc = $binary_doc]
            pub fn $binary(self, other: impl Operand<Self>) -> Self {
                self.binary(E::name(onnx::$binary_onnx, stablehlo::$binary_stablehlo), other)
            })*
            $(#[doc = $compare_doc]
            pub fn $compare(self, other: impl Operand<Self>) -> Self {
                self.compare(onnx::$compare_onnx, $direction, other)
            })*
        }
    };
}

methods! {
    unary {
        abs ABS ABS, "`|self|`.";
        exp EXP EXPONENTIAL, "`e` to the power of `self`.";
        log LOG LOG, "The natural logarithm.";
        sqrt SQRT SQRT, "The square root.";
        floor FLOOR FLOOR, "The floor.";
        sin SIN SINE, "The sine.";
        cos COS COSINE, "The cosine.";
    }
    binary {
        max MAX MAXIMUM, "The maximum, NaN if one is.";
        min MIN MINIMUM, "The minimum, NaN if one is.";
        pow POW POWER, "`self` to the power of `other`.";
    }
    compare {
        equal EQUAL "EQ", "`self == other`.";
        less LESS "LT", "`self < other`.";
        less_equal LESS_OR_EQUAL "LE", "`self <= other`.";
        greater GREATER "GT", "`self > other`.";
        greater_equal GREATER_OR_EQUAL "GE", "`self >= other`.";
    }
}

/// The binary operators, with the names of their ops by element type.
macro_rules! operators {
    ($($trait:ident $method:ident $onnx:expr, $stablehlo:ident;)*) => {$(
        impl<E: Emitter, O: Operand<Self>> $trait<O> for Expr<E> {
            type Output = Self;
            fn $method(self, other: O) -> Self {
                let onnx: fn(Element) -> OpName = $onnx;
                self.binary(E::name(onnx(self.element), stablehlo::$stablehlo), other)
            }
        }
        impl<E: Emitter> $trait<Expr<E>> for f64 {
            type Output = Expr<E>;
            fn $method(self, other: Expr<E>) -> Expr<E> {
                other.beside(self).$method(other)
            }
        }
    )*};
}

operators! {
    Add add |_| onnx::ADD, ADD;
    Sub sub |_| onnx::SUB, SUBTRACT;
    Mul mul |_| onnx::MUL, MULTIPLY;
    Div div |_| onnx::DIV, DIVIDE;
    BitAnd bitand |element| if element == Element::Bool { onnx::AND } else { onnx::BITWISE_AND }, AND;
    BitOr bitor |element| if element == Element::Bool { onnx::OR } else { onnx::BITWISE_OR }, OR;
    BitXor bitxor |element| if element == Element::Bool { onnx::XOR } else { onnx::BITWISE_XOR }, XOR;
}

impl<E: Emitter> Neg for Expr<E> {
    type Output = Self;
    fn neg(self) -> Self {
        // ONNX has no Neg of unsigned integers, and ONNX Runtime no kernel for i16.
        if self.element.is_unsigned() || self.element == Element::I16 {
            return 0.0 - self;
        }
        self.unary(E::name(onnx::NEG, stablehlo::NEGATE))
    }
}

impl<E: Emitter> Not for Expr<E> {
    type Output = Self;
    fn not(self) -> Self {
        let onnx = if self.element == Element::Bool { onnx::NOT } else { onnx::BITWISE_NOT };
        self.unary(E::name(onnx, stablehlo::NOT))
    }
}
