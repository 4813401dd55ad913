//! `xrpayd wallet generate`, `import`, `address` and `sign`, which ask nobody.

use super::{Place, SEED, json, run, stderr, stdout};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const ADDRESS: &str = "rBLBSrTC68gJUQ7amoAUyoVJgM8Zr8VWXc";

fn typing(arguments: &[&str], words: &str) -> Output {
    let mut process = Command::new(env!("CARGO_BIN_EXE_xrpayd"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that ends without reading has closed its end.
    let _ = process.stdin.take().unwrap().write_all(words.as_bytes());
    process.wait_with_output().unwrap()
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_seed_is_shown_only_after_the_words() {
    for words in ["", "\n", "yes\n", "show the seed please\n"] {
        let output = typing(&["wallet", "generate"], words);
        assert_eq!(output.status.code(), Some(1), "{words:?}");
        assert_eq!(stdout(&output), "", "{words:?}");
    }
    for (algorithm, prefix) in [("ed25519", "sEd"), ("secp256k1", "s")] {
        let generate = ["wallet", "generate", "--algorithm", algorithm, "--json"];
        let made = json(&typing(&generate, "show the seed\n"));
        let seed = made["seed"].as_str().unwrap();
        assert!(seed.starts_with(prefix), "{algorithm}");
        let pair = xrpayd_codec::Keypair::from_seed(seed).unwrap();
        assert_eq!(made["address"], pair.account_id().to_string());
        let other = json(&typing(&generate, "show the seed\n"));
        assert_ne!(made["seed"], other["seed"]);
    }
}

#[test]
fn a_seed_that_goes_into_a_file_is_its_owners_alone_and_shown_nowhere() {
    let place = Place::new();
    let path = place.0.join("new-seed");
    let file = path.display().to_string();
    let output = typing(&["wallet", "generate", "--out", &file, "--json"], "");
    let made = json(&output);
    let seed = std::fs::read_to_string(&path).unwrap();
    assert!(!stdout(&output).contains(seed.trim()) && !stderr(&output).contains(seed.trim()));
    assert_eq!(mode(&path), 0o600);
    let shown = run(&["wallet", "address", "--seed", &format!("file:{file}")]);
    assert_eq!(stdout(&shown).trim(), made["address"].as_str().unwrap());
    // What is there is never written over: it may be the only copy.
    let output = typing(&["wallet", "generate", "--out", &file], "");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), seed);
}

#[test]
fn a_seed_that_is_there_is_taken_over_and_not_repeated() {
    let place = Place::new();
    let (file, from) = (place.0.join("taken"), place.0.join("seed"));
    let (file, from) = (file.display().to_string(), from.display().to_string());
    let output = typing(
        &["wallet", "import", "--in", "-", "--out", &file, "--json"],
        SEED,
    );
    assert!(!stdout(&output).contains(SEED) && !stderr(&output).contains(SEED));
    assert_eq!(json(&output)["address"], ADDRESS);
    assert_eq!(std::fs::read_to_string(&file).unwrap().trim(), SEED);
    assert_eq!(mode(Path::new(&file)), 0o600);
    let other = format!("{file}-2");
    let output = run(&["wallet", "import", "--in", &from, "--out", &other, "--json"]);
    assert_eq!(json(&output)["address"], ADDRESS);

    let broken = "sEdVfbAkapHUcS5dAFVRvkh6qTiNxr2";
    let third = format!("{file}-3");
    let output = typing(&["wallet", "import", "--in", "-", "--out", &third], broken);
    assert_eq!(output.status.code(), Some(1));
    assert!(!stderr(&output).contains(broken), "{}", stderr(&output));
    assert!(!Path::new(&third).exists());
}

#[test]
fn the_wallets_of_the_configuration_are_shown_with_the_keys_that_sign_for_them() {
    let place = Place::new();
    let shown = json(&place.run(&["wallet", "address", "--json"]));
    let wallet = &shown["wallets"][0];
    assert_eq!(wallet["wallet"], "hot");
    assert_eq!(wallet["address"], ADDRESS);
    assert_eq!(wallet["signs_by_master_key"], true);
}

/// A change as another machine of network 21337 prepared it.
fn draft(place: &Place) -> String {
    let text = format!(
        r#"{{"xrpayd":"unsigned_transaction","network_id":21337,"prepared_at_ledger":70,
        "does":"nothing to worry about","transaction":{{"TransactionType":"SetRegularKey","Flags":0,
        "Account":"{ADDRESS}","RegularKey":"rPT1Sjq2YGrBMTttX4GZHjKu9dyfzbpAYe","Fee":"12",
        "Sequence":7,"LastLedgerSequence":90,"NetworkID":21337}}}}"#
    );
    place.write("draft.json", &text).display().to_string()
}

#[test]
fn what_a_file_does_is_shown_from_its_transaction_and_signed_once_the_address_is_typed() {
    let place = Place::new();
    let (draft, signed) = (draft(&place), place.0.join("signed.json"));
    let (signed, seed) = (
        signed.display().to_string(),
        format!("file:{}/seed", place.0.display()),
    );
    let sign = [
        "wallet", "sign", "--in", &draft, "--seed", &seed, "--out", &signed,
    ];
    let output = typing(&sign, "yes\n");
    assert_eq!(output.status.code(), Some(1));
    assert!(!Path::new(&signed).exists());
    let output = typing(&sign, &format!("{ADDRESS}\n"));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let asked = stderr(&output);
    let does = "gets the regular key rPT1Sjq2YGrBMTttX4GZHjKu9dyfzbpAYe";
    assert!(
        asked.contains(does) && !asked.contains("nothing to worry"),
        "{asked}"
    );

    // The place's configuration is of network 0, and its servers are never asked.
    let output = place.run(&["wallet", "submit", "--in", &signed]);
    assert_eq!(output.status.code(), Some(1));
    let why = stderr(&output);
    assert!(why.contains("meant for network 21337"), "{why}");
    let output = place.run(&["wallet", "submit", "--in", &draft]);
    assert!(
        stderr(&output).contains("is not signed"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn only_one_hand_signs_and_a_list_of_signers_is_whole() {
    let place = Place::new();
    for command in [
        vec!["set-regular-key", "hot", "--key", ADDRESS],
        vec!["set-regular-key", "hot", "--seed", "file:s"],
        vec![
            "set-regular-key",
            "hot",
            "--remove",
            "--key",
            ADDRESS,
            "--out",
            "f",
        ],
        vec!["disable-master", "hot", "--seed", "file:s", "--out", "f"],
        vec![
            "signer-list",
            "hot",
            "--signer",
            "r1=1",
            "--quorum",
            "1",
            "--out",
            "f",
        ],
        vec![
            "signer-list",
            "hot",
            "--signer",
            &format!("{ADDRESS}=1"),
            "--out",
            "f",
        ],
    ] {
        let output = place.run(&[&["wallet"], &command[..]].concat());
        assert_eq!(output.status.code(), Some(2), "{command:?}");
    }
}

#[test]
fn a_seed_on_the_command_line_is_refused_and_not_repeated() {
    let place = Place::new();
    for command in [
        vec!["address", "--seed", SEED],
        vec!["disable-master", "hot", "--seed", SEED],
        vec!["sign", "--in", &draft(&place), "--seed", SEED, "--out", "f"],
    ] {
        let output = typing(&[&["wallet"], &command[..]].concat(), ADDRESS);
        assert_eq!(output.status.code(), Some(1), "{command:?}");
        let why = stderr(&output);
        assert!(
            !why.contains(SEED) && why.contains("treat this seed as exposed"),
            "{why}"
        );
    }
}
