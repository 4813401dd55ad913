//! Who may sign for a wallet is changed while a daemon works it: offline, on several hands, and through
//! lost answers.

use super::scene::{GRACE, SHOP, Scene, submissions_are_lost};
use crate::support::daemon::WALLET;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The files and commands of whoever keeps the keys.
struct Keeper<'a> {
    scene: &'a Scene,
    folder: PathBuf,
}

impl<'a> Keeper<'a> {
    fn of(scene: &'a Scene) -> Self {
        let folder = scene.folder().join("keys");
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("master"), WALLET.1).unwrap();
        Self { scene, folder }
    }

    fn file(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    fn seed(&self, name: &str) -> String {
        format!("file:{}", self.file(name))
    }

    /// Makes a key, whose seed is then in the file `name`; its address.
    fn generate(&self, name: &str) -> String {
        let made = self.bare(&["wallet", "generate", "--out", &self.file(name)], "");
        made["address"].as_str().unwrap().to_owned()
    }

    /// A command without a configuration, to a success.
    fn bare(&self, command: &[&str], words: &str) -> Value {
        let (code, answer, errors) = self.scene.setup.try_bare(command, words);
        assert_eq!(code, Some(0), "{command:?}: {errors}");
        answer
    }

    /// A command with the daemon's configuration, to a success.
    fn typing(&self, command: &[&str], words: &str) -> Value {
        let (code, answer, errors) = self.scene.setup.try_typing(command, words);
        assert_eq!(code, Some(0), "{command:?}: {errors}");
        answer
    }

    /// What a command that fails says.
    fn refused(&self, command: &[&str], words: &str) -> String {
        let (code, answer, errors) = self.scene.setup.try_typing(command, words);
        assert_eq!((code, answer), (Some(1), Value::Null), "{command:?}");
        errors
    }

    /// Gives an account something, in a ledger that every server has.
    async fn fund(&self, account: &str) {
        let ledger = &self.scene.ledger;
        let fund = json!({ "command": "sandbox_fund", "account": account, "drops": "100000000" });
        ledger.ask(fund).await;
        ledger.reach(ledger.validated().await + 2).await;
    }

    /// Resumes the wallet, whose change is the only thing that nothing here signed.
    fn resume(&self, change: &str) {
        let command = ["wallet", "resume", "--wallet", "hot", "--accept", change];
        // What happened has to be booked before it can be accepted.
        let resumed = self.scene.setup.command(&command);
        assert_eq!(resumed["foreign"][0]["tx_hash"], change, "{resumed}");
        assert_eq!(resumed["resumed"], true, "{resumed}");
    }
}

fn hash_of(answer: &Value) -> String {
    assert_eq!(answer["result"], "tesSUCCESS", "{answer}");
    answer["tx_hash"].as_str().unwrap().to_owned()
}

/// Waits until the daemon has booked everything up to now.
async fn booked(scene: &Scene) {
    let newest = scene.ledger.validated().await;
    let wanted = |cursor: f64| cursor >= f64::from(u32::try_from(newest).unwrap());
    scene
        .until_metric(r#"journal_cursor_ledger{wallet_type="hot"}"#, wanted)
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wallet_goes_over_to_a_key_of_its_own_and_its_master_key_goes_out_of_use() {
    let scene = Scene::new("200ms", "1000", "");
    let keeper = Keeper::of(&scene);
    let daemon = scene.start().await;
    scene.pay(1, 3).await;
    let regular = keeper.generate("regular");

    // What the checklist demands of a wallet: nobody pays it without saying for what.
    let seed = keeper.seed("master");
    let require = ["wallet", "require-tag", "hot", "--seed", &seed];
    let required = hash_of(&keeper.typing(&require, WALLET.0));
    let why = keeper.refused(&require, WALLET.0);
    assert!(why.contains("demands a tag already"), "{why}");
    let balance = scene.setup.command(&["wallet", "balance", "hot"]);
    assert_eq!(
        balance["wallets"][0]["require_destination_tag"], true,
        "{balance:#}"
    );
    booked(&scene).await;
    keeper.resume(&required);
    scene.pay(11, 2).await;
    scene.all_succeed(5).await;

    // Nobody could sign any more: the ledger is asked before anything is signed.
    let disable = [
        "wallet",
        "disable-master",
        "hot",
        "--seed",
        &keeper.seed("master"),
    ];
    let why = keeper.refused(&disable, WALLET.0);
    assert!(why.contains("neither a regular key nor signers"), "{why}");

    // Prepared here, signed where there is no network, submitted here.
    let (draft, signed) = (keeper.file("draft.json"), keeper.file("signed.json"));
    let prepare = [
        "wallet",
        "set-regular-key",
        "hot",
        "--key",
        &regular,
        "--out",
        &draft,
    ];
    let why = keeper.refused(&prepare, "yes");
    assert!(why.contains("nothing was done"), "{why}");
    keeper.typing(&prepare, WALLET.0);
    let seed = keeper.seed("master");
    let sign = [
        "wallet", "sign", "--in", &draft, "--seed", &seed, "--out", &signed,
    ];
    keeper.bare(&sign, WALLET.0);
    let given = keeper.typing(&["wallet", "submit", "--in", &signed], WALLET.0);
    let set = hash_of(&given);
    // Given again it finds itself.
    let again = keeper.typing(&["wallet", "submit", "--in", &signed], WALLET.0);
    assert_eq!(hash_of(&again), set);
    assert_eq!(again["ledger_index"], given["ledger_index"]);

    // What was in flight before has ended, and nothing is signed until a person resumes the wallet. That
    // shows while nothing is asked for, and the change itself is no stranger's.
    let halted = |wallet: &Value| !wallet["halted_reason"].is_null();
    let view = scene.merchant.until("/v1/wallets/hot", halted).await;
    let reason = view["halted_reason"].as_str().unwrap();
    assert!(
        reason.starts_with("its account is being changed by a command")
            && reason.contains(&regular),
        "{reason}"
    );
    let waiting = scene.pay_one(4, "1").await;
    booked(&scene).await;
    assert_eq!(daemon.terminate(GRACE), Some(0));

    scene.setup.reseed(Path::new(&keeper.file("regular")));
    let daemon = scene.start().await;
    let other = "00".repeat(32);
    let resume = ["wallet", "resume", "--wallet", "hot"];
    let why = keeper.refused(&[&resume[..], &["--accept", &other]].concat(), "");
    assert!(why.contains(&other) && why.contains(&set), "{why}");
    keeper.resume(&set);
    let paid = |payment: &Value| payment["status"] == "succeeded";
    scene.merchant.payment(&waiting, paid).await;

    let disabled = hash_of(&keeper.typing(&disable, WALLET.0));
    booked(&scene).await;
    keeper.resume(&disabled);
    let after = scene.pay_one(5, "1").await;
    scene.merchant.payment(&after, paid).await;

    let why = keeper.refused(&disable, WALLET.0);
    assert!(why.contains("disabled already"), "{why}");
    let seed = keeper.seed("regular");
    let remove = [
        "wallet",
        "set-regular-key",
        "hot",
        "--remove",
        "--seed",
        &seed,
    ];
    let why = keeper.refused(&remove, WALLET.0);
    assert!(why.contains("nobody could sign"), "{why}");
    let old = [
        "wallet",
        "set-regular-key",
        "hot",
        "--remove",
        "--seed",
        &keeper.seed("master"),
    ];
    assert!(keeper.refused(&old, WALLET.0).contains("nobody could sign"));
    let balance = scene.setup.command(&["wallet", "balance", "hot"]);
    let hot = &balance["wallets"][0];
    assert_eq!(
        (&hot["regular_key"], &hot["master_disabled"]),
        (&json!(regular), &json!(true)),
        "{balance:#}"
    );
    scene.all_succeed(7).await;
    assert_eq!(daemon.terminate(GRACE), Some(0));
    let changes = scene.ledger.truth_of(WALLET.0).await;
    let changes = changes
        .iter()
        .filter(|tx| tx["account"] == WALLET.0 && tx["type"] != "Payment");
    let hashes: Vec<&str> = changes.filter_map(|tx| tx["hash"].as_str()).collect();
    assert_eq!(hashes, [required.as_str(), set.as_str(), disabled.as_str()]);
    scene.setup.command(&["reconcile"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signers_change_a_key_together_and_one_alone_does_not() {
    let scene = Scene::new("200ms", "1000", "");
    let keeper = Keeper::of(&scene);
    let [cold, first, second, next] =
        ["cold", "first", "second", "next"].map(|name| keeper.generate(name));
    keeper.fund(&cold).await;
    let (one, other) = (format!("{first}=1"), format!("{second}=1"));
    let seed = keeper.seed("cold");
    let list = [
        "wallet",
        "signer-list",
        &cold,
        "--quorum",
        "2",
        "--signer",
        &one,
        "--signer",
        &other,
        "--seed",
        &seed,
    ];
    hash_of(&keeper.typing(&list, &cold));

    let draft = keeper.file("draft.json");
    let prepare = [
        "wallet",
        "set-regular-key",
        &cold,
        "--key",
        &next,
        "--signers",
        "2",
        "--out",
        &draft,
    ];
    keeper.typing(&prepare, &cold);
    let sign = |name: &str, signer: &str| {
        let (seed, out) = (keeper.seed(name), keeper.file(&format!("{name}.json")));
        let sign = [
            "wallet", "sign", "--in", &draft, "--seed", &seed, "--as", signer, "--out", &out,
        ];
        keeper.bare(&sign, &cold);
        out
    };
    let (mine, yours) = (sign("first", &first), sign("second", &second));
    let (alone, both) = (keeper.file("alone.json"), keeper.file("both.json"));
    keeper.bare(&["wallet", "combine", "--in", &mine, "--out", &alone], "");
    let why = keeper.refused(&["wallet", "submit", "--in", &alone], &cold);
    assert!(why.contains("may not sign"), "{why}");
    let why = keeper.refused(&["wallet", "submit", "--in", &mine], &cold);
    assert!(why.contains("not by all"), "{why}");
    keeper.bare(
        &["wallet", "combine", "--in", &mine, &yours, "--out", &both],
        "",
    );
    hash_of(&keeper.typing(&["wallet", "submit", "--in", &both], &cold));
    let balance = scene.setup.command(&["wallet", "balance", &cold]);
    assert_eq!(balance["wallets"][0]["regular_key"], next, "{balance:#}");
    assert_eq!(balance["wallets"][0]["signers"]["quorum"], 2, "{balance:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_whose_answers_are_lost_is_followed_to_its_proven_end() {
    let scene = Scene::new("200ms", "1000", "[xrpl]\nrequest_timeout = \"300ms\"\n");
    let keeper = Keeper::of(&scene);
    let cold = keeper.generate("cold");
    keeper.fund(&cold).await;
    let seed = keeper.seed("cold");

    let lost = json!({ "kind": "drop_responses", "per_mille": 1000, "only": "submit" });
    scene.ledger.fault_all(&lost).await;
    let set = [
        "wallet",
        "set-regular-key",
        &cold,
        "--key",
        SHOP,
        "--seed",
        &seed,
    ];
    hash_of(&keeper.typing(&set, &cold));

    // Of one that reaches nobody it is proven that no ledger will ever hold it.
    scene.ledger.fault_all(&submissions_are_lost()).await;
    let window = Duration::from_secs(8);
    let valid_for = format!("{}s", window.as_secs());
    let remove = [
        "wallet",
        "set-regular-key",
        &cold,
        "--remove",
        "--seed",
        &seed,
        "--valid-for",
        &valid_for,
    ];
    let why = keeper.refused(&remove, &cold);
    assert!(why.contains("no later one can hold"), "{why}");
    scene.ledger.clear().await;
    let balance = scene.setup.command(&["wallet", "balance", &cold]);
    assert_eq!(balance["wallets"][0]["regular_key"], SHOP, "{balance:#}");
}
