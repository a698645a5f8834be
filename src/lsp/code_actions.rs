//! Quick fixes: a diagnostic that proposes another name carries it, and the client sends it back to ask for the edit.

use super::document::Document;
use crate::diagnostic::Diagnostic;
use gen_lsp_types::{CodeAction, CodeActionKind, TextEdit, WorkspaceEdit};
use serde_json::{Value, json};
use std::collections::HashMap;

/// The key of the proposed name in the data of a diagnostic.
const NAME: &str = "name";

/// What a diagnostic carries: the name that its help proposes for the text that it marks.
pub(super) fn data(diagnostic: &Diagnostic) -> Option<Value> {
    let name = diagnostic.help.as_ref()?.strip_prefix("did you mean `")?.strip_suffix("`?")?;
    (!diagnostic.span().is_none()).then(|| json!({ NAME: name }))
}

/// An action for each of these diagnostics that proposes a name.
pub(super) fn code_actions(
    document: &Document,
    diagnostics: &[gen_lsp_types::Diagnostic],
) -> Vec<CodeAction> {
    let action = |diagnostic: &gen_lsp_types::Diagnostic| {
        let name = diagnostic.data.as_ref()?.get(NAME)?.as_str()?.to_owned();
        let title = format!("Change to `{name}`");
        let edit = TextEdit { range: diagnostic.range, new_text: name };
        let changes = HashMap::from([(document.uri.clone(), vec![edit])]);
        Some(CodeAction {
            title,
            kind: Some(CodeActionKind::QuickFix),
            diagnostics: Some(vec![diagnostic.clone()]),
            is_preferred: Some(true),
            edit: Some(WorkspaceEdit { changes: Some(changes), ..WorkspaceEdit::default() }),
            ..CodeAction::default()
        })
    };
    diagnostics.iter().filter_map(action).collect()
}
