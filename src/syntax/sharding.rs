//! The custom forms of Shardy's ops with axes, shardings and a region.

use super::Parser;
use super::forms::Clauses;
use super::statement::{Body, Parts, region_of};
use super::text::Text;
use crate::ir::Attribute;

impl<'s> Parser<'s> {
    pub(super) fn mesh(
        &mut self,
        name: Text<'_>,
        clauses: &mut Clauses<'_>,
        parts: &mut Parts<'s>,
    ) -> Option<()> {
        let symbol = self.need(clauses.symbol.take(), "a name such as `@mesh`", name)?;
        let axes = self.need(clauses.angled.take(), "the axes of the mesh", name)?;
        let symbol = self.symbol_name(symbol)?;
        let symbol = Attribute::String(self.module.symbols.get(symbol).into());
        self.set(&mut parts.attributes, "sym_name", symbol);
        let mesh = Attribute::Opaque(format!("#sdy.mesh{}", axes.text).into());
        self.set(&mut parts.attributes, "mesh", mesh);
        Some(())
    }

    pub(super) fn manual_computation(
        &mut self,
        name: Text<'_>,
        clauses: &mut Clauses<'_>,
        parts: &mut Parts<'s>,
    ) -> Option<()> {
        self.exactly(clauses, 1, name)?;
        for (key, value) in std::mem::take(&mut clauses.named) {
            let text = match key.text {
                "in_shardings" | "out_shardings" => format!("#sdy.sharding_per_value<{}>", value.text),
                _ => format!("#sdy<{}{}>", key.text, value.text),
            };
            self.set(&mut parts.attributes, key.text, Attribute::Opaque(text.into()));
        }
        if let Some(name) = clauses.angled.take() {
            let name = name.text.trim_matches(['<', '>', '"']);
            self.set(&mut parts.attributes, "name", Attribute::String(name.into()));
        }
        let mut arguments = Vec::new();
        for (_, argument, ty) in std::mem::take(&mut clauses.parameters) {
            let span = argument.span();
            arguments.push((self.source_text(span), span, self.ty(ty)?));
        }
        let region = clauses.regions.pop().and_then(region_of);
        parts.regions.push(Body { region, arguments, applies: None });
        Some(())
    }
}
