//! The one place where the tests call the library.

use std::ops::Range;

/// What a fixture's header asks of the compiler.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    pub opset: Option<u32>,
}

/// A model, if there is one, and everything that the compiler had to say.
pub struct Compiled {
    pub model: Option<Vec<u8>>,
    pub findings: Vec<Finding>,
}

/// A diagnostic as the tests see it.
#[derive(Clone, Debug)]
pub struct Finding {
    pub code: String,
    pub message: String,
    /// Bytes of the text; `None` for what no text shows.
    pub span: Option<Range<usize>>,
}

impl Finding {
    /// Whether it keeps the compiler from giving a model: codes are E for errors, W for risks, A for advice.
    pub fn is_error(&self) -> bool {
        self.code.starts_with('E')
    }

    /// Whether it is advice, which only fixtures about advice expect.
    pub fn is_advice(&self) -> bool {
        self.code.starts_with('A')
    }
}

// Everything below is to be connected to `hlo2onnx::convert` and to the table of passes.

/// Compiles a text to the bytes of a model.
pub fn compile(name: &str, text: &str, settings: &Settings) -> Result<Compiled, String> {
    let _ = (text, settings);
    Err(format!("{name}: the library cannot convert yet"))
}

/// The module after the passes, which are named as on the command line: `inline,shapes`.
pub fn run_passes(name: &str, text: &str, passes: &str, settings: &Settings) -> Result<String, String> {
    let _ = (text, settings);
    Err(format!("{name}: the library has no passes `{passes}` yet"))
}
