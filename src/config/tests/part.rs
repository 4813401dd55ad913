//! What is wrong in a section that a command does not use.

use super::super::Needs;
use super::*;

const BOOKS: Needs = Needs::Sections(&["network", "store"]);

fn load_part(profile: &str, text: &str, needs: Needs) -> Result<Loaded, ConfigErrors> {
    let folder = Folder::new();
    let args = LoadArgs {
        profile: Some(profile.to_owned()),
        files: vec![folder.file("0.toml", text)],
        needs,
        ..LoadArgs::default()
    };
    load_with(args, Vec::new())
}

#[test]
fn an_error_in_another_section_is_told_and_done_without() {
    for (from, to, key) in [
        (
            "[store]",
            "[limits]\nmax_pending = \"x\"\n[store]",
            "limits.max_pending",
        ),
        (
            "[store]",
            "[http]\nlisten = \"here\"\n[store]",
            "http.listen",
        ),
        ("[store]", "[nonsense]\nx = 1\n[store]", "nonsense"),
        ("wss://s1.ripple.com", "s1", "xrpl.servers[0]"),
        // Another section names what was put aside.
        (
            "address = ",
            "low_balance_xrp = 5\naddress = ",
            "wallets.hot.low_balance_xrp",
        ),
        ("quorum = 2", "quorum = 9", "xrpl.quorum"),
        (
            "rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh",
            "rHb9",
            "wallets.hot.address",
        ),
    ] {
        let text = MINIMAL.replace(from, to);
        assert_ne!(text, MINIMAL);
        let text = format!("{text}[invoices]\nwallet = \"hot\"\n");
        assert!(load_part("sandbox", &text, Needs::Whole).is_err(), "{key}");
        let asking = load_part("sandbox", &text, Needs::Sections(&["http"]));
        assert_eq!(asking.is_ok(), !key.starts_with("http"), "{key}");
        let part = load_part("sandbox", &text, BOOKS).unwrap();
        let keys: Vec<&str> = part
            .elsewhere
            .iter()
            .map(|error| error.key.as_str())
            .collect();
        assert!(keys.iter().any(|found| found.starts_with(key)), "{keys:?}");
        let whole = load_part("sandbox", MINIMAL, BOOKS).unwrap();
        assert_eq!(whole.elsewhere, []);
        assert_eq!(
            format!("{:?}", part.config.store),
            format!("{:?}", whole.config.store)
        );
        assert_eq!(part.config.network.id, whole.config.network.id);
        assert_eq!(part.config.profile, whole.config.profile);
    }
}

#[test]
fn an_error_in_the_section_itself_a_secret_and_the_profile_stop_it_all_the_same() {
    let more = |text: &str| format!("{MINIMAL}{text}");
    for (profile, text) in [
        ("sandbox", more("max_connections = 0\n")),
        ("sandbox", more("max_conections = 9\n")),
        ("sandbox", MINIMAL.replace("id = 0", "id = \"x\"")),
        (
            "sandbox",
            MINIMAL.replace(
                "file:/run/secrets/hot_wallet_seed",
                "sEdVfbAkapHUcS5dAFVRvkh6qTiNxr1",
            ),
        ),
        (
            "sandbox",
            more("[webhooks]\nencryption_key = \"0011223344\"\n"),
        ),
        ("sandbox", more("[")),
        ("nonsense", more("")),
        ("sandbox", format!("profile = \"staging\"\n{MINIMAL}")),
        // The rules of production hold for what is used, whatever else is wrong.
        (
            "production",
            MINIMAL
                .replace(
                    "sqlite:///var/lib/xrpayd/xrpayd.db",
                    "postgres://db.example.org/xrpayd",
                )
                .replace("quorum = 2", "quorum = \"x\""),
        ),
    ] {
        let errors = load_part(profile, &text, BOOKS).err();
        assert!(errors.is_some(), "{profile}: {text}");
    }
}
