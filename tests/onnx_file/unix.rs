//! Unix only: modes, links, devices.

use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn new_files_honor_the_umask() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    let plain = folder.path().join("plain");
    fs::write(&plain, "").unwrap();
    write_quietly(&model(), &path, ExternalData::Always).unwrap();
    assert_eq!(mode(&path), mode(&plain));
    assert_eq!(mode(&folder.path().join("model.onnx.data")), mode(&plain));
}

#[test]
fn replaced_files_keep_their_permissions() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    fs::write(&path, "older").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    write_quietly(&model(), &path, ExternalData::Never).unwrap();
    assert_eq!(mode(&path), 0o640);
    assert!(fs::read(&path).unwrap() == encode(&model()).unwrap());
}

#[test]
fn links_are_written_through() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store");
    fs::create_dir(&store).unwrap();
    let link = folder.path().join("link.onnx");
    symlink("store/real.onnx", &link).unwrap();
    // The link dangles at first, then has a target.
    for _ in 0..2 {
        let written = write_quietly(&model(), &link, ExternalData::Always).unwrap();
        assert_eq!(written.external_path, Some(store.canonicalize().unwrap().join("real.onnx.data")));
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(names_in(&store), ["real.onnx", "real.onnx.data"]);
    }
    symlink("loop", folder.path().join("loop")).unwrap();
    let error = write_quietly(&model(), &folder.path().join("loop"), ExternalData::Never).unwrap_err();
    assert!(matches!(error, WriteError::Write { .. }), "{error}");
}

#[test]
fn devices_are_written_in_place() {
    let null = Path::new("/dev/null");
    let written = write_quietly(&model(), null, ExternalData::Auto).unwrap();
    assert_eq!(written.bytes, encode(&model()).unwrap().len() as u64);
    assert!(!fs::metadata(null).unwrap().is_file());
    let error = write_quietly(&model(), null, ExternalData::Always).unwrap_err();
    assert!(matches!(error, WriteError::NoDataFile { .. }), "{error}");
}

#[cfg(target_os = "linux")]
#[test]
fn full_disk_is_not_blamed_on_the_payload() {
    let error = write_quietly(&model(), Path::new("/dev/full"), ExternalData::Never).unwrap_err();
    match error {
        WriteError::Write { path, source } => {
            assert_eq!((path.as_path(), source.kind()), (Path::new("/dev/full"), io::ErrorKind::StorageFull));
        }
        error => panic!("{error}"),
    }
}
