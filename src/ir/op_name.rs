//! Op names as handles. Those of known dialects are constants.

use super::dialect::{Dialect, REGISTERED, chlo, onnx};
use super::symbol::Symbol;
use rustc_hash::FxHashMap;
use std::borrow::Cow;
use std::sync::LazyLock;

/// The name of an op with its dialect, such as [`stablehlo::ADD`](super::stablehlo::ADD).
///
/// A text may contain any op name. Unregistered names have a handle only in their module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OpName(Symbol);

/// The data of a registered op.
pub(super) struct Registered {
    pub(super) text: &'static str,
    pub(super) dialect: Dialect,
    pub(super) class: Class,
}

/// The class of a registered op.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Each result element depends on the operand elements at the same index, and on scalars.
    Elementwise,
    /// Moves elements without computing.
    Moves,
    /// Like `Moves`, with indices from operands.
    Indexes,
    /// Applies its region to elements.
    Combines,
    /// Sums products.
    Contracts,
    /// Creates elements from attributes or a state.
    Creates,
    /// A dynamic form of an op, with operands in place of attributes.
    Dynamic,
    /// Control flow, or passes values through.
    Control,
    /// Terminates a block.
    Terminates,
    /// Has side effects.
    Acts,
    /// Communicates between devices.
    Collective,
    /// None of the above.
    Opaque,
}

/// Defines a module of constants per dialect, [`Dialect`] and [`REGISTERED`].
macro_rules! dialects {
    ($($(#[$doc:meta])* $dialect:ident as $variant:ident { $($name:ident = $text:literal, $class:ident;)* })*) => {
        /// The dialect of an op.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Dialect {
            $($(#[$doc])* $variant,)*
            /// Unknown to the compiler.
            Other,
        }

        impl Dialect {
            /// The dialect of this name.
            pub fn named(name: &str) -> Self {
                match name {
                    $(stringify!($dialect) => Self::$variant,)*
                    _ => Self::Other,
                }
            }
        }

        /// All registered ops by their handles.
        pub(super) static REGISTERED: &[Registered] = &[$($(Registered {
            text: $text,
            dialect: Dialect::$variant,
            class: Class::$class,
        },)*)*];

        $($(#[$doc])* pub mod $dialect {
            use super::{Dialect, OpName};

            #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
            enum Position { $($name,)* }

            const START: u32 = super::super::op_name::first_of(Dialect::$variant);

            $(
                const _: () =
                    assert!(super::super::op_name::agree(concat!(stringify!($dialect), stringify!($name)), $text));
                #[doc = concat!("`", $text, "`")]
                pub const $name: OpName = OpName::registered(START + Position::$name as u32);
            )*
        })*
    };
}
pub(super) use dialects;

/// Whether a constant has the name of its op. Letters and digits count, in lower or upper case.
pub(super) const fn agree(constant: &str, text: &str) -> bool {
    const fn next(name: &[u8], mut index: usize) -> usize {
        while index < name.len() && !name[index].is_ascii_alphanumeric() {
            index += 1;
        }
        index
    }
    let (constant, text) = (constant.as_bytes(), text.as_bytes());
    let (mut i, mut j) = (next(constant, 0), next(text, 0));
    while i < constant.len() && j < text.len() {
        if !constant[i].eq_ignore_ascii_case(&text[j]) {
            return false;
        }
        (i, j) = (next(constant, i + 1), next(text, j + 1));
    }
    i == constant.len() && j == text.len()
}

/// The index of a dialect's first op.
pub(super) const fn first_of(dialect: Dialect) -> u32 {
    let mut position = 0;
    while REGISTERED[position].dialect as u8 != dialect as u8 {
        position += 1;
    }
    position as u32
}

static INDEX: LazyLock<FxHashMap<&'static str, Symbol>> = LazyLock::new(|| {
    REGISTERED.iter().enumerate().map(|(index, op)| (op.text, Symbol::at(index as u32))).collect()
});

/// The handle of a registered name.
pub(super) fn registered(name: &str) -> Option<Symbol> {
    // Most lookups are attribute names.
    if name.contains('.') { INDEX.get(name).copied() } else { None }
}

impl OpName {
    pub(super) const fn registered(index: u32) -> Self {
        Self(Symbol::at(index))
    }

    pub(super) fn new(symbol: Symbol) -> Self {
        Self(symbol)
    }

    /// All registered names.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..REGISTERED.len() as u32).map(Self::registered)
    }

    /// The name as one of its module's symbols.
    pub fn symbol(self) -> Symbol {
        self.0
    }

    fn entry(self) -> Option<&'static Registered> {
        REGISTERED.get(self.0.index())
    }

    /// The registered name of this text.
    pub fn of_text(text: &str) -> Option<Self> {
        registered(text).map(Self)
    }

    /// The current name of an op: StableHLO and CHLO took over most MHLO ops.
    pub fn current(text: &str) -> Cow<'_, str> {
        let Some(mnemonic) = text.strip_prefix("mhlo.") else { return Cow::Borrowed(text) };
        if registered(text).is_some() {
            return Cow::Borrowed(text);
        }
        let mnemonic = if mnemonic == "topk" { chlo::TOP_K.mnemonic() } else { mnemonic };
        let own = format!("stablehlo.{mnemonic}");
        let of_chlo = Self::of_text(&format!("chlo.{mnemonic}")).filter(|_| registered(&own).is_none());
        of_chlo.map_or(Cow::Owned(own), |op| Cow::Borrowed(op.text()))
    }

    /// The text of a registered name.
    pub fn text(self) -> &'static str {
        self.entry().map_or("", |op| op.text)
    }

    /// The text of a registered name without its dialect, such as `MatMul`.
    pub fn mnemonic(self) -> &'static str {
        self.text().split_once('.').map_or("", |(_, mnemonic)| mnemonic)
    }

    /// The dialect of a registered name; use [`Symbols::dialect`](super::Symbols::dialect) for any name.
    pub fn dialect(self) -> Dialect {
        self.entry().map_or(Dialect::Other, |op| op.dialect)
    }

    /// What kind of op this is.
    pub fn class(self) -> Class {
        self.entry().map_or(Class::Opaque, |op| op.class)
    }

    /// Whether this is an op of a model: one of ONNX or of ONNX Runtime, or the end of a graph.
    pub fn is_onnx(self) -> bool {
        matches!(self.dialect(), Dialect::Onnx | Dialect::Microsoft)
    }

    /// Whether this is an op that ONNX Runtime adds to ONNX.
    pub fn is_contributed(self) -> bool {
        self.dialect() == Dialect::Microsoft
    }

    /// Whether ops of this name terminate blocks.
    pub fn is_terminator(self) -> bool {
        self.class() == Class::Terminates
    }

    /// Whether ops of this name are nodes of a model.
    pub fn is_node(self) -> bool {
        self.is_onnx() && !matches!(self, onnx::CONSTANT | onnx::RETURN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::{Symbols, stablehlo};

    #[test]
    fn names_are_of_their_dialects_and_unique() {
        for op in OpName::all() {
            let dialect = op.text().split('.').next().unwrap_or_default();
            assert_eq!(op.dialect(), Dialect::named(dialect), "{}", op.text());
            assert_eq!(OpName::of_text(op.text()), Some(op), "{}", op.text());
        }
        assert_eq!(stablehlo::DOT_GENERAL.text(), "stablehlo.dot_general");
    }

    #[test]
    fn names_of_mhlo_are_those_of_its_successors() {
        let names = ["mhlo.tan", "mhlo.erf", "mhlo.topk", "mhlo.copy", "mhlo.unheard", "chlo.erf"];
        let current = names.map(OpName::current);
        let expected =
            ["stablehlo.tan", "chlo.erf", "chlo.top_k", "mhlo.copy", "stablehlo.unheard", "chlo.erf"];
        assert_eq!(current, expected);
    }

    #[test]
    fn modules_know_registered_names_and_add_others() {
        let mut symbols = Symbols::default();
        assert_eq!(symbols.op_name("stablehlo.add"), stablehlo::ADD);
        let (other, attribute) = (symbols.op_name("stablehlo.ad"), symbols.intern("value"));
        assert_eq!((symbols.get(other.symbol()), symbols.get(attribute)), ("stablehlo.ad", "value"));
        assert_eq!((other.dialect(), symbols.dialect(other)), (Dialect::Other, Dialect::StableHlo));
        assert_eq!((symbols.find("stablehlo.ad"), symbols.find("stablehlo.a")), (Some(other.symbol()), None));
    }
}
