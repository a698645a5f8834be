//! Starts the language server of hlo2onnx in Zed.

use zed_extension_api::settings::LspSettings;
use zed_extension_api::{self as zed, Command, LanguageServerId, Result, Worktree};

/// The extension has no state.
struct Hlo2onnx;

impl zed::Extension for Hlo2onnx {
    fn new() -> Self {
        Self
    }

    /// The program that the settings name, or that is on `PATH`. Arguments in the settings are options of `lsp`.
    fn language_server_command(&mut self, server: &LanguageServerId, worktree: &Worktree) -> Result<Command> {
        let binary = LspSettings::for_worktree(server.as_ref(), worktree)?.binary;
        let (path, options) = binary.map(|binary| (binary.path, binary.arguments)).unwrap_or_default();
        let command = path.or_else(|| worktree.which("hlo2onnx")).ok_or(
            "hlo2onnx is not on PATH: install it, or name it in lsp.hlo2onnx.binary.path of the settings",
        )?;
        let mut args = vec!["lsp".to_owned()];
        args.extend(options.unwrap_or_default());
        Ok(Command { command, args, env: worktree.shell_env() })
    }
}

zed::register_extension!(Hlo2onnx);
