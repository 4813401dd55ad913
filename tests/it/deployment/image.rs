//! The Dockerfile: that its steps find what they copy, that it compiles the dependencies apart, and what it
//! runs as.

use super::shipped;
use crate::support::executable;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Instructions, one a line, without comments.
fn instructions() -> Vec<String> {
    let text = shipped("Dockerfile").replace("\\\n", " ");
    let lines = text.lines().map(str::trim);
    lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect()
}

/// What the steps of the build copy from the repository before its first compilation, and all of it.
fn copied() -> (Vec<String>, Vec<String>) {
    let (mut first, mut all, mut has_compiled) = (Vec::new(), Vec::new(), false);
    for line in instructions() {
        has_compiled |= line.contains("cargo build");
        let Some(words) = line.strip_prefix("COPY ") else {
            continue;
        };
        if words.starts_with("--from") {
            continue;
        }
        let words: Vec<&str> = words.split(' ').collect();
        for source in &words[..words.len() - 1] {
            all.push((*source).to_owned());
            if !has_compiled {
                first.push((*source).to_owned());
            }
        }
    }
    (first, all)
}

fn targets(folder: &Path) -> Vec<(String, bool)> {
    let mut command = Command::new(env!("CARGO"));
    command.args([
        "metadata",
        "--locked",
        "--offline",
        "--no-deps",
        "--format-version=1",
    ]);
    let output = command.current_dir(folder).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap().iter();
    packages
        .flat_map(|package| package["targets"].as_array().unwrap())
        .filter(|target| target["kind"][0] != "test")
        .map(|target| {
            let path = target["src_path"].as_str().unwrap();
            let own = Path::new(path)
                .strip_prefix(folder)
                .unwrap_or(Path::new(path));
            (own.display().to_string(), Path::new(path).exists())
        })
        .collect()
}

#[test]
fn the_steps_of_the_image_find_what_they_copy_and_every_target_has_its_source() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let ignored = shipped(".dockerignore");
    let let_in: Vec<&str> = ignored
        .lines()
        .filter_map(|line| line.strip_prefix('!'))
        .collect();
    assert!(
        ignored.lines().any(|line| line == "*"),
        "all else stays out"
    );
    let (first, all) = copied();
    for source in &all {
        assert!(root.join(source).exists(), "{source}");
        let is_let_in = let_in
            .iter()
            .any(|path| source == path || source.starts_with(&format!("{path}/")));
        assert!(is_let_in, "{source} is kept out by .dockerignore");
    }
    // The layer of the dependencies: manifests and empty sources make a whole workspace.
    let place = tempfile::tempdir().unwrap();
    let folder = std::fs::canonicalize(place.path()).unwrap();
    for source in &first {
        executable::copy(&root.join(source), &folder.join(source));
    }
    assert!(!folder.join("src").exists());
    let status = Command::new("./deploy/image-skeleton.sh")
        .current_dir(&folder)
        .status();
    assert!(status.unwrap().success());
    let skeleton = targets(&folder);
    assert!(
        skeleton.len() > 5 && skeleton.iter().all(|(_, exists)| *exists),
        "{skeleton:?}"
    );
    // So is what is compiled in the end.
    let place = tempfile::tempdir().unwrap();
    let folder = std::fs::canonicalize(place.path()).unwrap();
    for source in &all {
        executable::copy(&root.join(source), &folder.join(source));
    }
    let whole = targets(&folder);
    assert!(
        whole.len() >= skeleton.len() && whole.iter().all(|(_, exists)| *exists),
        "{whole:?}"
    );
    // And whatever the sources take in is copied with them.
    let mut sources = Vec::new();
    rust_files(&root.join("src"), &mut sources);
    for path in sources {
        let text = std::fs::read_to_string(&path).unwrap();
        let shipped = text.split("#[cfg(test)]").next().unwrap();
        for part in shipped.split("include_str!(\"").skip(1) {
            let (name, _) = part.split_once('"').unwrap();
            let taken = std::fs::canonicalize(path.parent().unwrap().join(name)).unwrap();
            let taken = taken.strip_prefix(&root).unwrap();
            let is_copied = all.iter().any(|source| taken.starts_with(source));
            assert!(is_copied, "{} is not in the build", taken.display());
        }
    }
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn the_image_is_built_from_the_lock_without_the_sandbox_and_runs_as_nobody_in_particular() {
    let lines = instructions();
    let builds = lines.iter().filter(|line| line.contains("cargo build"));
    for build in builds {
        for word in ["--locked", "--no-default-features", "--release"] {
            assert!(build.contains(word), "{build}");
        }
    }
    let bases: Vec<&String> = lines
        .iter()
        .filter(|line| line.starts_with("FROM "))
        .collect();
    assert_eq!(
        bases,
        [
            "FROM ${RUST_IMAGE} AS build",
            "FROM ${POSTGRES_IMAGE} AS backup",
            "FROM ${DEBIAN_IMAGE}"
        ]
    );
    // The tags are those that are pinned elsewhere, and of the toolchain that everything is tested with.
    let images = shipped("deploy/images.env");
    for name in ["RUST_IMAGE", "DEBIAN_IMAGE", "POSTGRES_IMAGE"] {
        let default = lines
            .iter()
            .find_map(|line| line.strip_prefix(&format!("ARG {name}=")));
        let tag = default.expect("a default");
        assert!(images.contains(&format!("{name}={tag}")), "{name}");
    }
    let toolchain: toml::Table = shipped("rust-toolchain.toml").parse().unwrap();
    let channel = toolchain["toolchain"]["channel"].as_str().unwrap();
    assert!(images.contains(&format!("rust:{channel}-")), "{channel}");
    let last = |word: &str| {
        lines
            .iter()
            .rev()
            .find(|line| line.starts_with(word))
            .unwrap()
    };
    let users = lines.iter().filter(|line| line.starts_with("USER"));
    let users: Vec<&String> = users.collect();
    assert_eq!(users, ["USER 10001:10001", "USER 10001:10001"]);
    assert!(last("HEALTHCHECK").contains(r#"CMD ["xrpayd", "health","#));
    assert_eq!(last("ENTRYPOINT"), r#"ENTRYPOINT ["xrpayd"]"#);
    assert!(last("CMD").contains(r#""--profile", "production""#));
    // A frontend of its own would be one more image, and nothing here needs one.
    assert!(!shipped("Dockerfile").contains("syntax="));
    let whole = lines.join("\n");
    for word in ["ADD ", "curl", "wget", "SECRET", "PASSWORD", ":latest"] {
        assert!(!whole.contains(word), "{word}");
    }
}
