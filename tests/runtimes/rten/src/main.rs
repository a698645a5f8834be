//! Runs models in rten. `../worker.py` describes the protocol: jobs and answers are lines of JSON.
//!
//! rten has tensors of f32, i32, i8 and u8. It reads models whose values have other types as if they had the nearest of
//! these, so inputs are converted to the type that the loaded model states. A panic ends the process, and the report
//! lists it.

use std::error::Error;
use std::fs;
use std::io::{BufRead, Write, stdin, stdout};

use rten::{DataType, Model, ModelOptions, RunOptions, ThreadPool, Value, ValueType};
use rten_tensor::prelude::Layout;
use rten_tensor::{AsView, Tensor};
use serde::{Deserialize, Serialize};
use serde_json::json;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

#[derive(Deserialize)]
struct Job {
    model: String,
    inputs: String,
    runs: Vec<Vec<Input>>,
    outputs: Vec<String>,
    results: String,
}

#[derive(Deserialize)]
struct Input {
    name: String,
    #[serde(rename = "type")]
    element: String,
    shape: Vec<usize>,
    offset: usize,
}

#[derive(Serialize)]
struct Output {
    #[serde(rename = "type")]
    element: &'static str,
    shape: Vec<usize>,
    offset: usize,
}

fn main() -> Result<()> {
    say(&json!({ "ready": true }))?;
    for line in stdin().lock().lines() {
        let job: Job = serde_json::from_str(&line?)?;
        let model = match ModelOptions::with_all_ops().load_file(&job.model) {
            Ok(model) => model,
            Err(error) => {
                say(&failed("load", &error))?;
                continue;
            }
        };
        say(&json!({ "loaded": true }))?;
        if let Err(error) = run(&model, &job) {
            say(&failed("run", error.as_ref()))?;
        }
    }
    Ok(())
}

/// The answer to a job that fails, with the causes of the error.
fn failed(stage: &str, error: &dyn Error) -> serde_json::Value {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let reason = error.to_string();
        // Some errors print their cause too.
        if !message.contains(&reason) {
            message += &format!(": {reason}");
        }
        cause = error.source();
    }
    json!({ "failed": stage, "message": message })
}

fn say(message: &serde_json::Value) -> Result<()> {
    let mut out = stdout().lock();
    writeln!(out, "{message}")?;
    Ok(out.flush()?)
}

fn run(model: &Model, job: &Job) -> Result<()> {
    let data = fs::read(&job.inputs)?;
    let outputs =
        job.outputs.iter().map(|name| model.node_id(name)).collect::<std::result::Result<Vec<_>, _>>()?;
    for (number, inputs) in job.runs.iter().enumerate() {
        let mut given = Vec::new();
        for input in inputs {
            let id = model.node_id(&input.name)?;
            let wanted = model.node_info(id).and_then(|info| info.dtype());
            given.push((id, read(&data, input, wanted)?.into()));
        }
        let options = RunOptions::default().with_thread_pool(Some(ThreadPool::with_num_threads(1).into()));
        let results = model.run(given, &outputs, Some(options))?;
        let described = write(&format!("{}.{number}", job.results), &results)?;
        say(&json!({ "results": described }))?;
    }
    Ok(())
}

fn read(data: &[u8], input: &Input, wanted: Option<ValueType>) -> Result<Value> {
    let count = input.shape.iter().product::<usize>();
    let bytes = data.get(input.offset..).ok_or("the inputs are incomplete")?;
    macro_rules! numbers {
        ($type:ty) => {
            bytes
                .chunks_exact(size_of::<$type>())
                .take(count)
                .map(|b| <$type>::from_le_bytes(b.try_into().unwrap_or_default()))
        };
    }
    let floats = |values: Vec<f32>| -> Result<Value> { Ok(Value::from_shape(&input.shape, values)?) };
    let integers = |values: Vec<i64>| -> Result<Value> {
        Ok(match wanted {
            Some(ValueType::Tensor(DataType::UInt8)) => Value::from_shape(
                &input.shape,
                values.into_iter().map(u8::try_from).collect::<std::result::Result<Vec<_>, _>>()?,
            )?,
            Some(ValueType::Tensor(DataType::Int8)) => Value::from_shape(
                &input.shape,
                values.into_iter().map(i8::try_from).collect::<std::result::Result<Vec<_>, _>>()?,
            )?,
            _ => Value::from_shape(
                &input.shape,
                values.into_iter().map(i32::try_from).collect::<std::result::Result<Vec<_>, _>>()?,
            )?,
        })
    };
    match input.element.as_str() {
        "float32" => floats(numbers!(f32).collect()),
        "float64" => floats(numbers!(f64).map(|number| number as f32).collect()),
        "bool" | "uint8" => integers(numbers!(u8).map(i64::from).collect()),
        "int8" => integers(numbers!(i8).map(i64::from).collect()),
        "int16" => integers(numbers!(i16).map(i64::from).collect()),
        "uint16" => integers(numbers!(u16).map(i64::from).collect()),
        "int32" => integers(numbers!(i32).map(i64::from).collect()),
        "uint32" => integers(numbers!(u32).map(i64::from).collect()),
        "int64" => integers(numbers!(i64).collect()),
        other => Err(format!("rten does not support tensors of {other}").into()),
    }
}

fn write(path: &str, results: &[Value]) -> Result<Vec<Output>> {
    let mut bytes: Vec<u8> = Vec::new();
    let mut described = Vec::new();
    for result in results {
        let offset = bytes.len();
        macro_rules! described {
            ($tensor:expr, $element:expr) => {{
                $tensor.iter().for_each(|number| bytes.extend(number.to_le_bytes()));
                Output { element: $element, shape: shape($tensor), offset }
            }};
        }
        described.push(match result {
            Value::FloatTensor(tensor) => described!(tensor, "float32"),
            Value::Int32Tensor(tensor) => described!(tensor, "int32"),
            Value::Int8Tensor(tensor) => described!(tensor, "int8"),
            Value::UInt8Tensor(tensor) => described!(tensor, "uint8"),
            _ => return Err("a result is not a tensor".into()),
        });
    }
    fs::write(path, bytes)?;
    Ok(described)
}

fn shape<T>(tensor: &Tensor<T>) -> Vec<usize> {
    tensor.shape().to_vec()
}
