//! `xrpayd preflight` on a sandbox: ten things that are set up wrongly are named, all of them, and once
//! they are mended and people have said the rest, it passes.

use crate::support::daemon::{Setup, WALLET};
use crate::support::ledger::Ledger;
use crate::support::process::{Surroundings, free_port};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};
use xrpayd_codec::{Algorithm, Keypair, encode_seed};

const PATIENCE: Duration = Duration::from_secs(60);
/// What the daemon's unit says too: a crash leaves no memory image.
const BOUNDS: &str = "ulimit -S -c 0; exec \"$0\" \"$@\"";
/// Flags of an `AccountSet`, by their numbers.
const REQUIRE_TAG: u32 = 1;
const DISABLE_MASTER: u32 = 4;

/// Somebody else's key: its seed and its address.
fn key(byte: u8) -> (String, String) {
    let seed = encode_seed(Algorithm::Ed25519, &[byte; 16]).to_string();
    let address = Keypair::from_seed(&seed).unwrap().account_id().to_string();
    (seed, address)
}

/// Writes a file with exactly this mode.
fn write(path: &Path, text: &str, mode: u32) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// The wallet signs one transaction with its master key, and it is in a validated ledger.
async fn transact(ledger: &Ledger, mut tx: Value) {
    tx["Account"] = WALLET.0.into();
    let request =
        json!({"command": "submit", "seed": WALLET.1, "key_type": "ed25519", "tx_json": tx});
    let answer = ledger.ask(request).await;
    assert_eq!(answer["engine_result"], "tesSUCCESS", "{answer}");
    let now = ledger.validated().await;
    ledger.reach(now + 2).await;
}

/// What answers like Alertmanager when it is asked for its receivers.
fn alertmanager() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = [0; 2_048];
            let read = stream.read(&mut head).unwrap();
            let asked = String::from_utf8_lossy(&head[..read]).into_owned();
            let path = asked.split(' ').nth(1).unwrap_or_default();
            let (status, body) = match path {
                "/api/v2/receivers" => ("200 OK", r#"[{"name":"page"},{"name":"chat"}]"#),
                "/api/v2/status" => ("200 OK", r#"{"config":{"original":"receivers: []"}}"#),
                "/api/v2/alerts" => ("200 OK", "[]"),
                "/metrics" => (
                    "200 OK",
                    "alertmanager_notifications_total{integration=\"webhook\"} 3\n",
                ),
                _ => ("404 Not Found", "{}"),
            };
            let answer = format!(
                "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    format!("http://{address}")
}

/// How the place is configured: what differs between the wrong and the right one.
struct Place<'a> {
    urls: &'a [String],
    seed: &'a Path,
    cap: &'a str,
    approval: &'a str,
    stage: &'a str,
    listen: String,
    alertmanager: &'a str,
    list: &'a Path,
}

impl Place<'_> {
    fn layer(&self) -> String {
        let servers: Vec<String> = self
            .urls
            .iter()
            .enumerate()
            .map(|(n, url)| {
                format!("[[xrpl.servers]]\nurl = \"{url}\"\nname = \"s{n}\"\noperator = \"o{n}\"\n")
            })
            .collect();
        format!(
            "{}\n[wallets.hot]\nseed = \"file:{}\"\nbalance_cap_xrp = \"{}\"\n\
             [limits]\nmax_payment_xrp = \"100\"\ndaily_limit_xrp = \"1000\"\nmax_pending = 50\n{}\n\
             [rollout]\nstage = \"{}\"\n\
             [rate_limit]\nper_minute = 30\nper_hour = 500\n\
             [http]\nlisten = \"{}\"\nconnections_max = 256\n\
             [telemetry]\nalert_receiver = \"the rota\"\n\
             [preflight]\nalertmanager_url = \"{}\"\naddress_list = \"{}\"\n\
             [webhooks]\nallow_http = false\nallow_private = false\n",
            servers.join("\n"),
            self.seed.display(),
            self.cap,
            self.approval,
            self.stage,
            self.listen,
            self.alertmanager,
            self.list.display(),
        )
    }
}

/// The checklist of a set-up: its exit code, and its rows.
fn checked(setup: &Setup, more: &[&str]) -> (Option<i32>, Value) {
    let mut command = vec!["preflight", "--patience", "20s"];
    command.extend(more);
    let (code, report, errors) = setup.try_command(&command);
    assert!(report.is_object(), "{errors}");
    (code, report)
}

/// The rows that end like this, each as its item and what it is about.
fn rows(report: &Value, outcome: &str) -> BTreeSet<(String, Option<String>)> {
    let rows = report["rows"].as_array().unwrap().iter();
    rows.filter(|row| row["outcome"] == outcome && row["signed"].is_null())
        .map(|row| {
            let item = row["item"].as_str().unwrap().to_owned();
            (item, row["subject"].as_str().map(str::to_owned))
        })
        .collect()
}

fn surroundings() -> Surroundings {
    Surroundings {
        launcher: vec!["sh".to_owned(), "-c".to_owned(), BOUNDS.to_owned()],
        ..Surroundings::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_things_that_are_set_up_wrongly_are_all_named_and_mended_they_pass() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let ledger = Ledger::start_for(2, folder.path(), "500ms", &[(WALLET.0, "1000")], &[]);
    let (seed, regular) = key(7);
    let (wrong, right) = (at("exposed.seed"), at("regular.seed"));
    write(&wrong, &seed, 0o644);
    write(&right, &seed, 0o400);
    write(&at("list"), &format!("hot {}\n", key(8).1), 0o644);
    write(
        &at("right-list"),
        &format!("# treasury\nhot {}\n", WALLET.0),
        0o644,
    );
    let store = format!("sqlite://{}/xrpayd.db", folder.path().display());
    transact(
        &ledger,
        json!({"TransactionType": "SetRegularKey", "RegularKey": regular}),
    )
    .await;

    let closed = free_port();
    let place = Place {
        urls: &ledger.urls[..5],
        seed: &wrong,
        cap: "900",
        approval: "",
        stage: "general",
        listen: format!("0.0.0.0:{}", free_port()),
        alertmanager: &format!("http://127.0.0.1:{closed}"),
        list: &at("list"),
    };
    let setup = Setup::new(folder.path(), &[], &store, "").with(&place.layer());
    let setup = setup.surrounded(surroundings());
    setup.command(&[
        "keys",
        "create",
        "--name",
        "shop",
        "--scope",
        "payments:write",
    ]);
    ledger
        .fault(3, &json!({"kind": "wrong_network", "network_id": 1}))
        .await;
    ledger.fault(4, &json!({"kind": "amendment_blocked"})).await;
    let (code, report) = checked(&setup, &[]);
    assert_eq!(code, Some(1), "{report}");
    let named: BTreeSet<(String, Option<String>)> = rows(&report, "fail");
    let planted = [
        // Servers.
        ("xrpl.network", Some("s3")),
        ("xrpl.amendments", Some("s4")),
        // The wallet on the ledger.
        ("wallet.require_tag", Some("hot")),
        ("wallet.master_key", Some("hot")),
        ("wallet.signer_list", Some("hot")),
        ("wallet.balance_cap", Some("hot")),
        ("wallet.address_list", Some("hot")),
        // The machine.
        ("secret.files", Some("wallets.hot.seed")),
        // The service.
        ("limits.approval", None),
        ("rollout.stage", None),
        ("http.exposure", None),
        ("keys.admin", None),
        ("keys.bounds", None),
        ("alerts.receiver", None),
    ];
    let planted: BTreeSet<(String, Option<String>)> = planted
        .into_iter()
        .map(|(item, about)| (item.to_owned(), about.map(str::to_owned)))
        .collect();
    assert_eq!(named, planted, "{report:#}");
    assert_eq!(report["ready"], false);

    ledger.clear().await;
    let listed: Vec<Value> = [11, 12, 13]
        .map(|byte| json!({"SignerEntry": {"Account": key(byte).1, "SignerWeight": 1}}))
        .to_vec();
    let list =
        json!({"TransactionType": "SignerListSet", "SignerQuorum": 2, "SignerEntries": listed});
    transact(&ledger, list).await;
    for flag in [REQUIRE_TAG, DISABLE_MASTER] {
        transact(
            &ledger,
            json!({"TransactionType": "AccountSet", "SetFlag": flag}),
        )
        .await;
    }
    let told = setup.command(&["keys", "list"]);
    let id = told["data"][0]["id"].as_str().unwrap().to_owned();
    setup.command(&["keys", "revoke", &id]);
    let mended = Place {
        seed: &right,
        cap: "5000",
        approval: "approval_threshold = \"50\"",
        stage: "internal",
        listen: format!("127.0.0.1:{}", free_port()),
        alertmanager: &alertmanager(),
        list: &at("right-list"),
        ..place
    };
    setup.rewrite_last_layer(&mended.layer());
    let admin = ["keys", "create", "--name", "ops", "--scope", "admin"];
    setup.command(&[&admin[..], &["--cidr", "10.0.0.0/8"]].concat());

    let (code, report) = checked(&setup, &["--allow-open"]);
    assert_eq!(rows(&report, "fail"), BTreeSet::new(), "{report:#}");
    assert_eq!(
        (code, &report["ready"]),
        (Some(0), &json!(false)),
        "{report:#}"
    );
    let open = rows(&report, "manual");
    assert!(open.len() >= 10, "{open:?}");
    assert_eq!(
        checked(&setup, &[]).0,
        Some(1),
        "nobody has said anything yet"
    );

    let mut sign = vec![
        "preflight",
        "sign",
        "--by",
        "Ada Lovelace",
        "--note",
        "seen myself",
    ];
    for (item, _) in &open {
        sign.extend(["--item", item]);
    }
    let signed = setup.command(&sign);
    assert_eq!(signed["signed"].as_array().unwrap().len(), open.len());
    let kept = at("report.json");
    let kept_as = kept.display().to_string();
    let (code, report) = checked(&setup, &["--report", &kept_as]);
    assert_eq!(code, Some(0), "{report:#}");
    assert_eq!(report["ready"], true);
    assert_eq!(rows(&report, "manual"), BTreeSet::new());
    let said = report["rows"].as_array().unwrap().iter();
    let mut said = said.filter(|row| row["outcome"] == "manual");
    assert!(
        said.all(|row| row["signed"]["by"] == "Ada Lovelace" && row["signed"]["at"].is_string())
    );
    let kept: Value = serde_json::from_str(&std::fs::read_to_string(kept).unwrap()).unwrap();
    assert_eq!(kept, report);
    let noted = setup.command(&["audit", "list", "--action", "preflight.signed"]);
    assert_eq!(
        noted["data"].as_array().unwrap().len(),
        open.len(),
        "{noted}"
    );

    // A word on the addresses holds for those that it was said of. No list answers for them here.
    let listed = format!("address_list = \"{}\"\n", mended.list.display());
    let by_hand = mended.layer().replace(&listed, "");
    let moved = format!(
        "{by_hand}[wallets.warm]\naddress = \"{}\"\nseed = \"file:{}\"\n",
        key(13).1,
        right.display()
    );
    let on_addresses = |report: &Value| -> Vec<(Value, Value)> {
        let rows = report["rows"].as_array().unwrap().iter();
        let listed = rows.filter(|row| row["item"] == "wallet.address_list");
        listed
            .map(|row| (row["subject"].clone(), row["signed"]["by"].clone()))
            .collect()
    };
    setup.rewrite_last_layer(&by_hand);
    let (hot, warm, ada) = (json!("hot"), json!("warm"), json!("Ada Lovelace"));
    assert_eq!(
        on_addresses(&checked(&setup, &[]).1),
        [(hot.clone(), Value::Null)]
    );
    let sign = [
        "preflight",
        "sign",
        "--by",
        "Ada Lovelace",
        "--item",
        "wallet.address_list",
    ];
    let said = setup.command(&sign);
    assert_eq!(said["signed"][0]["about"], format!("hot {}", WALLET.0));
    assert_eq!(
        on_addresses(&checked(&setup, &[]).1),
        [(hot.clone(), ada.clone())]
    );
    setup.rewrite_last_layer(&moved);
    let seen = on_addresses(&checked(&setup, &[]).1);
    assert_eq!(seen, [(hot.clone(), ada.clone()), (warm, Value::Null)]);
    setup.rewrite_last_layer(&mended.layer());

    let withdraw = [
        "preflight",
        "sign",
        "--by",
        "Ada Lovelace",
        "--valid-for",
        "0d",
    ];
    setup.command(&[&withdraw[..], &["--item", "drill.restore"]].concat());
    let (code, report) = checked(&setup, &[]);
    let expected = BTreeSet::from([("drill.restore".to_owned(), None)]);
    assert_eq!((code, rows(&report, "manual")), (Some(1), expected));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_hangs_costs_its_own_rows_and_not_the_run() {
    let folder = tempfile::tempdir().unwrap();
    // It takes connections, and never says a word.
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let mute = mute.local_addr().unwrap();
    let ledger = Ledger::start(folder.path(), "500ms", &[(WALLET.0, "1000")]);
    let mut urls = ledger.urls.clone();
    urls.push(format!("ws://{mute}"));
    let store = format!("postgres://nobody@{mute}/pay");
    let more = format!("[preflight]\nalertmanager_url = \"http://{mute}\"\n");
    let setup = Setup::new(folder.path(), &urls, &store, &more);
    let began = Instant::now();
    let (code, report, errors) = setup.try_command(&["preflight", "--patience", "3s"]);
    assert!(began.elapsed() < PATIENCE, "{errors}");
    assert_eq!(code, Some(1), "{errors}");
    let failed: BTreeSet<String> = rows(&report, "fail")
        .into_iter()
        .map(|(item, _)| item)
        .collect();
    for item in ["xrpl.reachable", "store.reachable", "alerts.receiver"] {
        assert!(failed.contains(item), "{item} in {report:#}");
    }
    assert!(!failed.contains("xrpl.agreement"), "{report:#}");
    assert!(!failed.contains("wallet.exists"), "{report:#}");
}

#[test]
fn a_configuration_that_no_daemon_starts_with_is_one_row() {
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup::new(
        folder.path(),
        &[],
        "mysql://x",
        "[limits]\nmax_pendin = 1\n",
    );
    let (code, report, _) = setup.try_command(&["preflight"]);
    assert_eq!(code, Some(1));
    let rows = report["rows"].as_array().unwrap();
    assert_eq!((rows.len(), &rows[0]["item"]), (1, &json!("config.valid")));
    let evidence = rows[0]["evidence"].as_str().unwrap();
    assert!(
        evidence.contains("max_pendin") && evidence.contains("store.url"),
        "{evidence}"
    );
}

#[test]
fn an_item_that_the_program_answers_cannot_be_signed_for() {
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup::new(folder.path(), &[], "sqlite:///nowhere.db", "");
    for item in ["wallet.require_tag", "wallet.no_such"] {
        let (code, ..) = setup.try_command(&["preflight", "sign", "--by", "Ada", "--item", item]);
        assert_eq!(code, Some(2), "{item}");
    }
    let long = ["--item", "people.on_call", "--valid-for", "31d"];
    let (code, _, errors) =
        setup.try_command(&[&["preflight", "sign", "--by", "Ada"][..], &long].concat());
    assert!(code == Some(1) || code == Some(2), "{errors}");
}
