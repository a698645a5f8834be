//! The map from values of a model to values of the program, and the program with mapped values as results.

use hlo2onnx::source::Source;
use hlo2onnx::value_map::{Mapped, ValueMap};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use serde_json::{Value, json};
use std::sync::{Mutex, PoisonError};

/// The map from values of a model to values of the program.
#[pyclass(frozen, module = "hlo2onnx._native")]
pub struct Values {
    /// The map and the program.
    pub map: Mutex<ValueMap>,
    /// The text that holds the program's constants.
    pub source: Source,
}

/// A text, and the element type, sizes and bytes of the array of each argument that follows those of the program.
type Program<'py> = (String, Vec<(String, Vec<i64>, Bound<'py, PyBytes>)>);

#[pymethods]
impl Values {
    /// The mapped values in the order of the nodes, as JSON.
    fn json(&self) -> String {
        let map = self.map.lock().unwrap_or_else(PoisonError::into_inner);
        Value::Array(map.values.iter().map(entry).collect()).to_string()
    }

    /// The program as text with the values at these positions as additional results; with `double` all floats have 64
    /// bits.
    #[pyo3(signature = (values, double = false))]
    fn program<'py>(&self, py: Python<'py>, values: Vec<usize>, double: bool) -> PyResult<Program<'py>> {
        let program = py.detach(|| {
            let map = self.map.lock().unwrap_or_else(PoisonError::into_inner);
            map.program(&self.source, &values, double)
        });
        let program = program.ok_or_else(|| PyValueError::new_err("unknown value"))?;
        let captured = program.captured.iter();
        let captured = captured
            .map(|array| (array.element.clone(), array.sizes.clone(), PyBytes::new(py, &array.bytes)));
        Ok((program.text, captured.collect()))
    }
}

fn entry(mapped: &Mapped) -> Value {
    json!({
        "onnx": mapped.onnx,
        "form": mapped.form.name(),
        "element": mapped.element,
        "axes": mapped.axes,
        "python": mapped.python.as_ref().map(ToString::to_string),
        "module_path": mapped.module_path,
    })
}
