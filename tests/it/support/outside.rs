//! What a test takes from outside of cargo: a program, a server, a folder of packages, whose place the
//! scripts beside the tests put into a variable.
//!
//! Where it is missing, the test is left out, and says so even where the output of tests that pass is
//! swallowed; under CI it fails.

use std::io::Write as _;

/// What `variable` names; `None` where it is not set. `what` is left out then, and `script` would bring
/// it.
pub fn outside(variable: &str, what: &str, script: &str) -> Option<String> {
    if let Ok(found) = std::env::var(variable) {
        return Some(found);
    }
    assert!(
        std::env::var_os("CI").is_none(),
        "{variable} is not set: under CI nothing is left out"
    );
    let told = format!("LEFT OUT: {what}; run it by tests/{script} or make test\n");
    std::io::stderr().write_all(told.as_bytes()).unwrap();
    None
}
