//! References to secrets, and that nothing shows what stands behind them.

use super::super::secrets::{SECRET_BYTES_MAX, SecretError, SecretRef, doubt, resolve};
use super::super::{show_json, show_toml};
use super::*;
use proptest::prelude::*;
use secrecy::ExposeSecret as _;

const PLANTED: &str = "hunter2hunter2";

#[test]
fn references_are_read_and_shown_as_they_are_written() {
    for text in [
        "file:/run/secrets/x",
        "file:relative",
        "env:NAME",
        "vault:secret/data/pay#seed",
        "aws-sm:pay/seed",
    ] {
        assert_eq!(text.parse::<SecretRef>().unwrap().to_string(), text);
    }
    for text in [
        "", "file:", "env:", "env:A=B", "vault:x", "vault:#f", "vault:p#", "aws-sm:", PLANTED,
    ] {
        let error = text.parse::<SecretRef>().unwrap_err();
        assert!(!format!("{error} {error:?}").contains(PLANTED));
    }
}

#[test]
fn a_file_gives_its_text_without_the_newline_at_its_end() {
    let folder = Folder::new();
    for written in ["the seed", "the seed\n", "the seed\r\n"] {
        let reference = SecretRef::File(folder.file("s", written));
        let secret = resolve(&reference).unwrap();
        assert_eq!(secret.expose_secret(), "the seed");
        assert!(!format!("{secret:?}").contains("the seed"));
    }
}

#[test]
fn a_file_that_is_no_secret_is_refused() {
    let folder = Folder::new();
    let of = |path| resolve(&SecretRef::File(path)).unwrap_err();
    assert!(matches!(
        of(folder.0.join("none")),
        SecretError::Unreadable { .. }
    ));
    assert!(matches!(
        of(folder.0.clone()),
        SecretError::NotASecret { .. }
    ));
    assert!(matches!(
        of(folder.file("e", "\n")),
        SecretError::Empty { .. }
    ));
    let long = "x".repeat(SECRET_BYTES_MAX + 1);
    assert!(matches!(
        of(folder.file("l", &long)),
        SecretError::NotASecret { .. }
    ));
    let binary = folder.0.join("b");
    std::fs::write(&binary, [0xFF, 0xFE]).unwrap();
    assert!(matches!(of(binary), SecretError::NotASecret { .. }));
}

#[test]
fn a_variable_that_is_not_set_is_named_and_so_is_a_store_that_cannot_be_asked() {
    let error = resolve(&SecretRef::Env("XRPAYD_TEST_NEVER_SET".to_owned())).unwrap_err();
    assert!(error.to_string().contains("XRPAYD_TEST_NEVER_SET"));
    for text in ["vault:a#b", "aws-sm:a"] {
        let reference: SecretRef = text.parse().unwrap();
        let error = resolve(&reference).unwrap_err();
        assert!(error.to_string().contains(text), "{error}");
        assert!(doubt(&reference).unwrap().contains("refuse to start"));
    }
    // Every process of a test has a PATH.
    assert!(resolve(&SecretRef::Env("PATH".to_owned())).is_ok());
}

#[cfg(unix)]
#[test]
fn a_file_that_others_may_read_is_doubted() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = Folder::new();
    let path = folder.file("s", "x");
    for (mode, doubted) in [(0o600, false), (0o400, false), (0o640, true), (0o644, true)] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(
            doubt(&SecretRef::File(path.clone())).is_some(),
            doubted,
            "{mode:o}"
        );
    }
}

#[test]
fn nothing_that_is_shown_holds_a_password_or_a_token() {
    let text = format!(
        "[network]\nid = 0\n[xrpl]\nservers = [\"wss://a.example/{PLANTED}\", {{ url = \"wss://{PLANTED}@b.example/?k={PLANTED}\" }}]\n\
         [wallets.hot]\naddress = \"rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh\"\nseed = \"file:/x\"\n\
         [store]\nurl = \"postgres://u:{PLANTED}@db.example/x?password={PLANTED}\"\n"
    );
    let loaded = load(None, &[&text], &[]).unwrap();
    let warned: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
    assert!(
        warned
            .iter()
            .any(|w| w.starts_with("store.url holds a password"))
    );
    let shown = format!(
        "{}{}{loaded:?}{warned:?}",
        show_toml(&loaded),
        show_json(&loaded)
    );
    assert!(shown.contains("b.example") && shown.contains("db.example"));
    assert!(!shown.contains(PLANTED), "{shown}");
}

#[test]
fn no_error_repeats_a_value_wherever_a_secret_was_put_by_mistake() {
    let text = minimal_and("x = 1\n")
        .replace("rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh", PLANTED)
        .replace("file:/run/secrets/hot_wallet_seed", PLANTED)
        .replace("wss://s1.ripple.com", PLANTED)
        .replace("sqlite:///var/lib/xrpayd/xrpayd.db", PLANTED);
    let error = load(None, &[&text, &format!("seed = \"{PLANTED}\"\n[limits]\nmax_pending = \"{PLANTED}\"\n[shutdown]\ngrace = \"{PLANTED}\"\n"), &format!("{PLANTED}\nseed = {PLANTED}\n")], &[]).unwrap_err();
    assert!(error.errors.len() >= 8, "{error}");
    assert!(!format!("{error} {error:?}").contains(PLANTED), "{error}");
}

#[test]
fn what_is_shown_loads_again_to_the_same() {
    let loaded = load(Some("sandbox"), &[MINIMAL], &[]).unwrap();
    let again = load(None, &[&show_toml(&loaded)], &[]).unwrap();
    assert_eq!(
        format!("{:?}", loaded.config),
        format!("{:?}", again.config)
    );
}

proptest! {
    #[test]
    fn no_text_makes_the_loader_panic(text: String) {
        let _ = load(None, &[&text], &[]);
        let _ = load(None, &[], &[("XRPAYD__XRPL__SERVERS", &text), ("XRPAYD__LIMITS__MAX_PENDING", &text)]);
    }
}
