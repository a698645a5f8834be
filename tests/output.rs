//! What remains on disk when the program writes, fails or is stopped: no input is lost, nothing is half-written, an
//! older output stays, and no temporary file remains.

#![cfg(unix)]
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

const MODEL: &str = "func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {\n  %0 = stablehlo.abs %x : tensor<4xf32>\n  return %0 : tensor<4xf32>\n}\n";

/// A folder with a text and an older output, and its initial contents.
struct Folder {
    folder: TempDir,
    before: BTreeMap<PathBuf, Vec<u8>>,
}

impl Folder {
    fn new(links: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("model.mlir"), MODEL).unwrap();
        fs::write(folder.path().join("older.onnx"), "an older output").unwrap();
        for (link, target) in links {
            symlink(target, folder.path().join(link)).unwrap();
        }
        let before = contents(folder.path());
        Self { folder, before }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn convert(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hlo2onnx"));
        command.arg("convert").args(arguments).current_dir(self.path()).output().unwrap()
    }

    /// Checks that no file was changed, added or removed.
    fn assert_unchanged(&self) {
        let names = |files: &BTreeMap<PathBuf, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
        let after = contents(self.path());
        assert_eq!(names(&after), names(&self.before));
        assert!(after == self.before, "a file was changed");
    }

    fn assert_refused(&self, arguments: &[&str], code: &str, words: &str) {
        let output = self.convert(arguments);
        let text = String::from_utf8(output.stderr).unwrap();
        let joined = text.replace("\n  | ", " ");
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.contains(&format!("error[{code}]")) && joined.contains(words), "{text}");
        self.assert_unchanged();
    }
}

fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths.map(|path| (path.clone(), fs::read(&path).unwrap_or_default())).collect()
}

#[test]
fn inputs_are_not_replaced() {
    let folder = Folder::new(&[("link.onnx", "model.mlir"), ("model.onnx.data", "older.onnx")]);
    folder.assert_refused(&["model.mlir", "-o", "model.mlir"], "E0401", "would replace one of its inputs");
    folder.assert_refused(&["model.mlir", "-o", "./model.mlir"], "E0401", "would replace");
    folder.assert_refused(&["model.mlir", "-o", "link.onnx"], "E0401", "would replace");
    folder.assert_refused(&["link.onnx", "-o", "model.mlir"], "E0401", "would replace");
    folder.assert_refused(
        &["model.mlir", "--weights", "older.onnx", "-o", "older.onnx"],
        "E0401",
        "would replace",
    );
}

#[test]
fn a_hard_link_to_the_input_leaves_the_input() {
    let folder = Folder::new(&[]);
    fs::hard_link(folder.path().join("model.mlir"), folder.path().join("same.onnx")).unwrap();
    assert!(folder.convert(&["model.mlir", "-o", "same.onnx"]).status.success());
    assert_eq!(fs::read_to_string(folder.path().join("model.mlir")).unwrap(), MODEL);
}

#[test]
fn paths_that_cannot_be_written_change_no_file() {
    let folder = Folder::new(&[("loop.onnx", "loop.onnx"), ("lost.onnx", "missing/model.onnx")]);
    folder.assert_refused(&["model.mlir", "-o", "."], "E0401", "is a directory");
    folder.assert_refused(&["model.mlir", "-o", "new/"], "E0401", "is a directory");
    folder.assert_refused(&["model.mlir", "-o", "missing/model.onnx"], "E0401", "does not exist");
    folder.assert_refused(&["model.mlir", "-o", "lost.onnx"], "E0401", "does not exist");
    folder.assert_refused(&["model.mlir", "-o", "loop.onnx"], "E0401", "symbolic links");
    folder.assert_refused(&["model.mlir", "-o", "older.onnx/model.onnx"], "E0401", "Not a directory");
}

#[test]
fn protected_files_and_folders_are_not_written() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new(&[]);
    let older = folder.path().join("older.onnx");
    fs::set_permissions(&older, fs::Permissions::from_mode(0o444)).unwrap();
    folder.assert_refused(&["model.mlir", "-o", "older.onnx"], "E0401", "is write-protected");
    if cfg!(target_os = "linux") {
        // Not even the administrator can create a file there.
        folder.assert_refused(&["model.mlir", "-o", "/proc/model.onnx"], "E0401", "cannot write");
    }
}

#[test]
fn links_are_written_through() {
    let folder = Folder::new(&[("link.onnx", "older.onnx"), ("dangling.onnx", "new.onnx")]);
    for (link, target) in [("link.onnx", "older.onnx"), ("dangling.onnx", "new.onnx")] {
        assert!(folder.convert(&["model.mlir", "-o", link]).status.success());
        let model = fs::read(folder.path().join(target)).unwrap();
        assert!(model != b"an older output" && !model.is_empty());
        assert!(fs::symlink_metadata(folder.path().join(link)).unwrap().is_symlink());
    }
}

#[test]
fn errors_in_the_text_leave_an_older_output() {
    let folder = Folder::new(&[]);
    fs::write(folder.path().join("model.mlir"), MODEL.replace("abs", "abz")).unwrap();
    let folder = Folder { before: contents(folder.path()), ..folder };
    folder.assert_refused(&["model.mlir", "-o", "older.onnx"], "E0208", "stablehlo.abz");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_device_is_named() {
    let folder = Folder::new(&[]);
    folder.assert_refused(&["model.mlir", "-o", "/dev/full"], "E0401", "No space left on device");
}

/// A safetensors file with one tensor `w` whose elements are not all equal, and the text that takes it.
fn with_weights(folder: &Folder, count: u64) {
    let text = format!(
        "func.func @main(%w: tensor<{count}xf32> loc(\"w\"), %i: tensor<i32> loc(\"i\")) -> tensor<4xf32> {{\n  \
         %0 = stablehlo.dynamic_slice %w, %i, sizes = [4] : (tensor<{count}xf32>, tensor<i32>) -> tensor<4xf32>\n  \
         return %0 : tensor<4xf32>\n}}\n"
    );
    fs::write(folder.path().join("model.mlir"), text).unwrap();
    let header =
        format!("{{\"w\":{{\"dtype\":\"F32\",\"shape\":[{count}],\"data_offsets\":[0,{}]}}}}", 4 * count);
    let mut file = File::create(folder.path().join("w.safetensors")).unwrap();
    file.write_all(&(header.len() as u64).to_le_bytes()).unwrap();
    file.write_all(header.as_bytes()).unwrap();
    file.write_all(&1.5f32.to_le_bytes()).unwrap();
    file.set_len(8 + header.len() as u64 + 4 * count).unwrap();
}

/// The names in a folder except those of inputs.
fn names(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

/// A limit on the size of files simulates a disk that fills up while the model is written.
#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_fills_up_leaves_an_older_output() {
    let folder = Folder::new(&[]);
    with_weights(&folder, 100_000);
    let before = names(folder.path());
    for external in ["never", "always"] {
        let script = "trap '' XFSZ; ulimit -f 64; exec \"$0\" convert model.mlir --weights w.safetensors -o older.onnx \"$@\"";
        let program = env!("CARGO_BIN_EXE_hlo2onnx");
        let output = Command::new("sh")
            .args(["-c", script, program, "--external-data", external])
            .current_dir(folder.path())
            .output()
            .unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.contains("error[E0401]") && text.contains("File too large"), "{text}");
        assert_eq!(fs::read(folder.path().join("older.onnx")).unwrap(), b"an older output");
        assert_eq!(names(folder.path()), before);
    }
}

/// A process that is stopped while it writes cannot clean up.
#[cfg(target_os = "linux")]
#[test]
fn an_interrupt_leaves_no_temporary_file() {
    use rustix::process::{Pid, Signal, kill_process};
    use std::os::unix::process::ExitStatusExt;
    use std::time::{Duration, Instant};

    let folder = Folder::new(&[]);
    with_weights(&folder, 200_000_000);
    let before = names(folder.path());
    // Children of a background shell ignore SIGINT; SIGTERM ends a process in the same way.
    let mut signals = vec![Signal::KILL, Signal::TERM];
    let mut attempts = 0;
    while let Some(&signal) = signals.last() {
        attempts += 1;
        assert!(attempts < 20, "the process was never stopped while writing");
        fs::write(folder.path().join("older.onnx"), "an older output").unwrap();
        // The test needs a processor while the threads of the conversion occupy all of them.
        let mut process = Command::new("nice")
            .args(["-n", "19", env!("CARGO_BIN_EXE_hlo2onnx")])
            .args(["convert", "model.mlir", "--weights", "w.safetensors", "-o", "older.onnx"])
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let descriptors = PathBuf::from(format!("/proc/{}/fd", process.id()));
        let canonical = folder.path().canonicalize().unwrap();
        // An open file of the folder that is not an input and is not empty.
        let writes = || {
            let open = fs::read_dir(&descriptors).into_iter().flatten().flatten();
            let mut written = open.filter_map(|entry| {
                let target = fs::read_link(entry.path()).ok()?;
                let name = target.strip_prefix(&canonical).ok()?;
                let input = name == Path::new("w.safetensors") || name == Path::new("model.mlir");
                (!input).then(|| fs::metadata(entry.path()).map_or(0, |metadata| metadata.len()))
            });
            written.any(|len| len > 0)
        };
        let started = Instant::now();
        while !writes() && process.try_wait().unwrap().is_none() {
            assert!(started.elapsed() < Duration::from_secs(60), "the process does not write");
            std::thread::sleep(Duration::from_micros(200));
        }
        // It fails if the process has ended.
        let _ = kill_process(Pid::from_child(&process), signal);
        let ended = process.wait().unwrap();
        if ended.success() {
            // The process ended before the signal reached it, which happens on a busy machine.
            continue;
        }
        assert_eq!(ended.signal(), Some(signal.as_raw()));
        signals.pop();
        assert_eq!(fs::read(folder.path().join("older.onnx")).unwrap(), b"an older output");
        assert_eq!(names(folder.path()), before);
    }
}
