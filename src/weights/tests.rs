//! Valid files, and malformed ones.

use super::{Error, Tensor, WeightsFile};
use crate::ir::Element;
use crate::source::Mapping;
use rmpv::Value;
use std::error::Error as StdError;
use std::io::{Cursor, Write};
use zip::CompressionMethod;
use zip::write::{SimpleFileOptions, ZipWriter};

type Outcome = Result<(), Box<dyn StdError>>;

fn read(bytes: &[u8]) -> Result<Vec<Tensor>, Error> {
    WeightsFile::read("test", Mapping::from_bytes(bytes.to_vec())).map(|file| file.tensors)
}

/// Why a file is refused.
fn refusal(bytes: &[u8]) -> String {
    read(bytes).map_or_else(|error| error.to_string(), |tensors| format!("accepted: {tensors:?}"))
}

fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn safetensors(header: &str, data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data].concat()
}

fn npy(descr: &str, fortran: bool, shape: &str, data: &[u8]) -> Vec<u8> {
    let fortran = if fortran { "True" } else { "False" };
    let header = format!("{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}, }}\n");
    [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..], header.as_bytes(), data].concat()
}

fn npz(members: &[(&str, Vec<u8>)], method: CompressionMethod) -> Result<Vec<u8>, Box<dyn StdError>> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in members {
        archive.start_file(*name, SimpleFileOptions::default().compression_method(method))?;
        archive.write_all(content)?;
    }
    Ok(archive.finish()?.into_inner())
}

/// The only array of an archive of one npy file.
fn array(content: Vec<u8>) -> Result<Tensor, Box<dyn StdError>> {
    let mut tensors = read(&npz(&[("x.npy", content)], CompressionMethod::Stored)?)?;
    tensors.pop().ok_or_else(|| "there is no array".into())
}

fn packed(sizes: &[u64], dtype: &str, data: &[u8]) -> Result<Value, Box<dyn StdError>> {
    let sizes = Value::Array(sizes.iter().map(|&size| size.into()).collect());
    let mut payload = Vec::new();
    rmpv::encode::write_value(&mut payload, &Value::Array(vec![sizes, dtype.into(), data.into()]))?;
    Ok(Value::Ext(1, payload))
}

fn map<'a>(entries: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    Value::Map(entries.into_iter().map(|(key, value)| (key.into(), value)).collect())
}

fn msgpack(value: &Value) -> Result<Vec<u8>, Box<dyn StdError>> {
    let mut bytes = Vec::new();
    rmpv::encode::write_value(&mut bytes, value)?;
    Ok(bytes)
}

const HEADER: &str = r#"{"__metadata__":{"a":"b"},"b/w":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]},"a":{"dtype":"BF16","shape":[],"data_offsets":[8,10]}}"#;

#[test]
fn safetensors_are_ranges_of_the_file() -> Outcome {
    let tensors = read(&safetensors(HEADER, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]))?;
    let [a, w] = &tensors[..] else { return Err(format!("{tensors:?}").into()) };
    assert_eq!((&*a.name, &a.elements[..], &a.sizes[..]), ("a", &[Element::BF16][..], &[][..]));
    assert_eq!((&*w.name, &w.elements[..], &w.sizes[..]), ("b/w", &[Element::F32][..], &[2, 1][..]));
    assert_eq!((&*a.data.bytes(), &*w.data.bytes()), (&[9, 10][..], &[1, 2, 3, 4, 5, 6, 7, 8][..]));
    Ok(())
}

#[test]
fn inconsistent_safetensors_are_refused() {
    let one = |entry: &str| safetensors(&format!("{{\"x\":{entry}}}"), &[0; 8]);
    let two = |x: &str, y: &str| {
        let entry = |offsets| format!(r#"{{"dtype":"F32","shape":[1],"data_offsets":{offsets}}}"#);
        safetensors(&format!(r#"{{"x":{},"y":{}}}"#, entry(x), entry(y)), &[0; 8])
    };
    let cases = [
        (one(r#"{"dtype":"F32","shape":[3],"data_offsets":[0,8]}"#), "`x` has 8 bytes"),
        (one(r#"{"dtype":"F32","shape":[2],"data_offsets":[8,16]}"#), "are not in the file"),
        (one(r#"{"dtype":"F32","shape":[2],"data_offsets":[8,0]}"#), "are not in the file"),
        (
            one(r#"{"dtype":"F32","shape":[2],"data_offsets":[0,18446744073709551615]}"#),
            "are not in the file",
        ),
        (one(r#"{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}"#), "`x` has 0 bytes"),
        (one(r#"{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}"#), "its entry `x` is invalid"),
        (one(r#"{"dtype":"F32","shape":[1],"data_offsets":[0,4]}"#), "bytes after the end"),
        (one(r#"7"#), "its entry `x` is invalid"),
        (two("[0,4]", "[2,6]"), "`y` overlaps"),
        (two("[0,4]", "[0,4]"), "`y` overlaps"),
        (safetensors(r#"{"x":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#, &[0; 8]), "has a gap"),
        (safetensors("{", &[]), "not a JSON object"),
        (b"\xff\xff\xff\x7f\0\0\0\0{}".to_vec(), "longer than the file"),
    ];
    for (bytes, why) in cases {
        assert!(refusal(&bytes).contains(why), "{} lacks {why}", refusal(&bytes));
    }
}

#[test]
fn an_npz_gives_stored_and_deflated_members() -> Outcome {
    let values = floats(&[1.0, 2.0, 3.0, 4.0]);
    for method in [CompressionMethod::Stored, CompressionMethod::Deflated] {
        let members = [
            ("a/b.npy", npy("'<f4'", false, "(2, 2)", &values)),
            ("s.npy", npy("'<i8'", false, "()", &7i64.to_le_bytes())),
        ];
        let tensors = read(&npz(&members, method)?)?;
        let [b, s] = &tensors[..] else { return Err(format!("{tensors:?}").into()) };
        assert_eq!((&*b.name, &b.elements[..], &b.sizes[..]), ("a/b", &[Element::F32][..], &[2, 2][..]));
        assert_eq!((&*s.name, &s.elements[..], s.sizes.len()), ("s", &[Element::I64][..], 0));
        assert_eq!((&*b.data.bytes(), &*s.data.bytes()), (&values[..], &7i64.to_le_bytes()[..]));
    }
    Ok(())
}

#[test]
fn fortran_order_and_big_endian_are_put_into_ours() -> Outcome {
    let columns = npy("'<f4'", true, "(2, 3)", &floats(&[1.0, 4.0, 2.0, 5.0, 3.0, 6.0]));
    assert_eq!(*array(columns)?.data.bytes(), floats(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]));
    assert_eq!(*array(npy("'>i2'", false, "(2,)", &[1, 2, 3, 4]))?.data.bytes(), [2, 1, 4, 3]);
    assert_eq!(*array(npy("'>u2'", true, "(1, 2)", &[1, 2, 3, 4]))?.data.bytes(), [2, 1, 4, 3]);
    let complex = npy("'>c8'", false, "(1,)", &[1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(*array(complex)?.data.bytes(), [4, 3, 2, 1, 8, 7, 6, 5]);
    Ok(())
}

#[test]
fn types_that_numpy_lacks_come_under_other_names() -> Outcome {
    let elements = |descr| -> Result<Vec<Element>, Box<dyn StdError>> {
        Ok(array(npy(descr, false, "(1,)", &[0, 0]))?.elements)
    };
    assert_eq!(elements("'<u2'")?, [Element::U16, Element::BF16]);
    assert_eq!(elements("'|V2'")?, [Element::BF16]);
    assert_eq!(elements("'<f2'")?, [Element::F16]);
    assert!(array(npy("'|V1'", false, "(2,)", &[0, 0]))?.elements.contains(&Element::F8E5M2));
    // An array that is not a tensor is listed, and cannot be bound.
    for descr in ["'|O'", "'<U1'", "'<M8[ns]'", "[('a', '<f4')]", "'<f99999999999999999999'", "'|V7'"] {
        assert!(array(npy(descr, false, "(1,)", &[0, 0]))?.elements.is_empty(), "{descr}");
    }
    Ok(())
}

#[test]
fn inconsistent_npz_is_refused() -> Outcome {
    let member = |content: Vec<u8>| npz(&[("x.npy", content)], CompressionMethod::Stored);
    let wrong_size = npy("'<f4'", false, "(3,)", &[0; 8]);
    assert!(refusal(&member(wrong_size)?).contains("`x` has 8 bytes"));
    let wrong_size = npy("'<f4'", true, "(1, 3)", &[0; 8]);
    assert!(refusal(&member(wrong_size)?).contains("its length is wrong"));
    let overflow = npy("'<f4'", true, "(4611686018427387904, 8)", &[]);
    assert!(refusal(&member(overflow)?).contains("its length is wrong"));
    let negative = npy("'<f4'", false, "(-1,)", &[0; 4]);
    assert!(refusal(&member(negative)?).contains("cannot be read"));
    assert!(refusal(&member(b"\x93NUMPY\x01\x00\xff\xff{".to_vec())?).contains("no npy header"));
    assert!(refusal(&member(b"\x93NUMPY\x09\x00\x01\x00{".to_vec())?).contains("no npy header"));
    let text = npz(&[("x.txt", b"x".to_vec())], CompressionMethod::Stored)?;
    assert!(refusal(&text).contains("`x.txt` is not an npy file"));
    assert!(refusal(b"PK\x03\x04").contains("its zip archive"));
    Ok(())
}

#[test]
fn msgpack_is_a_tree_of_arrays() -> Outcome {
    let chunk = |values: &[f32]| packed(&[values.len() as u64], "float32", &floats(values));
    let chunked = map([
        ("__msgpack_chunked_array__", true.into()),
        ("shape", map([("0", 3.into()), ("1", 1.into())])),
        ("chunks", map([("0", chunk(&[1.0, 2.0])?), ("1", chunk(&[3.0])?)])),
    ]);
    let tree = map([
        ("params", map([("big", chunked), ("w", packed(&[2], "bfloat16", &[1, 2, 3, 4])?)])),
        ("list", Value::Array(vec![Value::Nil, packed(&[], "int32", &[7, 0, 0, 0])?])),
        ("step", 3.into()),
        ("empty", map([])),
    ]);
    let tensors = read(&msgpack(&tree)?)?;
    let [list, big, w, step] = &tensors[..] else { return Err(format!("{tensors:?}").into()) };
    assert_eq!((&*list.name, &list.elements[..], list.sizes.len()), ("list/1", &[Element::I32][..], 0));
    assert_eq!((&*big.name, &big.sizes[..]), ("params/big", &[3, 1][..]));
    assert_eq!(*big.data.bytes(), floats(&[1.0, 2.0, 3.0]));
    assert_eq!(*big.data.read(4..12), floats(&[2.0, 3.0]));
    assert_eq!((&*w.name, &w.elements[..]), ("params/w", &[Element::BF16][..]));
    assert_eq!(*w.data.bytes(), [1, 2, 3, 4]);
    assert_eq!((&*step.name, step.elements.is_empty()), ("step", true));
    Ok(())
}

#[test]
fn inconsistent_msgpack_is_refused() -> Outcome {
    let leaf = |leaf: Value| msgpack(&map([("x", leaf)]));
    assert!(refusal(&leaf(packed(&[3], "float32", &[0; 8])?)?).contains("`x` has 8 bytes"));
    assert!(refusal(&leaf(packed(&[u64::MAX, 2], "float32", &[])?)?).contains("`x` has 0 bytes"));
    assert!(refusal(&leaf(Value::Ext(1, vec![0x93, 0x90]))?).contains("not valid MessagePack"));
    assert!(refusal(&leaf(Value::Ext(1, vec![0x90]))?).contains("not an array that Flax packed"));
    assert!(refusal(&leaf(Value::Ext(9, vec![]))?).contains("an extension of type 9"));
    let chunked = map([("__msgpack_chunked_array__", true.into()), ("shape", 1.into())]);
    assert!(refusal(&leaf(chunked)?).contains("not a chunked array"));
    assert!(refusal(b"\x80\x00").contains("bytes after the end"));
    assert!(refusal(b"\xdf\xff\xff\xff\xff").contains("not valid MessagePack"));
    let deep = b"\x81\xa1a".repeat(100_000);
    assert!(refusal(&deep).contains("not valid MessagePack"));
    let twice = map([("a/b", 1.into()), ("a", map([("b", 2.into())]))]);
    assert!(refusal(&msgpack(&twice)?).contains("holds `a/b` twice"));
    Ok(())
}

#[test]
fn malformed_weight_files_are_refused() {
    let cases: [(&[u8], &str); 5] = [
        (b"", "it is empty"),
        (b"P", "safetensors, npz, or Flax's msgpack"),
        (b"hello, world", "it is a text"),
        (b"\x08\0\0\0\0\0\0\0", "it is not safetensors, npz"),
        (b"\x93NUMPY\x01\x00", "it is a NumPy array"),
    ];
    for (bytes, expected) in cases {
        assert!(refusal(bytes).contains(expected), "{bytes:?}: {}", refusal(bytes));
    }
}

/// Every prefix of a file is refused, and whatever one byte is changed to, all tensors stay within the file and have
/// the bytes that they need.
#[test]
fn damage_is_no_panic() -> Outcome {
    let values = floats(&[1.0, 2.0]);
    let members =
        [("x.npy", npy("'<f4'", false, "(2,)", &values)), ("y.npy", npy("'>f4'", true, "(1, 2)", &values))];
    let files = [
        safetensors(HEADER, &[0; 10]),
        npz(&members, CompressionMethod::Stored)?,
        npz(&members, CompressionMethod::Deflated)?,
        msgpack(&map([("a", map([("x", packed(&[2], "float32", &values)?)]))]))?,
    ];
    for file in files {
        assert!(read(&file).is_ok());
        for end in 0..file.len() {
            assert!(read(&file[..end]).is_err(), "{end} bytes of {} are accepted", file.len());
        }
        for position in 0..file.len() {
            for flip in [0x01, 0x80, 0xff] {
                let mut damaged = file.clone();
                damaged[position] ^= flip;
                for tensor in read(&damaged).unwrap_or_default() {
                    let Some(element) = tensor.elements.first() else { continue };
                    let expected: usize = tensor.sizes.iter().product::<usize>() * element.bytes();
                    assert_eq!(tensor.data.bytes().len(), expected, "{position} ^ {flip:#x}");
                }
            }
        }
    }
    Ok(())
}
