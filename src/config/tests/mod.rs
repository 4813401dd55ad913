//! The configuration as an operator meets it.

mod layers;
mod limits;
mod part;
mod production;
mod rollout;
mod secret;
mod transport;

use super::load::load_with;
use super::{ConfigErrors, LoadArgs, Loaded, Problem};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

/// What the manual calls enough to start with.
const MINIMAL: &str = r#"
[network]
id = 0
[xrpl]
servers = ["wss://s1.ripple.com", "wss://xrplcluster.com"]
quorum = 2
[wallets.hot]
address = "rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh"
seed = "file:/run/secrets/hot_wallet_seed"
[store]
url = "sqlite:///var/lib/xrpayd/xrpayd.db"
"#;

/// A folder of a test's own, gone when the test ends.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "xrpayd-config-{}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Loads the texts as files `0.toml`, `1.toml`, … with a profile and variables.
fn load(
    profile: Option<&str>,
    texts: &[&str],
    variables: &[(&str, &str)],
) -> Result<Loaded, ConfigErrors> {
    let folder = Folder::new();
    let files = texts
        .iter()
        .enumerate()
        .map(|(index, text)| folder.file(&format!("{index}.toml"), text))
        .collect();
    let variables = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    load_with(
        LoadArgs {
            profile: profile.map(str::to_owned),
            files,
            ..LoadArgs::default()
        },
        variables,
    )
}

/// The minimal file with more behind it.
fn minimal_and(more: &str) -> String {
    format!("{MINIMAL}{more}")
}

fn find<'a>(problems: &'a [Problem], key: &str) -> Option<&'a Problem> {
    problems.iter().find(|problem| problem.key == key)
}
