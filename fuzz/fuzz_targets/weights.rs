//! Any bytes as a file of weights (safetensors, npz or msgpack, by content): every tensor has as many bytes as its
//! sizes require.

#![no_main]

use hlo2onnx::source::Mapping;
use hlo2onnx::weights::WeightsFile;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(file) = WeightsFile::read("fuzz", Mapping::from_bytes(bytes.to_vec())) else { return };
    for tensor in &file.tensors {
        let Some(element) = tensor.elements.first() else { continue };
        let expected = tensor.sizes.iter().product::<usize>() * element.bytes();
        assert_eq!(tensor.data.bytes().len(), expected, "`{}`", tensor.name);
    }
});
