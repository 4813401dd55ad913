//! Tells the binary which commit it was built from.
//!
//! `XRPAYD_COMMIT` in the environment of the build says so where there is no git, as in an image.
//! Otherwise release builds ask git; debug builds do not, so that a commit rebuilds nothing.

use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=XRPAYD_COMMIT");
    let named = std::env::var("XRPAYD_COMMIT")
        .ok()
        .filter(|name| !name.trim().is_empty());
    let release = std::env::var("PROFILE").is_ok_and(|profile| profile == "release");
    let commit = match named {
        Some(name) => name.trim().to_owned(),
        None if release => ask_git().unwrap_or_else(|| "unknown".to_owned()),
        None => "debug".to_owned(),
    };
    println!("cargo:rustc-env=XRPAYD_COMMIT={commit}");
}

fn ask_git() -> Option<String> {
    if let Some(log) = git(&["rev-parse", "--git-path", "logs/HEAD"]) {
        println!("cargo:rerun-if-changed={log}");
    }
    git(&["rev-parse", "--short=12", "HEAD"])
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}
