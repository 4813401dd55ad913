//! Client libraries that nobody here wrote work against the model unmodified: xrpl.js and xrpl-py, at
//! the versions pinned in `tests/clients/`. Each script there is a process of its own against a network
//! of its own that closes by itself; it ends with a line that says that it came to its end.
//!
//! The libraries are found in XRPAYD_TEST_CLIENTS, which `tests/clients.sh` sets; without it these
//! tests say that they are left out, and under CI that is a failure.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;
use xrpayd_sandbox::{CloseInterval, Network, NetworkConfig};

/// What a script says at its end, and only there.
const CLOSING_LINE: &str = "every assertion held";
/// A script that takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(120);
/// The libraries look for a result once a second, and sign for twenty ledgers: short enough that a
/// ledger closes meanwhile, long enough that a busy machine does not let twenty go by.
const CLOSE_EVERY: Duration = Duration::from_millis(400);

/// Where the libraries are; `None`, said aloud, where they are not. Under CI that fails.
fn installed(script: &str) -> Option<PathBuf> {
    if let Some(place) = std::env::var_os("XRPAYD_TEST_CLIENTS") {
        return Some(PathBuf::from(place));
    }
    assert!(
        std::env::var_os("CI").is_none(),
        "XRPAYD_TEST_CLIENTS is not set: under CI nothing is left out"
    );
    // Written past the test runner, which keeps what passing tests print to itself.
    let left_out = format!(
        "LEFT OUT: {script}, a client of the model ledger; run it by tests/clients.sh or make test\n"
    );
    std::io::stderr().write_all(left_out.as_bytes()).unwrap();
    None
}

/// Runs a script against a fresh network.
async fn work(script: &str) {
    let Some(place) = installed(script) else {
        return;
    };
    let network = Network::start(NetworkConfig {
        listen: vec!["127.0.0.1:0".parse().unwrap(); 2],
        close_interval: CloseInterval::Every(CLOSE_EVERY),
        ..NetworkConfig::default()
    })
    .await
    .unwrap();
    let program = match Path::new(script).extension().and_then(|it| it.to_str()) {
        Some("mjs") => place.join("bin/node"),
        Some("py") => place.join("venv/bin/python"),
        other => panic!("nothing runs a script of kind {other:?}"),
    };
    let scripts = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/clients");
    let child = Command::new(&program)
        .arg(scripts.join(script))
        .arg(network.addresses()[0].to_string())
        .env("XRPAYD_TEST_CLIENTS", &place)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap_or_else(|error| panic!("{} does not start: {error}", program.display()));
    let ended = tokio::time::timeout(PATIENCE, child.wait_with_output()).await;
    let output = ended.unwrap_or_else(|_| panic!("{script} hangs")).unwrap();
    let (said, complained) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(
        output.status.success() && said.lines().last() == Some(CLOSING_LINE),
        "{script} ended with {}\n{said}\n{complained}",
        output.status
    );
    network.stop().await;
}

/// One test for each script.
macro_rules! clients {
    ($($name:ident: $script:literal,)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            work($script).await;
        }
    )*};
}

clients! {
    xrpl_js_pays_and_reads_its_history: "payments.mjs",
    xrpl_js_hears_of_ledgers_and_transactions: "streams.mjs",
    xrpl_js_signs_with_many_keys_and_with_tickets: "signing.mjs",
    xrpl_js_uses_issued_currencies_offers_checks_and_tokens: "tokens.mjs",
    xrpl_py_pays_signs_and_reads_its_history: "payments.py",
    xrpl_py_hears_of_ledgers_and_transactions: "streams.py",
    xrpl_py_pays_over_http: "rpc.py",
    xrpl_py_uses_issued_currencies_and_offers: "tokens.py",
}
