//! Backups, restored as an operator would: an old one is put back, and nothing is paid a second time.

use super::memory::lose_database;
use super::scene::{GRACE, SHOP, SHORT_LIVED, Scene, sequences};
use crate::store::bed::run_on;
use crate::support::process::Process;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use xrpayd::store::Store;

/// A key for backups, as a secret file has it.
fn key_in(folder: &Path) -> String {
    let file = folder.join("backup-key");
    std::fs::write(&file, "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\n").unwrap();
    let mut mode = std::fs::metadata(&file).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut mode, 0o600);
    std::fs::set_permissions(&file, mode).unwrap();
    format!("file:{}", file.display())
}

/// Everything that is not signed waits for a person, who takes that back.
async fn looked_at_and_resumed(scene: &Scene) {
    let body = json!({
        "destination": SHOP,
        "amount": { "currency": "XRP", "value": "1" },
    });
    let merchant = &scene.merchant;
    let (status, refused) = merchant.post("/v1/payments", Some("drill-99"), &body).await;
    assert_eq!(status, 503, "{refused:#}");
    assert_eq!(refused["code"], "paused");
    scene.setup.command(&["resume", "--scope", "payments"]);
}

/// Pays 4 to 9, which stay in flight, and kills the daemon there.
pub async fn die_in_flight(scene: &Scene, daemon: Process) {
    for id in scene.pay(4, 6).await {
        let signed = |payment: &Value| payment["substatus"] == "submitted";
        scene.merchant.payment(&id, signed).await;
    }
    daemon.kill();
}

/// The keys of 4 to 9 are asked again in another order, with two new ones; nothing is signed beside what
/// is in flight, and each is paid once.
pub async fn asked_again_each_is_paid_once(scene: &Scene) {
    looked_at_and_resumed(scene).await;
    each_is_paid_once(scene).await;
}

/// The same where nobody paused anything.
pub async fn each_is_paid_once(scene: &Scene) {
    let mut ids = Vec::new();
    for tag in (4..10).rev() {
        ids.push(scene.pay_one(tag, "1").await);
    }
    scene.pay(10, 2).await;
    scene.close_slowly().await;
    for id in &ids {
        let payment = scene.merchant.get(&format!("/v1/payments/{id}")).await;
        assert_eq!(sequences(&payment), Vec::<u64>::new(), "{payment:#}");
    }
    scene.settle_by_hand().await;
    scene.all_succeed(11).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sealed_backup_that_was_taken_while_the_daemon_paid_is_put_back_and_pays_nothing_twice() {
    let (scene, shelf) = scene_that_seals("manual");
    let daemon = scene.start().await;
    scene.pay(1, 3).await;
    scene.settle_by_hand().await;
    let shelf_text = shelf.display().to_string();
    let taken = scene
        .setup
        .command(&["store", "backup", "--to", &shelf_text]);
    let file = taken["file"].as_str().unwrap().to_owned();
    assert!(file.ends_with(".db.sealed"), "{taken:#}");
    scene
        .until_metric("backup_last_timestamp_seconds ", |at| at > 1_700_000_000.0)
        .await;
    let whole = scene.setup.command(&["store", "verify-backup", &file]);
    assert_eq!(whole["books_read"], true);
    die_in_flight(&scene, daemon).await;

    // What is there is never written over, and what is left of it is not mixed with what is put back.
    let restore = ["store", "restore", "--from", &file];
    let (code, _, told) = scene.setup.try_command(&restore);
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("exists already"), "{told}");
    let nowhere = Store::url_of(&scene.folder().join("missing/xrpayd.db")).unwrap();
    let elsewhere = [&restore[..], &["--to", &nowhere]].concat();
    let (code, _, told) = scene.setup.try_command(&elsewhere);
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("/missing is not there"), "{told}");
    let database = scene.folder().join("xrpayd.db");
    lose_database(scene.folder());
    std::fs::write(scene.folder().join("xrpayd.db-wal"), b"of another life").unwrap();
    let (code, _, told) = scene.setup.try_command(&restore);
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("is left of another database"), "{told}");
    assert!(!database.exists());
    lose_database(scene.folder());
    // Another machine: nothing that this one wrote down is there.
    for entry in std::fs::read_dir(scene.folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.to_string_lossy().ends_with(".last") {
            std::fs::remove_file(path).unwrap();
        }
    }
    let restored = scene.setup.command(&restore);
    assert_eq!(restored["wallets_that_wait"], 1, "{restored:#}");
    let _daemon = scene.start().await;
    asked_again_each_is_paid_once(&scene).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_that_is_told_where_backs_its_file_up_by_itself() {
    let mut scene = Scene::new("200ms", "10000", SHORT_LIVED);
    let shelf = scene.folder().join("backups");
    std::fs::create_dir(&shelf).unwrap();
    let layer = format!("[store]\nbackup_dir = \"{}\"\n", shelf.display());
    scene.setup = scene.setup.clone().with(&layer);
    let daemon = scene.start().await;
    scene.pay(1, 2).await;
    scene
        .until_metric("backup_last_timestamp_seconds ", |at| at > 0.0)
        .await;
    scene.all_succeed(2).await;
    let of_the_daemon = backups_in(&shelf);
    assert_eq!(of_the_daemon.len(), 1, "{of_the_daemon:?}");
    let file = of_the_daemon[0].display().to_string();
    scene.setup.command(&["store", "verify-backup", &file]);
    // A restart takes none too many.
    assert_eq!(daemon.terminate(GRACE), Some(0));
    let _daemon = scene.start().await;
    scene
        .until_metric("backup_last_timestamp_seconds ", |at| at > 0.0)
        .await;
    assert_eq!(backups_in(&shelf), of_the_daemon);
    let more = scene.setup.command(&["store", "backup"]);
    assert_eq!(more["kept"]["good"], 2, "{more:#}");
    let noted = scene
        .setup
        .command(&["audit", "list", "--action", "store.backed_up"]);
    let by: Vec<&Value> = noted["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| &entry["actor"])
        .collect();
    assert_eq!(by.len(), 2, "{noted:#}");
    scene.setup.command(&["audit", "verify"]);
}

/// Starts a backup of a database that takes seconds to look through, and holds it still in the middle: the
/// draft is written, and the database has gone on since.
async fn held_in_the_middle(scene: &Scene, shelf: &Path) -> Process {
    let log = scene.folder().join("backup.log");
    let before = drafts_in(scene.folder());
    let arguments = ["store", "backup", "--to", &shelf.display().to_string()];
    let arguments = scene.setup.arguments(&arguments);
    let backup = Process::start(&arguments, &log);
    let deadline = Instant::now() + GRACE;
    let is_written = |path: &PathBuf| {
        !before.contains(path) && std::fs::metadata(path).is_ok_and(|file| file.len() > 0)
    };
    while !drafts_in(scene.folder()).iter().any(is_written) {
        assert!(Instant::now() < deadline, "there is no draft");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    // Nobody keeps others from writing any longer.
    let url = Store::url_of(&scene.folder().join("xrpayd.db")).unwrap();
    let gone_on = "update heartbeat set beats = beats + 1";
    run_on(&url, gone_on).await.unwrap();
    backup.freeze();
    backup
}

/// A daemon that seals its backups, and a folder for them.
fn scene_that_seals(close: &str) -> (Scene, PathBuf) {
    let mut scene = Scene::new(close, "10000", SHORT_LIVED);
    let shelf = scene.folder().join("backups");
    std::fs::create_dir(&shelf).unwrap();
    let key = key_in(scene.folder());
    let layer = format!("[store]\nbackup_key = \"{key}\"\n");
    scene.setup = scene.setup.clone().with(&layer);
    (scene, shelf)
}

fn drafts_in(folder: &Path) -> Vec<PathBuf> {
    let mut found = files_in(folder);
    found.retain(|path| path.to_string_lossy().ends_with(".xrpayd-draft"));
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_waits_for_a_backup_that_is_being_taken_and_what_a_killed_one_left_is_swept() {
    let (scene, shelf) = scene_that_seals("200ms");
    let daemon = scene.start().await;
    scene.pay(1, 1).await;
    scene.all_succeed(1).await;
    assert_eq!(daemon.terminate(GRACE), Some(0));
    let url = Store::url_of(&scene.folder().join("xrpayd.db")).unwrap();
    let many = "with recursive n (n) as (select 1 union all select n + 1 from n where n < 60000) \
                insert into used_signatures (tag, believed_until) \
                select randomblob(32), 4102444800000 from n";
    run_on(&url, many).await.unwrap();

    let mut beside = held_in_the_middle(&scene, &shelf).await;
    let starting = scene.setup.start();
    let log = scene.folder().join("daemon.log");
    let deadline = Instant::now() + GRACE;
    let told = "the start waits for a program that reads the database";
    while !std::fs::read_to_string(&log).unwrap().contains(told) {
        assert!(Instant::now() < deadline, "nobody says what is waited for");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(!beside.has_ended());
    beside.thaw();
    scene.setup.ready().await;
    assert_eq!(beside.exit_code(GRACE), Some(0));
    assert_eq!(drafts_in(scene.folder()), Vec::<PathBuf>::new());
    assert_eq!(starting.terminate(GRACE), Some(0));

    // One is killed with the books in the clear beside the database, one is being taken.
    held_in_the_middle(&scene, &shelf).await.kill();
    let left = drafts_in(scene.folder());
    assert_eq!(left.len(), 1, "{left:?}");
    let beside = held_in_the_middle(&scene, &shelf).await;
    let of_the_other = drafts_in(scene.folder());
    assert!(
        of_the_other.len() == 1 && of_the_other != left,
        "{of_the_other:?}"
    );
    scene
        .setup
        .command(&["store", "backup", "--to", &shelf.display().to_string()]);
    assert_eq!(drafts_in(scene.folder()), of_the_other);
    beside.thaw();
    assert_eq!(beside.exit_code(GRACE), Some(0));
    assert_eq!(drafts_in(scene.folder()), Vec::<PathBuf>::new());
}

fn files_in(folder: &Path) -> Vec<PathBuf> {
    let found = std::fs::read_dir(folder).unwrap();
    found.map(|entry| entry.unwrap().path()).collect()
}

fn backups_in(folder: &Path) -> Vec<PathBuf> {
    let mut found = files_in(folder);
    found.retain(|path| path.extension().is_some_and(|end| end == "db"));
    found
}
