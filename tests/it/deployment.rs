//! What is shipped to run the daemon with is run: nginx with the very files that compose mounts, and every
//! other file held against what it promises and against the programs that read it.

mod backups;
mod compose;
pub mod front;
mod given;
mod health;
mod image;
mod linters;
mod nginx;
mod orchestrators;
mod replica;
mod role;
mod scripts;
mod smoke;

/// Runs git in a folder to its success; what it said.
pub fn git(folder: &std::path::Path, words: &[&str]) -> String {
    let mut command = std::process::Command::new("git");
    command.args(["-c", "user.name=tests", "-c", "user.email=tests@localhost"]);
    command.arg("-C").arg(folder).args(words);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "git {words:?}: {said}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A file of the repository.
fn shipped(path: &str) -> String {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}
