//! Layers, precedence, origins, strictness.

use super::super::layer::Layer;
use super::super::load::DEFAULTS;
use super::super::read::Reader;
use super::super::settings::SETTINGS;
use super::super::{Origin, Override, Profile, build};
use super::*;
use std::collections::BTreeSet;
use std::time::Duration;
use xrpayd_core::money::Drops;

fn xrp(text: &str) -> Drops {
    Drops::from_xrp(text).unwrap()
}

#[test]
fn the_minimal_file_of_the_contract_loads_with_the_shipped_limits() {
    let config = load(None, &[MINIMAL], &[]).unwrap().config;
    assert_eq!(config.profile, Profile::Development);
    assert_eq!(config.network.id, 0);
    assert_eq!(config.xrpl.servers.len(), 2);
    assert_eq!(config.xrpl.servers[0].name, "s1.ripple.com");
    assert_eq!(config.xrpl.servers[0].operator, "ripple.com");
    assert_eq!(config.xrpl.request_timeout, Duration::from_secs(30));
    assert_eq!(config.limits.min_payment, xrp("0.001"));
    assert_eq!(config.limits.max_payment, xrp("100"));
    assert_eq!(config.limits.daily_limit, xrp("1000"));
    assert_eq!(config.limits.max_pending, 50);
    assert_eq!(config.rate_limit.per_minute, 30);
    assert_eq!(config.rate_limit.per_hour, 500);
    assert_eq!(config.rate_limit.reads_per_minute, 600);
    assert_eq!(config.http.listen.to_string(), "127.0.0.1:3000");
    assert_eq!(config.http.body_max_bytes, 10_240);
    assert_eq!(config.telemetry.listen.to_string(), "127.0.0.1:9090");
    assert_eq!(config.store.max_connections, 20);
    assert_eq!(config.shutdown.grace, Duration::from_secs(30));
    assert_eq!(config.wallets["hot"].max_in_flight, 10);
    assert_eq!(config.routed_wallets(), ["hot"]);
    assert!(config.auth.enabled);
}

#[test]
fn the_shipped_stages_are_those_of_the_contract_and_the_lower_cap_holds() {
    let config = load(None, &[MINIMAL], &[]).unwrap().config;
    let ladder = config.ladder();
    let shipped: Vec<_> = ladder
        .stages
        .iter()
        .map(|stage| {
            let days = stage.criteria.min_duration_ms.map(|ms| ms / 86_400_000);
            let caps = stage.caps;
            (stage.name.as_str(), days, caps.max_payment, caps.daily)
        })
        .collect();
    let hard = (xrp("100"), xrp("1000"));
    assert_eq!(ladder.first, "internal");
    assert_eq!(ladder.highest, "general");
    assert_eq!(ladder.auto_demotion, None);
    assert_eq!(
        shipped,
        [
            ("internal", Some(1), xrp("10"), xrp("100")),
            ("limited-beta", Some(7), hard.0, hard.1),
            ("public-beta", Some(14), hard.0, hard.1),
            ("general", None, hard.0, hard.1),
        ]
    );
    let public = &ladder.stages[2];
    assert_eq!(public.max_payment, Some(xrp("500")));
    assert_eq!(public.daily_limit, Some(xrp("5000")));
    assert_eq!(public.allowed_clients, ["*"]);
}

#[test]
fn the_sandbox_profile_is_roomy() {
    let config = load(Some("sandbox"), &[MINIMAL], &[]).unwrap().config;
    let caps = config.ladder().rules_at(&config.rollout.stage).caps;
    assert_eq!(caps.max_payment, xrp("10000"));
    assert_eq!(caps.daily, xrp("1000000"));
    assert_eq!(caps.max_pending, 20_000);
    assert_eq!(config.xrpl.quorum, 2);
    assert_eq!(config.wallets["hot"].max_in_flight, 5_000);
    assert!(config.rate_limit.per_minute >= 1_000_000);
    assert!(config.network.sandbox);
}

#[test]
fn tickets_refill_by_themselves_only_where_both_marks_make_sense() {
    let with = |marks: &str| {
        let text = minimal_and(&format!("[wallets.\"*\"]\n{marks}"));
        load(None, &[&text], &[])
    };
    let off = with("").unwrap().config;
    assert_eq!(off.wallets["hot"].ticket_refill.low_water, 0);
    let on = with("ticket_low_water = 5\nticket_refill_to = 20\n").unwrap();
    let refill = on.config.wallets["hot"].ticket_refill;
    assert_eq!((refill.low_water, refill.refill_to), (5, 20));
    for bad in [
        "ticket_low_water = 5\nticket_refill_to = 4\n",
        "ticket_low_water = 5\nticket_refill_to = 251\n",
    ] {
        let errors = with(bad).unwrap_err().errors;
        let named = errors
            .iter()
            .all(|error| error.key.contains("ticket_refill_to"));
        assert!(errors.len() == 1 && named, "{errors:?}");
    }
}

#[test]
fn every_layer_wins_over_those_before_it() {
    let key = "limits.max_pending";
    let text = |n: u32| minimal_and(&format!("[limits]\nmax_pending = {n}\n"));
    let (first, second) = (text(3), "[limits]\nmax_pending = 4\n");
    let variable = [("XRPAYD__LIMITS__MAX_PENDING", "5")];
    let pending = |loaded: &Loaded| loaded.config.limits.max_pending;
    let origin = |loaded: &Loaded| {
        let shown = loaded.origins.iter().find(|shown| shown.key == key);
        shown.unwrap().origin.clone()
    };

    let loaded = load(None, &[MINIMAL], &[]).unwrap();
    assert_eq!((pending(&loaded), origin(&loaded)), (50, Origin::Default));
    let loaded = load(Some("sandbox"), &[MINIMAL], &[]).unwrap();
    let sandbox = Origin::Profile("sandbox".to_owned());
    assert_eq!((pending(&loaded), origin(&loaded)), (20_000, sandbox));
    let loaded = load(Some("sandbox"), &[&first], &[]).unwrap();
    assert_eq!(pending(&loaded), 3);
    assert!(matches!(
        origin(&loaded),
        Origin::File { line: Some(13), .. }
    ));
    let loaded = load(Some("sandbox"), &[&first, second], &[]).unwrap();
    assert_eq!(pending(&loaded), 4);
    let loaded = load(Some("sandbox"), &[&first, second], &variable).unwrap();
    let env = Origin::Env(variable[0].0.to_owned());
    assert_eq!((pending(&loaded), origin(&loaded)), (5, env));
}

#[test]
fn what_a_command_supplies_yields_to_files_and_its_options_yield_to_nothing() {
    let folder = Folder::new();
    let file = folder.file("a.toml", &minimal_and("[http]\nlisten = \"127.0.0.1:1\"\n"));
    let args = LoadArgs {
        files: vec![file],
        base: vec![
            Override::new("http.listen", "127.0.0.1:2", "xrpayd sandbox"),
            Override::new("telemetry.listen", "127.0.0.1:3", "xrpayd sandbox"),
        ],
        ..LoadArgs::default()
    };
    let variables = vec![("XRPAYD__HTTP__LISTEN".to_owned(), "127.0.0.1:4".to_owned())];
    let config = load_with(args.clone(), Vec::new()).unwrap().config;
    assert_eq!(config.http.listen.port(), 1);
    assert_eq!(config.telemetry.listen.port(), 3);
    let config = load_with(args.clone(), variables.clone()).unwrap().config;
    assert_eq!(config.http.listen.port(), 4);
    let flags = vec![Override::new("http.listen", "127.0.0.1:5", "--http")];
    let config = load_with(LoadArgs { flags, ..args }, variables)
        .unwrap()
        .config;
    assert_eq!(config.http.listen.port(), 5);
}

#[test]
fn variables_take_money_lists_and_wallets_as_they_are_written() {
    let variables = [
        ("XRPAYD__NETWORK__ID", "7"),
        (
            "XRPAYD__XRPL__SERVERS",
            "wss://a.example.org, wss://b.example.net",
        ),
        ("XRPAYD__LIMITS__MAX_PAYMENT_XRP", "12"),
        ("XRPAYD__AUTH__ENABLED", "false"),
        (
            "XRPAYD__WALLETS__COLD_1__ADDRESS",
            "rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh",
        ),
        ("XRPAYD__WALLETS__COLD_1__SEED", "env:SEED"),
        ("XRPAYD__STORE__URL", "sqlite:///tmp/x.db"),
        ("XRPAYD__SHUTDOWN__GRACE", "5s"),
        ("OTHER__THING", "1"),
    ];
    let config = load(None, &[], &variables).unwrap().config;
    assert_eq!(config.limits.max_payment, xrp("12"));
    assert_eq!(config.xrpl.servers[1].url.host(), "b.example.net");
    assert!(!config.auth.enabled);
    assert_eq!(config.routed_wallets(), ["cold_1"], "the only one there is");
    let array = [(
        "XRPAYD__XRPL__SERVERS",
        "[\"wss://c.example\", {url = \"wss://d.example\", name = \"d\"}]",
    )];
    let config = load(None, &[MINIMAL], &array).unwrap().config;
    assert_eq!(config.xrpl.servers[1].name, "d");
}

#[test]
fn servers_may_be_tables_and_one_listed_twice_is_no_quorum() {
    let tables = MINIMAL.replace(
        "servers = [\"wss://s1.ripple.com\", \"wss://xrplcluster.com\"]\nquorum = 2\n",
        "[[xrpl.servers]]\nurl = \"wss://a.example/KEY\"\nname = \"a\"\noperator = \"x\"\npriority = 1\n\
         [[xrpl.servers]]\nurl = \"wss://b.example\"\ntrusted = false\n",
    );
    let error = load(None, &[&tables], &[]).unwrap_err();
    let quorum = find(&error.errors, "xrpl.quorum").unwrap();
    assert!(quorum.message.contains("only 1"), "{quorum}");
    let trusted = tables.replace("trusted = false", "trusted = true");
    let servers = load(None, &[&trusted], &[]).unwrap().config.xrpl.servers;
    assert_eq!(
        (
            servers[0].name.as_str(),
            servers[0].operator.as_str(),
            servers[0].priority
        ),
        ("a", "x", 1)
    );
    let twice = MINIMAL.replace("wss://xrplcluster.com", "wss://S1.ripple.com/");
    let error = load(None, &[&twice], &[]).unwrap_err();
    assert!(find(&error.errors, "xrpl.servers[1]").is_some(), "{error}");
}

#[test]
fn every_error_of_every_layer_is_told_at_once_with_its_place() {
    let bad = "\
[network]
id = -1
nettwork = 3
[limits]
max_payment_xrp = 12.5
max_pendin = 3
[xrpl]
servers = [\"https://a\"]
request_timeout = \"soon\"
[surprise]
x = 1
[wallets.hot]
address = \"rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTi\"
[wallets.Hot]
address = \"r\"
[rollout]
stage = \"everyone\"
";
    let variables = [
        ("XRPAYD__HTTP__PORT", "3000"),
        ("XRPAYD__STORE__MAX_CONNECTIONS", "0"),
    ];
    let error = load(None, &[bad], &variables).unwrap_err();
    let at = |key: &str| {
        let problem = find(&error.errors, key).unwrap_or_else(|| panic!("{key} in {error}"));
        let origin = problem
            .origin
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default();
        let place = origin.rsplit('/').next().unwrap().to_owned();
        (problem.message.clone(), place)
    };
    for (key, place) in [
        ("network.id", "0.toml:2"),
        ("network.nettwork", "0.toml:3"),
        ("limits.max_payment_xrp", "0.toml:5"),
        ("limits.max_pendin", "0.toml:6"),
        ("xrpl.servers[0]", "0.toml:8"),
        ("xrpl.request_timeout", "0.toml:9"),
        ("surprise", "0.toml:10"),
        ("wallets.hot.address", "0.toml:13"),
        ("wallets.hot.seed", "0.toml:12"),
        ("wallets.Hot", "0.toml:14"),
        ("rollout.stage", "0.toml:17"),
        ("store.url", ""),
        ("http.port", "variable XRPAYD__HTTP__PORT"),
        (
            "store.max_connections",
            "variable XRPAYD__STORE__MAX_CONNECTIONS",
        ),
    ] {
        assert_eq!(at(key).1, place, "{key}");
    }
    assert!(
        at("limits.max_pendin")
            .0
            .contains("did you mean max_pending?")
    );
    assert!(at("limits.max_payment_xrp").0.contains("quotation marks"));
    assert_eq!(error.errors.len(), 14, "{error}");
}

#[test]
fn what_the_whole_is_refused_for_is_told_beside_what_cannot_be_read() {
    let text = "[http]\nrequest_timeout = 30\n[auth]\nenabled = false\n[telemetry]\nlog_level = \"trace\"\n\
                [limits]\nmax_payment_xrp = \"20000\"\nmax_pending = \"many\"\n";
    let error = load(Some("production"), &[&minimal_and(text)], &[]).unwrap_err();
    let keys: BTreeSet<&str> = error.errors.iter().map(|e| e.key.as_str()).collect();
    let expected = [
        "auth.enabled",
        "http.request_timeout",
        "limits.max_pending",
        "telemetry.log_level",
    ];
    assert_eq!(keys, expected.into(), "{error}");
    let auth = find(&error.errors, "auth.enabled").unwrap();
    let place = auth.origin.as_ref().unwrap().to_string();
    assert!(place.ends_with("0.toml:15"), "{place}");
    // The cap of 20,000 is not judged: its section is to be mended first.
}

#[test]
fn an_unknown_key_that_a_later_layer_hides_is_found() {
    let hidden = minimal_and("[http]\nport = 1\n");
    let error = load(None, &[&hidden, "http = 3\n"], &[]).unwrap_err();
    assert!(find(&error.errors, "http.port").is_some(), "{error}");
    assert!(find(&error.errors, "http").is_some(), "{error}");
}

#[test]
fn a_file_that_is_missing_or_is_not_toml_is_an_error_with_its_line() {
    let args = LoadArgs {
        files: vec!["/nonexistent/xrpayd.toml".into()],
        ..LoadArgs::default()
    };
    let error = load_with(args, Vec::new()).unwrap_err().to_string();
    assert!(error.contains("/nonexistent/xrpayd.toml"), "{error}");
    let error = load(
        None,
        &["[network]\nid = 0\nid = 1\nsandbox = = true\n"],
        &[],
    )
    .unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("0.toml:3") && text.contains("0.toml:4"),
        "{text}"
    );
    let deep = format!("x = {}{}", "[".repeat(60), "]".repeat(60));
    assert!(load(None, &[&deep], &[]).is_err());
}

#[test]
fn an_unknown_profile_or_a_quarrel_over_it_stops_the_start() {
    let error = load(Some("prod"), &[MINIMAL], &[]).unwrap_err();
    assert!(
        find(&error.errors, "profile")
            .unwrap()
            .message
            .contains("unknown"),
        "{error}"
    );
    let named = format!("profile = \"staging\"\n{MINIMAL}");
    assert_eq!(
        load(None, &[&named], &[]).unwrap().config.profile,
        Profile::Staging
    );
    let error = load(Some("sandbox"), &[&named], &[]).unwrap_err();
    assert!(
        find(&error.errors, "profile")
            .unwrap()
            .message
            .contains("agree"),
        "{error}"
    );
    let error = load(None, &[&named], &[("XRPAYD__PROFILE", "production")]).unwrap_err();
    assert!(find(&error.errors, "profile").is_some(), "{error}");
    assert!(load(Some("staging"), &[&named], &[]).is_ok());
}

#[test]
fn the_test_profiles_load_with_a_wallet_and_a_store_alone() {
    let rest = &MINIMAL[MINIMAL.find("[wallets").unwrap()..];
    for profile in ["testnet", "staging"] {
        let config = load(Some(profile), &[rest], &[]).unwrap().config;
        assert_eq!(
            (config.network.id, config.xrpl.servers.len()),
            (1, 2),
            "{profile}"
        );
    }
}

#[test]
fn a_wallet_says_otherwise_than_every_wallet() {
    let text = minimal_and(
        "[wallets.\"*\"]\nmax_in_flight = 7\n[wallets.two]\nmax_in_flight = 8\n\
         address = \"rrrrrrrrrrrrrrrrrrrrrhoLvTp\"\nseed = \"file:x\"\nsource_tag = 4294967295\n",
    );
    let wallets = load(None, &[&text], &[]).unwrap().config.wallets;
    assert_eq!(wallets["hot"].max_in_flight, 7);
    assert_eq!(wallets["two"].max_in_flight, 8);
    assert_eq!(wallets["two"].source_tag, Some(u32::MAX));
    let same = text.replace(
        "rrrrrrrrrrrrrrrrrrrrrhoLvTp",
        "rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh",
    );
    let error = load(None, &[&same], &[]).unwrap_err();
    assert!(
        find(&error.errors, "wallets.two.address").is_some(),
        "{error}"
    );
}

#[test]
fn the_table_of_settings_and_what_is_read_are_the_same() {
    // A server that is a table, and a wallet, make every setting be asked for.
    let servers = "servers = [{ url = \"wss://a.example\" }]";
    let listed = "servers = [\"wss://s1.ripple.com\", \"wss://xrplcluster.com\"]";
    let layer = |id: &str, text: &str| {
        let (layer, problems) = Layer::toml(id.to_owned(), text, Origin::Default);
        assert_eq!(problems, []);
        layer
    };
    let full = layer("full", &MINIMAL.replace(listed, servers));
    let mut reader = Reader::new(vec![layer("defaults", DEFAULTS), full], Vec::new());
    let _ = build::config(&mut reader, Profile::Development);
    let asked: BTreeSet<&str> = reader.asked().iter().map(String::as_str).collect();
    let table: BTreeSet<&str> = SETTINGS
        .iter()
        .map(|s| s.key)
        .filter(|key| *key != "profile")
        .collect();
    assert_eq!(
        asked.difference(&table).collect::<Vec<_>>(),
        Vec::<&&str>::new(),
        "read, not in the table"
    );
    assert_eq!(
        table.difference(&asked).collect::<Vec<_>>(),
        Vec::<&&str>::new(),
        "in the table, never read"
    );
}

#[test]
fn numbers_may_be_written_as_toml_writes_them() {
    let text = minimal_and("[limits]\nmax_pending = 1_000\n");
    assert_eq!(
        load(None, &[&text], &[]).unwrap().config.limits.max_pending,
        1_000
    );
    let text = minimal_and("[limits]\nmax_pending = 0x10\n");
    assert_eq!(
        load(None, &[&text], &[]).unwrap().config.limits.max_pending,
        16
    );
}

#[test]
fn callers_are_known_by_networks_and_limited_by_three_numbers_or_more() {
    let config = load(None, &[MINIMAL], &[]).unwrap().config;
    assert!(config.http.trusted_proxies.is_empty() && config.auth.admin_cidrs.is_empty());
    let limits = &config.rate_limit;
    assert_eq!(
        (limits.admin_per_minute, limits.checks_per_minute),
        (30, 30)
    );
    assert_eq!(limits.failures_per_minute.get(), 120);
    let more = "[http]\ntrusted_proxies = [\"10.1.2.3/8\", \"::ffff:192.0.2.1\"]\n\
                [auth]\nadmin_cidrs = [\"fd00::/8\"]\n\
                [rate_limit]\nper_minute = 7\nadmin_per_minute = 2\n";
    let config = load(None, &[&minimal_and(more)], &[]).unwrap().config;
    let shown =
        |networks: &[ipnet::IpNet]| networks.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(
        shown(&config.http.trusted_proxies),
        ["10.0.0.0/8", "192.0.2.1/32"]
    );
    assert_eq!(shown(&config.auth.admin_cidrs), ["fd00::/8"]);
    let limits = &config.rate_limit;
    assert_eq!((limits.admin_per_minute, limits.checks_per_minute), (2, 7));
    for (bad, says) in [
        (
            "[http]\ntrusted_proxies = [\"0.0.0.0/0\"]\n",
            "must not hold every address",
        ),
        (
            "[http]\ntrusted_proxies = [\"::/0\"]\n",
            "must not hold every address",
        ),
        (
            "[http]\ntrusted_proxies = [\"proxy.example\"]\n",
            "must be a network",
        ),
        ("[auth]\nadmin_cidrs = \"10.0.0.0/8\"\n", "must be a list"),
    ] {
        let error = load(None, &[&minimal_and(bad)], &[]).unwrap_err();
        assert!(error.to_string().contains(says), "{bad}: {error}");
    }
}
