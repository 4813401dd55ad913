//! What is shipped to run the daemon with is run: nginx with the very files that compose mounts, and every
//! other file held against what it promises and against the programs that read it.

mod backups;
mod compose;
mod front;
mod health;
mod image;
mod linters;
mod nginx;
mod orchestrators;
mod replica;
mod scripts;

/// A file of the repository.
fn shipped(path: &str) -> String {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}
