//! E04xx: files that are read and written beside the text, and the names in the model.

diagnostics! {
    /// The output cannot be written.
    ///
    /// The model is written to a file beside its destination and renamed at the end, so that a failed run leaves no
    /// half-written model. The folder must exist, be writable, and have room for the model.
    ///
    /// What to do: the message gives the reason of the operating system.
    E0401 CannotWrite<'a> { path: &'a str, why: &'a str }
        => "cannot write `{path}`: {why}";

    /// A file cannot be read.
    ///
    /// What to do: the message gives the reason of the operating system, or what is wrong with the file's content.
    E0402 CannotRead<'a> { path: &'a str, why: &'a str }
        => "cannot read `{path}`: {why}";

    /// The model is too large for one file.
    ///
    /// Readers of protocol buffers accept less than 2 GiB. Initializers go to an external data file by themselves when
    /// they are too large; `--external-data never` forbids it.
    ///
    /// What to do: leave the option out, or give `--external-data always`. When the graph itself is that large, without
    /// any weights, convert it in parts.
    E0403 ModelTooLarge { bytes: u64, limit: u64 }
        => "the model takes {bytes} bytes, and one file can hold {limit}"
        help "let the weights go to a file of their own: `--external-data auto`";

    /// Names that were given for inputs or outputs do not fit the function.
    ///
    /// `--input-names` and `--output-names` give one name for each, in their order, and no name twice; the other options
    /// that name an input or output must name one that is there.
    ///
    /// An example that triggers it: `--input-names a,a` for a function of two inputs.
    ///
    /// What to do: `hlo2onnx check MODEL.mlir` prints the inputs and outputs.
    E0404 NameMismatch<'a> { option: &'a str, why: &'a str }
        => "`{option}` does not fit the function: {why}"
        help "`hlo2onnx check MODEL.mlir` prints the inputs and outputs";
}
