//! Checks the generated parts of docs/coverage.md, docs/targets.md and ARCHITECTURE.md; `BLESS=1` rewrites them.

use std::{env, fs};

fn check(file: &str, marker: &str, expected: &str) {
    let path = format!("{}/{file}", env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(&path).expect("the file exists");
    let (open, close) = (format!("<!-- {marker} -->\n"), format!("<!-- /{marker} -->"));
    let start = text.find(&open).expect("the opening marker exists") + open.len();
    let end = start + text[start..].find(&close).expect("the closing marker exists");
    if text[start..end] == *expected {
        return;
    }
    assert!(
        env::var_os("BLESS").is_some(),
        "{file}: the part `{marker}` is stale; BLESS=1 cargo test --test readme writes it"
    );
    fs::write(&path, format!("{}{expected}{}", &text[..start], &text[end..]))
        .expect("the file can be written");
}

#[test]
fn coverage() {
    check("docs/coverage.md", "coverage", &hlo2onnx::coverage_markdown());
}

#[test]
fn targets() {
    let mut table =
        "| target | what it is | releases | opset | highest opset | highest IR |\n| --- | --- | --- | --- | --- | --- |\n"
            .to_owned();
    for row in hlo2onnx::target::ROWS {
        for (index, (numbers, release)) in row.groups().into_iter().enumerate() {
            let (name, about) =
                if index == 0 { (format!("`{}`", row.name), row.about) } else { (String::new(), "") };
            let (default, opset, ir) = (release.default_opset, release.opset, release.ir);
            table += &format!("| {name} | {about} | {numbers} | {default} | {opset} | {ir} |\n");
        }
    }
    check("docs/targets.md", "targets", &table);
}

#[test]
fn pipeline() {
    let rows: String = hlo2onnx::pass::PIPELINE
        .iter()
        .map(|pass| format!("| `{}` | {} |\n", pass.name, pass.about))
        .collect();
    check("ARCHITECTURE.md", "pipeline", &format!("| pass | what it does |\n| --- | --- |\n{rows}"));
}
