//! Runs a model with ONNX Runtime on the CPU.

use std::fmt::Debug;
use std::path::Path;
use std::sync::{Mutex, OnceLock};

use half::{bf16, f16};
use ort::environment::Environment;
use ort::session::builder::SessionBuilder;
use ort::session::{Session, SessionInputValue};
use ort::value::{DynValue, PrimitiveTensorElementType, Tensor as OrtTensor, TensorElementType};

use super::library;
use super::value::{Element, Tensor};

/// The outputs, in the model's order, of the model with these inputs in its order.
pub fn run(model: &[u8], inputs: &[Tensor]) -> Result<Vec<Tensor>, String> {
    outputs(load(model), inputs)
}

/// The outputs of the model of a file, which may refer to other files.
pub fn run_file(path: &Path, inputs: &[Tensor]) -> Result<Vec<Tensor>, String> {
    let load =
        |mut builder: SessionBuilder| builder.commit_from_file(path).map_err(|error| error.to_string());
    outputs(session(load), inputs)
}

fn outputs(session: Result<Session, String>, inputs: &[Tensor]) -> Result<Vec<Tensor>, String> {
    let mut session = session.map_err(|error| format!("ONNX Runtime rejects the model: {error}"))?;
    if session.inputs().len() != inputs.len() {
        let names: Vec<&str> = session.inputs().iter().map(|input| input.name()).collect();
        return Err(format!(
            "the model has {} inputs ({names:?}), but {} were passed",
            names.len(),
            inputs.len()
        ));
    }
    let values = inputs
        .iter()
        .map(|tensor| give(tensor).map(SessionInputValue::from))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| format!("ONNX Runtime rejects an input: {error}"))?;
    let names: Vec<String> = session.outputs().iter().map(|output| output.name().to_owned()).collect();
    let outputs = session.run(&values[..]).map_err(|error| format!("ONNX Runtime fails: {error}"))?;
    names.iter().map(|name| take(outputs.get(name).ok_or_else(|| format!("no output `{name}`"))?)).collect()
}

fn environment() -> Result<&'static Environment, String> {
    static ENVIRONMENT: OnceLock<Result<Environment, String>> = OnceLock::new();
    let start = || {
        let path = library::path()?;
        let builder = ort::init_from(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        builder.with_telemetry(false).build().map_err(|error| error.to_string())
    };
    ENVIRONMENT.get_or_init(start).as_ref().map_err(Clone::clone)
}

/// A session of the model.
pub fn load(model: &[u8]) -> Result<Session, String> {
    session(|mut builder| builder.commit_from_memory(model).map_err(|error| error.to_string()))
}

fn session(load: impl FnOnce(SessionBuilder) -> Result<Session, String>) -> Result<Session, String> {
    // ONNX Runtime registers its schemas while it reads its first model, so sessions are created one at a time.
    static LOADING: Mutex<()> = Mutex::new(());
    let environment = environment()?;
    let _one = LOADING.lock().map_err(|error| error.to_string())?;
    let builder = Session::builder(environment).map_err(|error| error.to_string())?;
    load(builder.with_intra_threads(1).map_err(|error| error.to_string())?)
}

/// A Rust type of ONNX Runtime's tensors, and its little-endian bytes.
trait Scalar: PrimitiveTensorElementType + Debug + Copy + 'static {
    fn read(bytes: &[u8]) -> Self;
    fn write(self, bytes: &mut Vec<u8>);
}

macro_rules! scalar {
    ($($type:ty),*) => {$(
        impl Scalar for $type {
            fn read(bytes: &[u8]) -> Self {
                let mut exact = [0; size_of::<$type>()];
                exact.copy_from_slice(bytes);
                <$type>::from_le_bytes(exact)
            }

            fn write(self, bytes: &mut Vec<u8>) {
                bytes.extend(self.to_le_bytes());
            }
        }
    )*};
}

scalar!(i8, i16, i32, i64, u8, u16, u32, u64, f16, bf16, f32, f64);

impl Scalar for bool {
    fn read(bytes: &[u8]) -> Self {
        bytes != [0]
    }

    fn write(self, bytes: &mut Vec<u8>) {
        bytes.push(self.into());
    }
}

fn give(tensor: &Tensor) -> Result<DynValue, String> {
    fn typed<T: Scalar>(tensor: &Tensor) -> Result<DynValue, String> {
        let data: Vec<T> = tensor.bytes.chunks_exact(tensor.element.size()).map(T::read).collect();
        let value = OrtTensor::from_array((tensor.dims.clone(), data)).map_err(|error| error.to_string())?;
        Ok(value.into_dyn())
    }
    match tensor.element {
        Element::I1 => typed::<bool>(tensor),
        Element::I8 => typed::<i8>(tensor),
        Element::I16 => typed::<i16>(tensor),
        Element::I32 => typed::<i32>(tensor),
        Element::I64 => typed::<i64>(tensor),
        Element::Ui8 => typed::<u8>(tensor),
        Element::Ui16 => typed::<u16>(tensor),
        Element::Ui32 => typed::<u32>(tensor),
        Element::Ui64 => typed::<u64>(tensor),
        Element::F16 => typed::<f16>(tensor),
        Element::Bf16 => typed::<bf16>(tensor),
        Element::F32 => typed::<f32>(tensor),
        Element::F64 => typed::<f64>(tensor),
        Element::Complex64 | Element::Complex128 => Err("models have no complex inputs".into()),
    }
}

fn take(value: &DynValue) -> Result<Tensor, String> {
    fn typed<T: Scalar>(value: &DynValue, element: Element) -> Result<Tensor, String> {
        let (shape, data) = value.try_extract_tensor::<T>().map_err(|error| error.to_string())?;
        let dims = shape.iter().map(|&dim| dim as usize).collect();
        let mut bytes = Vec::with_capacity(size_of_val(data));
        data.iter().for_each(|&scalar| scalar.write(&mut bytes));
        Ok(Tensor { element, dims, bytes })
    }
    match value.dtype().tensor_type() {
        Some(TensorElementType::Bool) => typed::<bool>(value, Element::I1),
        Some(TensorElementType::Int8) => typed::<i8>(value, Element::I8),
        Some(TensorElementType::Int16) => typed::<i16>(value, Element::I16),
        Some(TensorElementType::Int32) => typed::<i32>(value, Element::I32),
        Some(TensorElementType::Int64) => typed::<i64>(value, Element::I64),
        Some(TensorElementType::Uint8) => typed::<u8>(value, Element::Ui8),
        Some(TensorElementType::Uint16) => typed::<u16>(value, Element::Ui16),
        Some(TensorElementType::Uint32) => typed::<u32>(value, Element::Ui32),
        Some(TensorElementType::Uint64) => typed::<u64>(value, Element::Ui64),
        Some(TensorElementType::Float16) => typed::<f16>(value, Element::F16),
        Some(TensorElementType::Bfloat16) => typed::<bf16>(value, Element::Bf16),
        Some(TensorElementType::Float32) => typed::<f32>(value, Element::F32),
        Some(TensorElementType::Float64) => typed::<f64>(value, Element::F64),
        _ => Err(format!("an output is {}, which the tests do not read", value.dtype())),
    }
}
