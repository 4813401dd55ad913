//! Limits of single clients and destinations.

use super::*;
use xrpayd_core::money::Drops;

fn xrp(text: &str) -> Drops {
    Drops::from_xrp(text).unwrap()
}

/// The limits that are warned of.
fn warned(loaded: &Loaded) -> Vec<&str> {
    let keys = loaded.warnings.iter().map(|warning| warning.key.as_str());
    keys.filter(|key| key.starts_with("limits.")).collect()
}

#[test]
fn limits_of_clients_and_destinations_are_read_by_name_and_a_name_may_hold_dots() {
    let paid = "rPT1Sjq2YGrBMTttX4GZHjKu9dyfzbpAYe";
    let text = minimal_and(&format!(
        "[limits.clients.\"*\"]\ndaily_limit_xrp = \"50\"\n\
         [limits.clients.\"shop.example\"]\nmax_payment_xrp = \"7\"\nmax_pending = 3\n\
         [limits.destinations.{paid}]\ndaily_limit_xrp = \"0\"\n"
    ));
    let loaded = load(None, &[&text], &[]).unwrap();
    let scopes = &loaded.config.limits.scopes;
    let shop = scopes.of_client("shop.example");
    assert_eq!(shop.max_payment, Some(xrp("7")));
    assert_eq!((shop.daily, shop.max_pending), (Some(xrp("50")), Some(3)));
    assert_eq!(scopes.of_client("other").daily, Some(xrp("50")));
    let blocked = scopes.of_destination(&paid.parse().unwrap());
    assert_eq!(blocked.daily, Some(Drops::ZERO));
    assert_eq!(warned(&loaded), Vec::<&str>::new());
}

#[test]
fn a_limit_that_could_have_no_effect_is_refused_or_warned_of() {
    let asset = "[limits.assets.\"USD.rPT1Sjq2YGrBMTttX4GZHjKu9dyfzbpAYe\"]\ndaily_limit = \"5\"\n";
    for (text, key) in [
        (asset, "limits.assets"),
        (
            "[limits.destinations.nobody]\nmax_pending = 1\n",
            "limits.destinations.nobody",
        ),
        (
            "[limits.clients.\"a[0]\"]\nmax_pending = 1\n",
            "limits.clients.a[0]",
        ),
        (
            "[limits.clients.shop]\ndaily_limit = \"5\"\n",
            "limits.clients.shop.daily_limit",
        ),
        (
            "[limits.clients.shop]\ndaily_limit_xrp = 5\n",
            "limits.clients.shop.daily_limit_xrp",
        ),
    ] {
        let error = load(None, &[&minimal_and(text)], &[]).unwrap_err();
        assert!(find(&error.errors, key).is_some(), "{key}: {error}");
    }
    let above = "[limits.clients.shop]\ndaily_limit_xrp = \"1001\"\nmax_pending = 51\n\
        [limits.destinations.\"*\"]\nmax_payment_xrp = \"100\"\n";
    let loaded = load(None, &[&minimal_and(above)], &[]).unwrap();
    assert_eq!(
        warned(&loaded),
        [
            "limits.clients.shop.daily_limit_xrp",
            "limits.clients.shop.max_pending"
        ]
    );
    // One that lifts what every other client has is meant.
    let lifted = format!("[limits.clients.\"*\"]\ndaily_limit_xrp = \"5\"\n{above}")
        .replace("max_pending = 51\n", "");
    let loaded = load(None, &[&minimal_and(&lifted)], &[]).unwrap();
    assert_eq!(warned(&loaded), Vec::<&str>::new());
}
