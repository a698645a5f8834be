//! Reads Python arrays in place.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// The bytes of a one-dimensional NumPy array of `uint8`, which lives as long as this object.
pub struct ArrayBytes {
    /// Keeps the bytes alive.
    _array: Py<PyAny>,
    start: usize,
    length: usize,
}

impl ArrayBytes {
    /// Takes the array by NumPy's array interface, version 3; the limited API of Python 3.10 has no buffers.
    ///
    /// # Errors
    /// When the array is not a contiguous array of `uint8` in one dimension.
    pub fn new(array: &Bound<'_, PyAny>) -> PyResult<Self> {
        let interface = array.getattr("__array_interface__")?;
        let kind: String = interface.get_item("typestr")?.extract()?;
        let strides = interface.get_item("strides")?;
        let (start, _): (usize, bool) = interface.get_item("data")?.extract()?;
        let (length,): (usize,) = interface.get_item("shape")?.extract()?;
        if kind != "|u1" || !strides.is_none() || (start == 0 && length > 0) {
            return Err(PyValueError::new_err("the bytes of an array must be contiguous `uint8`"));
        }
        Ok(Self { _array: array.clone().unbind(), start, length })
    }
}

impl AsRef<[u8]> for ArrayBytes {
    fn as_ref(&self) -> &[u8] {
        if self.length == 0 {
            return &[];
        }
        // SAFETY: NumPy promises `length` bytes from `start` on: the array has one dimension of bytes without strides,
        // and `_array`, a reference to it, keeps its memory alive. A JAX array never changes. A NumPy array must not
        // change during a conversion, which the package documents; its elements may be any bytes, and they are read
        // only as bytes.
        #[allow(unsafe_code)]
        unsafe {
            std::slice::from_raw_parts(self.start as *const u8, self.length)
        }
    }
}
