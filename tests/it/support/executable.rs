//! Programs that a test puts down and then runs.
//!
//! Another process writes them: what this one has open for writing while another test begins a child is open
//! in that child too for a moment, and the system runs no program that somebody may still write to.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// Writes a program.
pub fn write(path: &Path, text: &str) {
    let mut writer = Command::new("sh")
        .args(["-c", "cat >\"$1\" && chmod 755 \"$1\"", "sh"])
        .arg(path)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = writer.stdin.take().unwrap();
    stdin.write_all(text.as_bytes()).unwrap();
    drop(stdin);
    assert!(writer.wait().unwrap().success(), "{}", path.display());
}

/// Copies a program, or a folder with programs in it.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to.parent().unwrap()).unwrap();
    let copied = Command::new("cp")
        .args(["--recursive", "--no-target-directory"])
        .args([from, to])
        .status();
    assert!(copied.unwrap().success(), "{}", to.display());
}
