//! Reading recordings: JSON lines, compressed, in the order in which things happened.

use flate2::read::GzDecoder;
use serde_json::Value;
use std::io::Read as _;
use std::path::PathBuf;

/// One line of a recording.
#[derive(Debug)]
pub struct Step {
    pub line: usize,
    /// `open`, `send`, `send_raw`, `recv`, `close`, `http` or `note`.
    pub direction: String,
    pub connection: String,
    pub message: Value,
    pub text: String,
    pub url: String,
    /// With which code a connection was closed.
    pub code: u64,
    /// The line as recorded.
    pub whole: Value,
}

/// All of a recording.
pub fn load(name: &str) -> Vec<Step> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/data/transcripts")
        .join(format!("{name}.jsonl.gz"));
    let file = std::fs::File::open(&path).expect("the recordings are checked in");
    let mut text = String::new();
    GzDecoder::new(file).read_to_string(&mut text).unwrap();
    let field = |step: &Value, name: &str| step[name].as_str().unwrap_or_default().to_owned();
    text.lines()
        .enumerate()
        .map(|(line, text)| {
            let step: Value = serde_json::from_str(text).unwrap();
            Step {
                line: line + 1,
                direction: field(&step, "dir"),
                connection: field(&step, "conn"),
                text: field(&step, "text"),
                url: field(&step, "url"),
                code: step["code"].as_u64().unwrap_or_default(),
                message: step["msg"].clone(),
                whole: step,
            }
        })
        .collect()
}
