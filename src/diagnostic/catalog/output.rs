//! E04xx: files other than the text, weights, and the names in the model.

use super::file_remedy::help;
use crate::format::FileRemedy;
use crate::source::Span;

diagnostics! {
    /// The output cannot be written.
    ///
    /// The model is written to a temporary file next to its destination and renamed at the end, so that a failed run
    /// does not leave a half-written model. The folder must exist, be writable, and have room for the model.
    ///
    /// An example that triggers it:
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<4xf32>) -> tensor<4xf32> {
    ///   %0 = stablehlo.abs %x : tensor<4xf32>
    ///   return %0 : tensor<4xf32>
    /// }
    /// ```
    ///
    /// ```console
    /// $ hlo2onnx convert model.mlir --output missing/model.onnx
    /// ```
    ///
    /// What to do: fix the cause, which the message quotes from the operating system.
    ///
    /// Fixed:
    ///
    /// ```console
    /// $ hlo2onnx convert model.mlir --output model.onnx
    /// ```
    E0401 CannotWrite<'a> { path: &'a str, why: &'a str }
        => "cannot write `{path}`: {why}"
        help "pass another path with `--output`: its folder must exist, be writable and have room";

    /// A file cannot be read.
    ///
    /// An example that triggers it:
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<4xf32>) -> tensor<4xf32> {
    ///   %0 = stablehlo.abs %x : tensor<4xf32>
    ///   return %0 : tensor<4xf32>
    /// }
    /// ```
    ///
    /// ```console
    /// $ hlo2onnx convert modle.mlir
    /// ```
    ///
    /// What to do: fix the cause, which the message quotes from the operating system, or the fault in the file.
    ///
    /// Fixed:
    ///
    /// ```console
    /// $ hlo2onnx convert model.mlir
    /// ```
    E0402 CannotRead<'a> { path: &'a str, why: &'a str, remedy: Option<FileRemedy> }
        => "cannot read `{path}`: {why}"
        help { remedy.map(|remedy| help(remedy).into()) };

    /// The model is too large for one file.
    ///
    /// Readers of protocol buffers accept less than 2 GiB. Initializers go to an external data file automatically when
    /// they are too large; `--external-data never` forbids it.
    ///
    /// An example that triggers it:
    ///
    /// ```mlir
    /// func.func public @main(%w: tensor<600000000xf32> loc("w"), %i: tensor<i32> loc("i")) -> tensor<4xf32> {
    ///   %0 = stablehlo.dynamic_slice %w, %i, sizes = [4] : (tensor<600000000xf32>, tensor<i32>) -> tensor<4xf32>
    ///   return %0 : tensor<4xf32>
    /// }
    /// ```
    ///
    /// ```python
    /// save_file({"w": np.arange(600000000, dtype=np.float32)}, "weights.safetensors")
    /// ```
    ///
    /// ```console
    /// $ hlo2onnx convert model.mlir --weights weights.safetensors --external-data never
    /// ```
    ///
    /// What to do: omit the option, or pass `--external-data always`. If the graph is that large without weights,
    /// convert it in parts.
    ///
    /// Fixed:
    ///
    /// ```console
    /// $ hlo2onnx convert model.mlir --weights weights.safetensors --external-data auto
    /// ```
    E0403 ModelTooLarge { bytes: u64, limit: u64 }
        => "the model has {bytes} bytes, but one file is limited to {limit}"
        help "store the weights in a separate file: `--external-data auto`";

    /// Names for inputs or outputs do not match the function.
    ///
    /// `--input-names` and `--output-names` take one name for each, in order and without duplicates. An output cannot
    /// have the name of an input. The other options that name an input or output must name one that exists.
    ///
    /// An example that triggers it (two inputs with one name):
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<4xf32>, %y: tensor<4xf32>) -> tensor<4xf32> {
    ///   %0 = stablehlo.add %x, %y : tensor<4xf32>
    ///   return %0 : tensor<4xf32>
    /// }
    /// ```
    ///
    /// ```console
    /// $ hlo2onnx convert model.mlir --input-names a,a
    /// ```
    ///
    /// What to do: `hlo2onnx check MODEL.mlir` prints the inputs and outputs.
    ///
    /// Fixed:
    ///
    /// ```console
    /// $ hlo2onnx convert model.mlir --input-names a,b
    /// ```
    E0404 NameMismatch<'a> { option: &'a str, why: &'a str }
        => "`{option}` does not match the function: {why}"
        help "`hlo2onnx check MODEL.mlir` prints the inputs and outputs";

    /// A file of weights cannot be read.
    ///
    /// It is not safetensors, npz or a file that `flax.serialization.to_bytes` wrote, or it is damaged: it is
    /// truncated, its header does not match its length, tensors overlap, or sizes and bytes do not agree.
    ///
    /// An example that triggers it (the file is not safetensors):
    ///
    /// ```mlir
    /// func.func public @main(%kernel: tensor<2x3xf32> loc("params['Dense_0']['kernel']"), %x: tensor<4x2xf32> loc("x")) -> tensor<4x3xf32> {
    ///   %0 = stablehlo.dot_general %x, %kernel, contracting_dims = [1] x [0]
    ///     : (tensor<4x2xf32>, tensor<2x3xf32>) -> tensor<4x3xf32>
    ///   return %0 : tensor<4x3xf32>
    /// }
    /// ```
    ///
    /// ```python
    /// open("weights.safetensors", "w").write("no weights")
    /// ```
    ///
    /// ```console
    /// $ hlo2onnx convert model.mlir --weights weights.safetensors
    /// ```
    ///
    /// What to do: write it again. The message names the fault.
    ///
    /// ```python
    /// flat = flax.traverse_util.flatten_dict(variables, sep="/")
    /// safetensors.numpy.save_file({path: np.asarray(x) for path, x in flat.items()}, "weights.safetensors")
    /// ```
    ///
    /// Fixed:
    ///
    /// ```python
    /// save_file({"Dense_0/kernel": np.zeros((2, 3), np.float32)}, "weights.safetensors")
    /// ```
    E0405 UnreadableWeights<'a> { path: &'a str, why: &'a str }
        => "cannot read weights from `{path}`: {why}"
        help "write it with `safetensors.numpy.save_file`, `numpy.savez` or `flax.serialization.to_bytes`";

    /// A tensor in a file of weights does not have the type of its argument.
    ///
    /// Sizes and element type must equal the argument's; nothing is cast, transposed or reshaped. There are two
    /// exceptions: `uint16` and two-byte void in an npz, which has no bf16, count as bf16; and an array of shape
    /// `(1,)`, which `numpy.ascontiguousarray` makes from a scalar, counts as a scalar.
    ///
    /// An example that triggers it:
    ///
    /// ```mlir
    /// func.func public @main(%kernel: tensor<2x3xf32> loc("params['Dense_0']['kernel']"), %x: tensor<4x2xf32> loc("x")) -> tensor<4x3xf32> {
    ///   %0 = stablehlo.dot_general %x, %kernel, contracting_dims = [1] x [0]
    ///     : (tensor<4x2xf32>, tensor<2x3xf32>) -> tensor<4x3xf32>
    ///   return %0 : tensor<4x3xf32>
    /// }
    /// ```
    ///
    /// ```python
    /// save_file({"Dense_0/kernel": np.zeros((3, 2), np.float32)}, "weights.safetensors")
    /// ```
    ///
    /// ```console
    /// $ hlo2onnx convert model.mlir --weights weights.safetensors
    /// ```
    ///
    /// What to do: check that the file belongs to this text. Save the tensor in the type that the program takes.
    ///
    /// Fixed:
    ///
    /// ```python
    /// save_file({"Dense_0/kernel": np.zeros((2, 3), np.float32)}, "weights.safetensors")
    /// ```
    E0406 WeightMismatch<'a> { tensor: &'a str, path: &'a str, found: &'a str, expected: &'a str, at: Span }
        => "`{tensor}` of `{path}` is {found}, but the argument takes {expected}"
        group "{path}"
        label at "takes {expected}"
        help "check that the file belongs to this text: nothing is cast, transposed or reshaped";

    /// An argument can be bound to weights in more than one way.
    ///
    /// An argument `variables['params']['Dense_0']['kernel']` is bound to the tensor `variables/params/Dense_0/kernel`,
    /// else `params/Dense_0/kernel`, else `Dense_0/kernel`, with `/` or `.` between the parts. Two files may have that
    /// tensor, or two arguments whose paths differ only at the beginning may match one tensor.
    ///
    /// An example that triggers it:
    ///
    /// ```mlir
    /// func.func public @main(%kernel: tensor<2x3xf32> loc("params['Dense_0']['kernel']"), %x: tensor<4x2xf32> loc("x")) -> tensor<4x3xf32> {
    ///   %0 = stablehlo.dot_general %x, %kernel, contracting_dims = [1] x [0]
    ///     : (tensor<4x2xf32>, tensor<2x3xf32>) -> tensor<4x3xf32>
    ///   return %0 : tensor<4x3xf32>
    /// }
    /// ```
    ///
    /// ```python
    /// save_file({"Dense_0/kernel": np.zeros((2, 3), np.float32)}, "old.safetensors")
    /// save_file({"Dense_0/kernel": np.zeros((2, 3), np.float32)}, "new.safetensors")
    /// ```
    ///
    /// ```console
    /// $ hlo2onnx convert model.mlir --weights old.safetensors --weights new.safetensors
    /// ```
    ///
    /// What to do: `--weights-prefix P` takes only the tensors below `P`; `--rename FROM=TO` changes the beginning of
    /// their paths. Or save the tensors under their full paths.
    ///
    /// Fixed:
    ///
    /// ```console
    /// $ hlo2onnx convert model.mlir --weights new.safetensors
    /// ```
    E0407 AmbiguousWeight<'a> { argument: &'a str, why: &'a str, at: Span }
        => "the weights of `{argument}` are ambiguous: {why}"
        label at "can be bound in several ways"
        help "`--weights-prefix P` takes only the tensors below `P`, `--rename FROM=TO` changes their paths";

    /// The text does not contain the names of the arguments.
    ///
    /// Weights are bound to arguments by their paths, which are in JAX's locations, and this text was printed without
    /// them.
    ///
    /// An example that triggers it:
    ///
    /// ```mlir
    /// func.func public @main(%kernel: tensor<2x3xf32>, %x: tensor<4x2xf32>) -> tensor<4x3xf32> {
    ///   %0 = stablehlo.dot_general %x, %kernel, contracting_dims = [1] x [0]
    ///     : (tensor<4x2xf32>, tensor<2x3xf32>) -> tensor<4x3xf32>
    ///   return %0 : tensor<4x3xf32>
    /// }
    /// ```
    ///
    /// ```python
    /// save_file({"Dense_0/kernel": np.zeros((2, 3), np.float32)}, "weights.safetensors")
    /// ```
    ///
    /// ```console
    /// $ hlo2onnx convert model.mlir --weights weights.safetensors
    /// ```
    ///
    /// What to do: print the text with its locations.
    ///
    /// ```python
    /// text = jax.jit(f).lower(variables, x).as_text(debug_info=True)
    /// ```
    ///
    /// If that is not possible, `--weights-by-order` binds the tensors to the first arguments: in the order of the
    /// files, and within a file sorted by path, part by part, as JAX sorts dictionaries.
    ///
    /// Fixed:
    ///
    /// ```mlir
    /// func.func public @main(%kernel: tensor<2x3xf32> loc("params['Dense_0']['kernel']"), %x: tensor<4x2xf32> loc("x")) -> tensor<4x3xf32> {
    ///   %0 = stablehlo.dot_general %x, %kernel, contracting_dims = [1] x [0]
    ///     : (tensor<4x2xf32>, tensor<2x3xf32>) -> tensor<4x3xf32>
    ///   return %0 : tensor<4x3xf32>
    /// }
    /// ```
    E0408 NoWeightNames {}
        => "the arguments have no names to bind weights by"
        help "print the text with locations, `lowered.as_text(debug_info=True)`, or pass `--weights-by-order`";

    /// No tensor of the weights has the path of an argument.
    ///
    /// An argument `variables['params']['Dense_0']['kernel']` is bound to the tensor `variables/params/Dense_0/kernel`,
    /// else `params/Dense_0/kernel`, else `Dense_0/kernel`, with `/` or `.` between the parts.
    ///
    /// An example that triggers it:
    ///
    /// ```mlir
    /// func.func public @main(%kernel: tensor<2x3xf32> loc("params['Dense_0']['kernel']"), %x: tensor<4x2xf32> loc("x")) -> tensor<4x3xf32> {
    ///   %0 = stablehlo.dot_general %x, %kernel, contracting_dims = [1] x [0]
    ///     : (tensor<4x2xf32>, tensor<2x3xf32>) -> tensor<4x3xf32>
    ///   return %0 : tensor<4x3xf32>
    /// }
    /// ```
    ///
    /// ```python
    /// save_file({"old/weight": np.zeros((2, 3), np.float32)}, "weights.safetensors")
    /// ```
    ///
    /// ```console
    /// $ hlo2onnx convert model.mlir --weights weights.safetensors
    /// ```
    ///
    /// What to do: `--weights-prefix P` removes `P` from the paths in the file; `--rename FROM=TO` changes their
    /// beginning.
    ///
    /// Fixed:
    ///
    /// ```console
    /// $ hlo2onnx convert model.mlir --weights weights.safetensors --rename old/weight=Dense_0/kernel
    /// ```
    E0409 NoWeightFits<'a> { tensor: &'a str, argument: &'a str, remedy: Option<&'a str>, at: Span }
        => "no tensor of the weights has the path of an argument"
        label at "this argument is `{argument}`"
        note "one tensor is `{tensor}`"
        help {
            let options = "`--weights-prefix P` removes `P` from the paths in the file, `--rename FROM=TO` changes their beginning";
            Some(remedy.unwrap_or(options).to_owned())
        };

    /// There are more tensors than arguments.
    ///
    /// `--weights-by-order` binds every tensor to an argument. JAX omits arguments that the program does not use, so
    /// the order alone does not determine which arguments the text has.
    ///
    /// An example that triggers it:
    ///
    /// ```mlir
    /// func.func public @main(%kernel: tensor<2x3xf32> loc("params['Dense_0']['kernel']"), %x: tensor<4x2xf32> loc("x")) -> tensor<4x3xf32> {
    ///   %0 = stablehlo.dot_general %x, %kernel, contracting_dims = [1] x [0]
    ///     : (tensor<4x2xf32>, tensor<2x3xf32>) -> tensor<4x3xf32>
    ///   return %0 : tensor<4x3xf32>
    /// }
    /// ```
    ///
    /// ```python
    /// save_file({"a": np.zeros((2, 3), np.float32), "b": np.zeros((4, 2), np.float32), "c": np.zeros(4, np.float32)}, "weights.safetensors")
    /// ```
    ///
    /// ```console
    /// $ hlo2onnx convert model.mlir --weights weights.safetensors --weights-by-order
    /// ```
    ///
    /// What to do: print the text with its locations and omit `--weights-by-order`.
    ///
    /// Fixed:
    ///
    /// ```python
    /// save_file({"a": np.zeros((2, 3), np.float32)}, "weights.safetensors")
    /// ```
    E0410 TooManyWeights { tensors: usize, arguments: usize }
        => "`--weights-by-order` has {tensors} tensors for {arguments} arguments"
        help "print the text with locations: `lowered.as_text(debug_info=True)`";

    /// An option that changes the paths of weights matches none of them.
    ///
    /// `--weights-prefix P` selects the tensors whose path begins with the parts of `P`, and removes these. `--rename
    /// FROM=TO` then replaces the parts `FROM` at the beginning of a path by `TO`, which may be empty; the first option
    /// that matches applies.
    ///
    /// An example that triggers it:
    ///
    /// ```mlir
    /// func.func public @main(%kernel: tensor<2x3xf32> loc("params['Dense_0']['kernel']"), %x: tensor<4x2xf32> loc("x")) -> tensor<4x3xf32> {
    ///   %0 = stablehlo.dot_general %x, %kernel, contracting_dims = [1] x [0]
    ///     : (tensor<4x2xf32>, tensor<2x3xf32>) -> tensor<4x3xf32>
    ///   return %0 : tensor<4x3xf32>
    /// }
    /// ```
    ///
    /// ```python
    /// save_file({"params/Dense_0/kernel": np.zeros((2, 3), np.float32)}, "weights.safetensors")
    /// ```
    ///
    /// ```console
    /// $ hlo2onnx convert model.mlir --weights weights.safetensors --weights-prefix target
    /// ```
    ///
    /// What to do: compare it with the path in the message. Only whole parts count: `Dense` does not match `Dense_0`.
    ///
    /// Fixed:
    ///
    /// ```console
    /// $ hlo2onnx convert model.mlir --weights weights.safetensors
    /// ```
    E0411 UnusedWeightOption<'a> { option: &'a str, tensor: &'a str, remedy: Option<&'a str> }
        => "`{option}` does not match the path of any tensor"
        note "one tensor is `{tensor}`"
        help { Some(remedy.unwrap_or("pass whole parts of a path, from its beginning").to_owned()) };

    /// The model cannot refer to the file of the weights.
    ///
    /// With `--external-data reference` the model has the offsets of its weights in the file that `--weights` names,
    /// and no copy of them. A model may refer only to files in its own folder and below: ONNX Runtime refuses all
    /// others, even through a symbolic link, because otherwise a model could read any file.
    ///
    /// An example that triggers it:
    ///
    /// ```mlir
    /// func.func public @main(%scale: tensor<512xf32> loc("params['scale']"), %x: tensor<512xf32> loc("x")) -> tensor<512xf32> {
    ///   %0 = stablehlo.multiply %x, %scale : tensor<512xf32>
    ///   return %0 : tensor<512xf32>
    /// }
    /// ```
    ///
    /// ```python
    /// os.makedirs("deploy", exist_ok=True)
    /// save_file({"scale": np.arange(512, dtype=np.float32)}, "weights.safetensors")
    /// ```
    ///
    /// ```console
    /// $ hlo2onnx convert model.mlir --weights weights.safetensors --external-data reference --output deploy/model.onnx
    /// ```
    ///
    /// What to do: write the model into the folder of the weights, or copy them with `--external-data always`.
    ///
    /// Fixed:
    ///
    /// ```console
    /// $ hlo2onnx convert model.mlir --weights weights.safetensors --external-data reference --output model.onnx
    /// ```
    E0412 WeightsElsewhere<'a> { weights: &'a str, model: &'a str }
        => "`{model}` cannot refer to `{weights}`, which is not in its folder"
        note "ONNX Runtime reads data only from the folder of the model"
        help "write the model next to the weights with `--output`, or copy them with `--external-data always`";

    /// An input is larger than the limit.
    ///
    /// A small compressed file can expand to a huge one, and a pipe may never end. So the compiler reads at most 4 GiB
    /// of a text that is compressed or comes through a pipe, and of a compressed file of weights. `--max-input-bytes`
    /// changes that limit, and also limits files of other kinds, which otherwise may have any length.
    ///
    /// An example that triggers it:
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<4xf32>) -> tensor<4xf32> {
    ///   %0 = stablehlo.abs %x : tensor<4xf32>
    ///   return %0 : tensor<4xf32>
    /// }
    /// ```
    ///
    /// ```console
    /// $ hlo2onnx convert model.mlir --max-input-bytes 100
    /// ```
    ///
    /// What to do: if the input is meant to be that large, raise the limit with `--max-input-bytes N`, or decompress
    /// the input first.
    ///
    /// Fixed:
    ///
    /// ```console
    /// $ hlo2onnx convert model.mlir
    /// ```
    E0413 InputTooLarge<'a> { path: &'a str, limit: u64 }
        => "`{path}` has more than {limit} bytes"
        help "raise the limit with `--max-input-bytes N`";

    /// The text has a placeholder for an array that is missing.
    ///
    /// The Python package lowers a function so that the arrays it closes over print as `stablehlo.custom_call
    /// @hlo2onnx.weight()`, and passes the arrays in memory. Such a text does not contain the weights, so it cannot be
    /// converted by itself.
    ///
    /// An example that triggers it:
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<4xf32>) -> tensor<4xf32> {
    ///   %0 = stablehlo.custom_call @hlo2onnx.weight() {backend_config = "w0"} : () -> tensor<4xf32>
    ///   %1 = stablehlo.add %x, %0 : tensor<4xf32>
    ///   return %1 : tensor<4xf32>
    /// }
    /// ```
    ///
    /// What to do: call `hlo2onnx.to_onnx` on the function, or print a text with the weights in it:
    /// `jax.jit(f).lower(x).as_text()`.
    ///
    /// Fixed:
    ///
    /// ```mlir
    /// func.func public @main(%x: tensor<4xf32>, %0: tensor<4xf32>) -> tensor<4xf32> {
    ///   %1 = stablehlo.add %x, %0 : tensor<4xf32>
    ///   return %1 : tensor<4xf32>
    /// }
    /// ```
    E0414 MissingArray<'a> { id: &'a str, at: Span }
        => "the array of the placeholder `{id}` is missing"
        label at "placeholder of an array that the program closes over"
        help "call `hlo2onnx.to_onnx` on the function, or print a text that contains its weights: `jax.jit(f).lower(x).as_text()`";
}
