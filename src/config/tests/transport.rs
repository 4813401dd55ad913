//! How servers prove who they are: roots and pinned keys.

use super::*;
use base64::Engine as _;

fn find<'a>(error: &'a ConfigErrors, key: &str) -> Option<&'a Problem> {
    error.errors.iter().find(|problem| problem.key == key)
}

fn pinned(pins: &str) -> String {
    let tables = format!(
        "[[xrpl.servers]]\nurl = \"wss://a.example\"\npin_sha256 = {pins}\n\
         [[xrpl.servers]]\nurl = \"wss://b.example\"\n"
    );
    let listed = "servers = [\"wss://s1.ripple.com\", \"wss://xrplcluster.com\"]\nquorum = 2\n";
    let without = MINIMAL.replace(listed, "quorum = 2\n");
    format!("{without}\n{tables}")
}

#[test]
fn a_pin_is_a_sha256_in_hexadecimal_or_base64() {
    let hex = "ab".repeat(32);
    let base64 = base64::engine::general_purpose::STANDARD.encode([0xCD; 32]);
    let text = pinned(&format!("[\"{hex}\", \"{base64}\"]"));
    let servers = load(None, &[&text], &[]).unwrap().config.xrpl.servers;
    assert_eq!(servers[0].pin_sha256, [[0xAB; 32], [0xCD; 32]]);
    assert!(servers[1].pin_sha256.is_empty());
    for bad in ["", "ab", &"ab".repeat(31), &"zz".repeat(32), "q83v"] {
        let text = pinned(&format!("[\"{bad}\"]"));
        let error = load(None, &[&text], &[]).unwrap_err();
        let problem = find(&error, "xrpl.servers[0].pin_sha256");
        assert!(problem.is_some(), "{bad}: {error}");
    }
}

#[test]
fn a_file_of_roots_that_is_not_there_is_an_error_before_anything_starts() {
    let folder = Folder::new();
    let there = folder.file("roots.pem", "");
    for (path, found) in [(there.clone(), true), (there.with_extension("gone"), false)] {
        let layer = format!("[xrpl]\nca_file = {:?}\n", path.display().to_string());
        match load(None, &[MINIMAL, &layer], &[]) {
            Ok(loaded) => {
                assert!(found);
                assert_eq!(loaded.config.xrpl.ca_file, Some(path));
            }
            Err(error) => assert!(!found && find(&error, "xrpl.ca_file").is_some(), "{error}"),
        }
    }
    let plain = load(None, &[MINIMAL], &[]).unwrap().config;
    assert_eq!(plain.xrpl.ca_file, None);
}
