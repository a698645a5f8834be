//! The output of the file writer, read by a decoder that shares no code with it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[cfg(unix)]
mod unix;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use hlo2onnx::onnx::file::{
    Destination, ExternalData, Initializer, Model, Payload, WriteError, Written, encode, write, write_stream,
};
use hlo2onnx::onnx::proto::tensor_proto::DataType;
use hlo2onnx::onnx::proto::{
    FunctionProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, StringStringEntryProto, TensorProto,
};
use onnx_protobuf::Message as _;
use prost::Message as _;

/// Announces `len` bytes of ones, and fails from byte `good` on. The later a piece, the sooner it fails.
struct Broken {
    len: u64,
    good: u64,
}

impl Payload for Broken {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        let end = offset + into.len() as u64;
        if end > self.good {
            thread::sleep(Duration::from_millis(20 * (self.len - offset) / self.len));
            return Err(io::Error::other(format!("no byte {}", self.good.max(offset))));
        }
        into.fill(1);
        Ok(())
    }
}

/// Announces more bytes than fit in memory, and records whether they were requested.
struct Huge<'c> {
    len: u64,
    asked: &'c AtomicBool,
}

impl Payload for Huge<'_> {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, _: u64, _: &mut [u8]) -> io::Result<()> {
        self.asked.store(true, Ordering::Relaxed);
        Err(io::Error::other("asked"))
    }
}

fn messages() -> ModelProto {
    ModelProto {
        ir_version: Some(10),
        producer_name: Some("hlo2onnx".into()),
        opset_import: vec![OperatorSetIdProto { domain: Some(String::new()), version: Some(23) }],
        graph: Some(GraphProto {
            name: Some("main".into()),
            node: vec![NodeProto {
                op_type: Some("Add".into()),
                input: vec!["x".into(), "large".into()],
                output: vec!["y".into()],
                ..NodeProto::default()
            }],
            initializer: vec![TensorProto {
                name: Some("small".into()),
                data_type: Some(DataType::Int64.into()),
                dims: vec![1],
                raw_data: Some(vec![5, 0, 0, 0, 0, 0, 0, 0]),
                ..TensorProto::default()
            }],
            // A field of the graph, and fields of the model, that follow the hand-framed ones in the schema.
            doc_string: Some("after the initializers".into()),
            ..GraphProto::default()
        }),
        metadata_props: vec![StringStringEntryProto { key: Some("k".into()), value: Some("v".into()) }],
        functions: vec![FunctionProto { name: Some("f".into()), ..FunctionProto::default() }],
        ..ModelProto::default()
    }
}

/// Bytes that are in a file.
struct Stored {
    path: PathBuf,
    offset: u64,
    bytes: Vec<u8>,
}

impl Payload for Stored {
    fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        self.bytes.read_at(offset, into)
    }

    fn place(&self) -> Option<(&Path, u64)> {
        Some((&self.path, self.offset))
    }
}

fn bytes_of(len: u64) -> Vec<u8> {
    (0..len).map(|index| (index * 7 + index / 251) as u8).collect()
}

fn floats<'a>(name: &str, count: u64) -> Initializer<'a> {
    initializer(name, count as i64, bytes_of(4 * count))
}

fn initializer<'a>(name: &str, count: i64, payload: impl Payload + 'a) -> Initializer<'a> {
    Initializer {
        name: name.into(),
        data_type: DataType::Float,
        dims: vec![count],
        payload: Box::new(payload),
    }
}

/// Elements that several threads write.
const LARGE: u64 = 1_000_003;

/// Sizes on both sides of each length of a length prefix (127, 16383), and one that takes several pieces.
fn model<'a>() -> Model<'a> {
    let initializers =
        vec![floats("large", LARGE), floats("a", 1), floats("b", 31), floats("c", 32), floats("d", 4096)];
    Model::new(messages(), initializers)
}

fn write_quietly(model: &Model, path: &Path, external: ExternalData) -> Result<Written, WriteError> {
    write(model, path, external, &mut |_| {})
}

fn names_in(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn embedded_data_decodes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    let written = write_quietly(&model(), &path, ExternalData::Auto).unwrap();
    let bytes = fs::read(&path).unwrap();
    assert_eq!(written, Written { bytes: bytes.len() as u64, ..Written::default() });
    assert_eq!(names_in(folder.path()), ["model.onnx"]);

    let decoded = onnx_protobuf::ModelProto::parse_from_bytes(&bytes).unwrap();
    assert_eq!(decoded.ir_version, 10);
    assert_eq!(decoded.opset_import[0].version, 23);
    assert_eq!(decoded.metadata_props[0].value, "v");
    assert_eq!(decoded.functions[0].name, "f");
    assert_eq!(decoded.special_fields.unknown_fields().iter().count(), 0);
    assert_eq!(decoded.graph.node[0].op_type, "Add");
    assert_eq!(decoded.graph.doc_string, "after the initializers");
    let found: Vec<_> = decoded
        .graph
        .initializer
        .iter()
        .map(|tensor| (tensor.name.as_str(), tensor.dims.as_slice()))
        .collect();
    let expected: [(&str, &[i64]); 6] = [
        ("small", &[1]),
        ("large", &[LARGE as i64]),
        ("a", &[1]),
        ("b", &[31]),
        ("c", &[32]),
        ("d", &[4096]),
    ];
    assert_eq!(found, expected);
    for tensor in &decoded.graph.initializer[1..] {
        assert_eq!(tensor.data_type, DataType::Float as i32);
        assert!(tensor.raw_data == bytes_of(4 * tensor.dims[0] as u64), "data of {}", tensor.name);
        assert!(tensor.data_location.value() == 0 && tensor.external_data.is_empty());
    }
}

#[test]
fn embedded_data_equals_prost_encoding() {
    let mut expected = messages();
    for Initializer { name, data_type, dims, payload } in
        [floats("large", LARGE), floats("a", 1), floats("b", 31), floats("c", 32), floats("d", 4096)]
    {
        expected.graph.as_mut().unwrap().initializer.push(TensorProto {
            name: Some(name),
            data_type: Some(data_type.into()),
            dims,
            raw_data: Some(bytes_of(payload.len())),
            ..TensorProto::default()
        });
    }
    let bytes = encode(&model()).unwrap();
    assert_eq!(bytes.len(), expected.encoded_len());
    assert!(ModelProto::decode(bytes.as_slice()).unwrap() == expected);
}

#[test]
fn file_data_is_referenced() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("weights")).unwrap();
    let store = folder.path().join("weights").join("all.bin");
    fs::write(&store, bytes_of(64)).unwrap();
    let stored = |name, path: &Path| {
        initializer(name, 8, Stored { path: path.to_owned(), offset: 16, bytes: bytes_of(48)[16..].to_vec() })
    };
    let model = |path: &Path| Model::new(messages(), vec![stored("stored", path), floats("held", 100)]);

    let (path, mut seen) = (folder.path().join("model.onnx"), Vec::new());
    let written =
        write(&model(&store), &path, ExternalData::Reference, &mut |bytes| seen.push(bytes)).unwrap();
    assert_eq!((written.referenced_bytes, &written.referenced), (32, &vec![store.clone()]));
    assert_eq!((written.external_bytes, written.external_path), (0, None));
    assert_eq!(seen.last(), Some(&432));
    assert_eq!(names_in(folder.path()), ["model.onnx", "weights"]);
    let decoded = onnx_protobuf::ModelProto::parse_from_bytes(&fs::read(&path).unwrap()).unwrap();
    let [_, stored_tensor, held] = decoded.graph.initializer.as_slice() else { panic!("three initializers") };
    let entries: Vec<_> =
        stored_tensor.external_data.iter().map(|entry| format!("{}={}", entry.key, entry.value)).collect();
    assert_eq!(entries, ["location=weights/all.bin", "offset=16", "length=32"]);
    assert!(stored_tensor.raw_data.is_empty());
    assert_eq!(held.raw_data, bytes_of(400));

    // A model can refer only to files in its own folder; in any other mode the bytes are copied.
    let elsewhere = folder.path().join("weights").join("model.onnx");
    let far = folder.path().join("far.bin");
    fs::write(&far, bytes_of(64)).unwrap();
    let error = write_quietly(&model(&far), &elsewhere, ExternalData::Reference).unwrap_err();
    assert!(matches!(error, WriteError::Elsewhere { path, .. } if path == far));
    assert_eq!(names_in(&folder.path().join("weights")), ["all.bin"]);
    let written = write_quietly(&model(&far), &elsewhere, ExternalData::Auto).unwrap();
    assert_eq!((written.referenced_bytes, written.referenced), (0, Vec::new()));
}

#[test]
fn external_data_is_at_its_offsets() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    let model = Model::new(
        messages(),
        vec![floats("first", 1025), floats("empty", 0), floats("second", 1), floats("third", LARGE)],
    );
    let written = write_quietly(&model, &path, ExternalData::Always).unwrap();
    assert_eq!(names_in(folder.path()), ["model.onnx", "model.onnx.data"]);
    let bytes = fs::read(&path).unwrap();
    let data = fs::read(written.external_path.as_ref().unwrap()).unwrap();
    assert_eq!((written.bytes, written.external_bytes), (bytes.len() as u64, data.len() as u64));

    let decoded = onnx_protobuf::ModelProto::parse_from_bytes(&bytes).unwrap();
    let mut found = Vec::new();
    for tensor in &decoded.graph.initializer {
        let value = |key| {
            tensor.external_data.iter().find(|entry| entry.key == key).map(|entry| entry.value.as_str())
        };
        let Some(location) = value("location") else {
            assert_eq!(tensor.data_location.value(), 0);
            continue;
        };
        assert_eq!(location, "model.onnx.data");
        assert_eq!(tensor.data_location.value(), 1);
        assert!(tensor.raw_data.is_empty());
        let offset: usize = value("offset").unwrap().parse().unwrap();
        let len: usize = value("length").unwrap().parse().unwrap();
        assert!(data[offset..offset + len] == bytes_of(len as u64), "data of {}", tensor.name);
        found.push((tensor.name.as_str(), offset, len));
    }
    assert_eq!(found, [("first", 0, 4100), ("second", 8192, 4), ("third", 12288, 4 * LARGE as usize)]);
    assert_eq!(data.len(), 12288 + 4 * LARGE as usize);
    assert!(data[4100..8192].iter().all(|&byte| byte == 0));

    // The other decoder treats the schema as proto3, and does not distinguish an absent field from an empty one.
    let decoded = ModelProto::decode(bytes.as_slice()).unwrap().graph.unwrap();
    assert_eq!(decoded.initializer[1].raw_data, None);
    assert_eq!(decoded.initializer[2].raw_data, Some(Vec::new()));
}

#[test]
fn same_model_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let [one, two] = ["one", "two"].map(|name| folder.path().join(name).join("model.onnx"));
    for path in [&one, &two] {
        fs::create_dir(path.parent().unwrap()).unwrap();
        write_quietly(&model(), path, ExternalData::Always).unwrap();
    }
    assert_eq!(fs::read(&one).unwrap(), fs::read(&two).unwrap());
    assert!(
        fs::read(one.with_extension("onnx.data")).unwrap()
            == fs::read(two.with_extension("onnx.data")).unwrap()
    );

    write_quietly(&model(), &one, ExternalData::Never).unwrap();
    let mut stream = Vec::new();
    write_stream(&model(), &mut stream, &mut |_| {}).unwrap();
    assert!(fs::read(&one).unwrap() == stream);
    assert!(encode(&model()).unwrap() == stream);
}

#[test]
fn always_without_large_initializers_is_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    let written = write_quietly(&Model::new(messages(), Vec::new()), &path, ExternalData::Always).unwrap();
    assert_eq!(written.external_path, None);
    assert_eq!(names_in(folder.path()), ["model.onnx"]);
    assert_eq!(ModelProto::decode(fs::read(&path).unwrap().as_slice()).unwrap(), messages());
}

#[test]
fn larger_and_smaller_files_are_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    let small = Model::new(messages(), vec![floats("w", 300)]);
    for model in [&model(), &small, &model()] {
        write_quietly(model, &path, ExternalData::Never).unwrap();
        assert!(fs::read(&path).unwrap() == encode(model).unwrap());
        assert_eq!(names_in(folder.path()), ["model.onnx"]);
    }
}

/// The error that `payload` causes; an older output must survive it.
fn failure(payload: impl Fn() -> Initializer<'static>, external: ExternalData) -> WriteError {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    fs::write(&path, "older model").unwrap();
    fs::write(folder.path().join("model.onnx.data"), "older data").unwrap();
    let model = Model::new(messages(), vec![floats("good", 70_000), payload()]);
    let error = write_quietly(&model, &path, external).unwrap_err();
    assert_eq!(names_in(folder.path()), ["model.onnx", "model.onnx.data"]);
    assert_eq!(fs::read_to_string(&path).unwrap(), "older model");
    assert_eq!(fs::read_to_string(folder.path().join("model.onnx.data")).unwrap(), "older data");
    error
}

#[test]
fn failing_payload_leaves_older_output() {
    for external in [ExternalData::Never, ExternalData::Always] {
        match failure(|| initializer("bad", 2, Broken { len: 8, good: 0 }), external) {
            WriteError::Payload { name, source } => {
                assert_eq!((name.as_str(), source.to_string().as_str()), ("bad", "no byte 0"));
            }
            error => panic!("{error}"),
        }
    }
}

#[test]
fn earliest_failure_is_the_one_reported() {
    let len = 4 * LARGE;
    for good in [1_500_000, 2_500_000] {
        let bad = || initializer("bad", LARGE as i64, Broken { len, good });
        let message = |error| match error {
            WriteError::Payload { source, .. } => source.to_string(),
            error => panic!("{error}"),
        };
        for external in [ExternalData::Never, ExternalData::Always] {
            assert_eq!(message(failure(bad, external)), format!("no byte {good}"));
        }
    }
}

/// A reader that closes the stream after some bytes.
struct Closing {
    room: usize,
}

impl Write for Closing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(self.room);
        self.room -= count;
        if count == 0 { Err(io::ErrorKind::BrokenPipe.into()) } else { Ok(count) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn closed_stream_is_not_blamed_on_the_payload() {
    for room in [0, 1, 700_000] {
        match write_stream(&model(), &mut Closing { room }, &mut |_| {}).unwrap_err() {
            WriteError::Stream { source } => assert_eq!(source.kind(), io::ErrorKind::BrokenPipe),
            error => panic!("{error}"),
        }
    }
}

#[test]
fn length_must_follow_from_type_and_dimensions() {
    let cases: [(DataType, &[i64], u64, bool); 16] = [
        (DataType::Float, &[], 4, true),
        (DataType::Float, &[2, 3], 24, true),
        (DataType::Float, &[2, 3], 23, false),
        (DataType::Float, &[2, 0], 0, true),
        (DataType::Float, &[-1, -4], 16, false),
        (DataType::Float, &[i64::MAX, i64::MAX, i64::MAX], 0, false),
        (DataType::Bool, &[3], 3, true),
        (DataType::Bfloat16, &[3], 6, true),
        (DataType::Complex128, &[3], 48, true),
        (DataType::Int4, &[3], 2, true),
        (DataType::Int4, &[3, 3], 5, true),
        (DataType::Uint2, &[5], 2, true),
        (DataType::Float6e2m3, &[4], 3, true),
        (DataType::Float6e3m2, &[5], 4, true),
        (DataType::String, &[1], 1, false),
        (DataType::Undefined, &[1], 1, false),
    ];
    for (data_type, dims, len, valid) in cases {
        let payload = Box::new(bytes_of(len));
        let tensor = Initializer { name: "w".into(), data_type, dims: dims.to_vec(), payload };
        match encode(&Model::new(ModelProto::default(), vec![tensor])) {
            Ok(_) => assert!(valid, "{data_type:?} {dims:?} {len}"),
            Err(WriteError::Shape { .. }) => assert!(!valid, "{data_type:?} {dims:?} {len}"),
            Err(error) => panic!("{error}"),
        }
    }
}

/// A model with one payload of `len` bytes, which is never produced.
fn huge(len: u64, asked: &AtomicBool) -> Model<'_> {
    let payload = Box::new(Huge { len, asked });
    let dims = vec![len as i64];
    Model::new(
        messages(),
        vec![Initializer { name: "huge".into(), data_type: DataType::Int8, dims, payload }],
    )
}

#[test]
fn too_large_is_refused_before_writing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    let asked = AtomicBool::new(false);
    let model = huge(3 << 30, &asked);
    for error in [
        write_quietly(&model, &path, ExternalData::Never).unwrap_err(),
        write_stream(&model, &mut Vec::new(), &mut |_| {}).unwrap_err(),
        encode(&model).unwrap_err(),
    ] {
        match error {
            WriteError::TooLarge { bytes, limit } => assert!(bytes > 3 << 30 && limit == 0x7fff_ffff),
            error => panic!("{error}"),
        }
    }
    assert!(!asked.load(Ordering::Relaxed));
    assert!(names_in(folder.path()).is_empty());
}

#[test]
fn limit_is_exact() {
    let asked = AtomicBool::new(false);
    let refused_len = |len| match encode(&huge(len, &asked)) {
        Err(WriteError::TooLarge { bytes, .. }) => Some(bytes),
        Err(WriteError::Payload { .. }) => None,
        outcome => panic!("{outcome:?}"),
    };
    // Within these lengths every length prefix takes five bytes, so that the rest of the model has one length.
    let rest = refused_len(0x7fff_ffff).unwrap() - 0x7fff_ffff;
    assert_eq!(refused_len(0x8000_0000 - rest), Some(0x8000_0000));
    assert!(!asked.load(Ordering::Relaxed));
    assert_eq!(refused_len(0x7fff_ffff - rest), None);
    assert!(asked.load(Ordering::Relaxed));
}

#[test]
fn auto_moves_data_out_beyond_the_threshold() {
    let threshold = 2_040_109_465; // 1.9 GiB, rounded down.
    for (len, data_is_external) in [(threshold, false), (threshold + 1, true)] {
        let folder = tempfile::tempdir().unwrap();
        // This directory is in the place of the data file.
        fs::create_dir(folder.path().join("model.onnx.data")).unwrap();
        let error = write_quietly(
            &huge(len, &AtomicBool::new(false)),
            &folder.path().join("model.onnx"),
            ExternalData::Auto,
        );
        match error.unwrap_err() {
            WriteError::Payload { .. } => assert!(!data_is_external),
            WriteError::Directory { .. } => assert!(data_is_external),
            error => panic!("{error}"),
        }
    }
}

#[test]
fn progress_ends_at_payload_len() {
    let folder = tempfile::tempdir().unwrap();
    for external in [ExternalData::Never, ExternalData::Always] {
        let mut seen = Vec::new();
        write(&model(), &folder.path().join("model.onnx"), external, &mut |bytes| seen.push(bytes)).unwrap();
        assert!(seen.is_sorted_by(|a, b| a < b), "{seen:?}");
        assert_eq!(seen.last(), Some(&model().payload_len()));
    }
}

#[test]
fn unfit_destinations_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let refusal = |path: &Path| match Destination::new(path, &[]) {
        Ok(_) => panic!("{} was accepted", path.display()),
        Err(error) => error,
    };
    assert!(matches!(refusal(folder.path()), WriteError::Directory { .. }));
    assert!(matches!(refusal(&folder.path().join("new/")), WriteError::Directory { .. }));
    assert!(matches!(
        refusal(&folder.path().join("missing/model.onnx")),
        WriteError::MissingDirectory { .. }
    ));
    assert!(matches!(refusal(Path::new("")), WriteError::FileName { .. }));
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    assert!(matches!(refusal(&file.join("model.onnx")), WriteError::Write { .. }));
    let mut permissions = fs::metadata(&file).unwrap().permissions();
    permissions.set_readonly(true);
    fs::set_permissions(&file, permissions).unwrap();
    assert!(matches!(refusal(&file), WriteError::ReadOnly { .. }));
}

#[test]
fn inputs_are_not_replaced() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("sub")).unwrap();
    let text = folder.path().join("model.mlir");
    let weights = folder.path().join("model.onnx.data");
    fs::write(&text, "module {}").unwrap();
    fs::write(&weights, "weights").unwrap();
    let inputs: [&Path; 2] = [&text, &weights];

    let disguised = folder.path().join("sub/../model.mlir");
    assert!(matches!(Destination::new(&disguised, &inputs), Err(WriteError::Input { .. })));

    let destination = Destination::new(&folder.path().join("model.onnx"), &inputs).unwrap();
    let error = destination.write(&model(), ExternalData::Always, &mut |_| {}).unwrap_err();
    assert!(matches!(error, WriteError::Input { path } if path.ends_with("model.onnx.data")));
    assert_eq!(names_in(folder.path()), ["model.mlir", "model.onnx.data", "sub"]);
    destination.write(&model(), ExternalData::Never, &mut |_| {}).unwrap();
    assert_eq!(fs::read_to_string(&weights).unwrap(), "weights");
}
