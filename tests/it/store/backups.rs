//! Backups as the store knows them, and copies of an SQLite database that is being written to.

use super::bed::*;
use crate::support::held::tenure;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use xrpayd::backup::seal::BackupKey;
use xrpayd::backup::{BackupError, Opening, Place, Taken, Tools, Unsealed, look, restore, take};
use xrpayd::clock::{OsEntropy, SystemClock};
use xrpayd::store::{
    Access, Actor, AuditFilter, AuditFrom, Backup, Home, SnapshotError, Store, StoreConfig,
    StoreError,
};
use xrpayd_core::ids::{LedgerIndex, UnixMs};

const BY: Actor = Actor::Cli {
    uid: 1000,
    said: None,
};

fn backup(n: i64, is_good: bool) -> Backup {
    let taken_at = T0.plus_ms(n);
    Backup {
        id: format!("bak_{n}"),
        kind: "pg_dump".to_owned(),
        place: "/backups/ü".to_owned(),
        taken_at,
        ended_at: taken_at.plus_ms(5),
        verified_at: is_good.then(|| taken_at.plus_ms(5)),
        file: is_good.then_some((n.unsigned_abs(), [3; 32])),
        by: BY.to_string(),
    }
}

async fn settled(bed: &Bed) -> Store {
    let store = anchored(bed).await;
    let home = Home {
        profile: "staging".to_owned(),
        network_id: 1,
    };
    store.settle(&home, T0).await.unwrap();
    store
}

on_both_stores! {
    async fn the_last_backup_is_the_newest_moment_of_those_that_were_found_whole(bed) {
        let store = anchored(bed).await;
        assert_eq!(store.last_good_backup(T0.plus_ms(50)).await.unwrap(), None);
        // A clock that was ahead wrote down the last of them.
        for (n, is_good) in [(10, true), (40, false), (30, true), (60, true), (20, true)] {
            store.record_backup(&backup(n, is_good), &BY).await.unwrap();
        }
        assert_eq!(store.last_good_backup(T0.plus_ms(50)).await.unwrap(), Some(T0.plus_ms(30)));
        let known = store.backups(4).await.unwrap();
        let wanted = [backup(60, true), backup(40, false), backup(30, true), backup(20, true)];
        assert_eq!(known, wanted);
        let filter = AuditFilter { action: Some("store.backed_up".to_owned()), ..AuditFilter::default() };
        let noted = store.audit_entries(&filter, AuditFrom::Newest, 10).await.unwrap();
        assert_eq!(noted.items.len(), 5);
        tells(&noted.items[0].data, &serde_json::json!({ "kind": "pg_dump", "verified": true, "bytes": 20 }));
        // One that is there already is not written twice.
        assert!(store.record_backup(&backup(10, true), &BY).await.is_err());
        assert!(store.verify_audit(&[]).await.unwrap().faults.is_empty());
    }

    async fn a_database_that_was_restored_is_another_history_of_every_wallet(bed) {
        let store = settled(bed).await;
        let held = tenure(&store, WALLET).await;
        let here = store.descent(&held).await.unwrap().here;
        store.settle_lineage(&held, &here, None).await.unwrap();
        assert!(!store.descent(&held).await.unwrap().is_broken());
        assert_eq!(store.mark_restored("bak_1", &BY, T0).await.unwrap(), 1);
        assert!(store.descent(&held).await.unwrap().is_broken());
        assert_eq!(store.left_behind(&[WALLET.to_owned()]).await.unwrap(), [WALLET]);
        let lost = store.wait_to_sign(&held, LedgerIndex(500)).await;
        assert!(matches!(lost, Err(StoreError::HistoryBroken(_))), "{lost:?}");
    }

    async fn what_is_told_after_a_restore_has_numbers_that_no_restore_before_it_gave(bed) {
        let store = settled(bed).await;
        let told = |n: u32| {
            let store = store.clone();
            async move {
                accepted(&store, request(&format!("key {n}"), "1", T0)).await;
                store.feed_end().await.unwrap()
            }
        };
        let told_before = told(0).await;
        assert!(told_before < 1_000, "{told_before}");
        let mut before = told_before;
        for n in 1..4_u32 {
            // The backup does not know what was told since, as this database does: so a restore is held
            // against its moment, which lies after the restore before it by more than was told meanwhile.
            let moment = UnixMs(T0.0 + i64::from(n) * 60_000);
            store.mark_restored("bak_1", &BY, moment).await.unwrap();
            let first = told(n * 2).await;
            assert!(first > before && first > moment.0, "{first} after {before}");
            let second = told(n * 2 + 1).await;
            assert_eq!(second, first + 1, "only the first goes on so far");
            before = second;
        }
    }

    async fn a_database_on_which_no_daemon_ever_ran_is_not_a_restored_one(bed) {
        let store = anchored(bed).await;
        assert!(store.mark_restored("bak_1", &BY, T0).await.is_err());
    }
}

fn tools(key: Option<u8>) -> Tools {
    Tools {
        clock: Arc::new(SystemClock::new()),
        entropy: Arc::new(OsEntropy::new().unwrap()),
        key: key.map(key_of),
        program: "a test",
    }
}

fn key_of(byte: u8) -> Arc<BackupKey> {
    let text = hex::encode([byte; 32]);
    Arc::new(BackupKey::of_text(&text.into()).unwrap())
}

fn opening(key: Option<u8>, unsealed: Unsealed) -> Opening {
    Opening {
        key: key.map(key_of),
        unsealed,
    }
}

async fn taken(store: &Store, folder: &Path, key: Option<u8>) -> Taken {
    let place = Place::Folder(folder.to_owned());
    take(store, &place, &BY, &tools(key)).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn backups_that_are_taken_while_others_write_are_each_of_one_moment() {
    let bed = Bed::sqlite().await;
    let store = settled(&bed).await;
    let shelf = tempfile::tempdir().unwrap();
    let is_over = Arc::new(AtomicBool::new(false));
    let writer = tokio::spawn({
        let (store, is_over) = (store.clone(), Arc::clone(&is_over));
        async move {
            let mut written = 0_u32;
            while !is_over.load(Ordering::SeqCst) {
                accepted(&store, request(&format!("key-{written}"), "1", T0)).await;
                written += 1;
            }
            written
        }
    });
    let mut seen = Vec::new();
    for key in [None, Some(7), None] {
        let taken = taken(&store, shelf.path(), key).await;
        // A command does so while the daemon has the database.
        let looked = look(&taken.file, &opening(key, Unsealed::Refused), shelf.path()).await;
        let books = looked.unwrap().manifest.books.unwrap();
        let rows = books.tables.iter().find(|table| table.table == "payments");
        seen.push(rows.unwrap().rows);
    }
    is_over.store(true, Ordering::SeqCst);
    let written = u64::from(writer.await.unwrap());
    assert!(seen.is_sorted(), "{seen:?}");
    assert!(
        seen[0] < written,
        "{seen:?} of {written}: nobody wrote meanwhile"
    );
    // Two files each, and nothing besides.
    assert_eq!(std::fs::read_dir(shelf.path()).unwrap().count(), 6);
    assert_eq!(store.backups(10).await.unwrap().len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_became_of_a_backup_on_its_shelf_is_noticed() {
    let bed = Bed::sqlite().await;
    let store = settled(&bed).await;
    accepted(&store, request("key", "1", T0)).await;
    let shelf = tempfile::tempdir().unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let good = taken(&store, shelf.path(), None).await;
    let seen = |error: BackupError, what: &str| {
        let told = error.to_string();
        assert!(told.contains(what), "{told}");
    };
    let whole = std::fs::read(&good.file).unwrap();
    let manifest = std::fs::read_to_string(with_json(&good.file)).unwrap();
    let without = opening(None, Unsealed::Refused);
    let look = async || look(&good.file, &without, scratch.path()).await;
    assert!(look().await.unwrap().is_read);
    std::fs::write(&good.file, &whole[..whole.len() - 1]).unwrap();
    seen(look().await.unwrap_err(), "should have");
    let mut changed = whole.clone();
    let middle = changed.len() / 2;
    changed[middle] ^= 1;
    std::fs::write(&good.file, &changed).unwrap();
    seen(look().await.unwrap_err(), "SHA-256");
    // Who changes a row, and the manifest's hash of the file along with it, is told by the table.
    std::fs::write(&good.file, &whole).unwrap();
    let url = format!("sqlite://{}", good.file.display());
    run_on(&url, "pragma journal_mode = delete").await.unwrap();
    run_on(&url, "update payments set updated_at = updated_at + 1")
        .await
        .unwrap();
    let forged = std::fs::read(&good.file).unwrap();
    let forged_manifest = manifest
        .replace(&good.manifest.sha256, &sha256(&forged))
        .replace(
            &format!("\"bytes\": {}", good.manifest.bytes),
            &format!("\"bytes\": {}", forged.len()),
        );
    std::fs::write(with_json(&good.file), forged_manifest).unwrap();
    seen(look().await.unwrap_err(), "the tables payments are others");
    std::fs::remove_file(with_json(&good.file)).unwrap();
    assert!(matches!(look().await, Err(BackupError::NoManifest(_))));
    // Nothing is written over, and a failure leaves nothing behind.
    let again = take(&store, &Place::File(good.file.clone()), &BY, &tools(None)).await;
    assert!(matches!(again, Err(BackupError::Exists(_))), "{again:?}");
    let nowhere = Place::Folder(shelf.path().join("not-there"));
    assert!(take(&store, &nowhere, &BY, &tools(None)).await.is_err());
    assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 0);
    assert_eq!(std::fs::read_dir(shelf.path()).unwrap().count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sealed_backup_shows_nothing_of_the_books_and_opens_with_its_key_alone() {
    let bed = Bed::sqlite().await;
    let store = settled(&bed).await;
    accepted(&store, request("a-word-that-is-looked-for", "1", T0)).await;
    let (shelf, scratch) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let contains = |file: &Path, needle: &[u8]| {
        let bytes = std::fs::read(file).unwrap();
        bytes.windows(needle.len()).any(|window| window == needle)
    };
    let needle = b"a-word-that-is-looked-for";
    let clear = taken(&store, shelf.path(), None).await;
    assert!(contains(&clear.file, needle));
    let sealed = taken(&store, shelf.path(), Some(7)).await;
    assert!(!contains(&sealed.file, needle));
    assert!(!contains(&with_json(&sealed.file), needle));
    let with = async |key: Option<u8>| {
        let opening = opening(key, Unsealed::Refused);
        look(&sealed.file, &opening, scratch.path()).await
    };
    assert!(with(Some(7)).await.unwrap().is_read);
    assert!(matches!(with(Some(8)).await, Err(BackupError::Seal(_))));
    assert!(matches!(with(None).await, Err(BackupError::Seal(_))));
    assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 0);
    for file in [&clear.file, &sealed.file, &with_json(&sealed.file)] {
        let mode = std::fs::metadata(file).unwrap().permissions();
        let mode = std::os::unix::fs::PermissionsExt::mode(&mode) & 0o777;
        assert_eq!(mode, 0o600, "{}", file.display());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_key_a_backup_in_the_clear_is_believed_only_where_a_person_says_so() {
    let bed = Bed::sqlite().await;
    let store = settled(&bed).await;
    let shelf = tempfile::tempdir().unwrap();
    // Whoever can write to the shelf can plant a whole one with a manifest that fits.
    let planted = taken(&store, shelf.path(), None).await.file;
    let places = tempfile::tempdir().unwrap();
    for (key, unsealed, is_believed) in [
        (Some(7), Unsealed::Refused, false),
        (Some(7), Unsealed::Accepted, true),
        (None, Unsealed::Refused, true),
    ] {
        let with = opening(key, unsealed);
        let looked = look(&planted, &with, places.path()).await;
        let to = places.path().join(format!("{key:?}{unsealed:?}.db"));
        let put_back = restore(&planted, &to, &with, &BY, &SystemClock::new()).await;
        assert_eq!(to.exists(), is_believed, "{with:?}");
        if is_believed {
            assert!(looked.unwrap().is_read);
            assert_eq!(put_back.unwrap().database, to);
        } else {
            assert!(matches!(looked, Err(BackupError::Unsealed)), "{looked:?}");
            assert!(matches!(put_back, Err(BackupError::Unsealed)));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_is_put_back_in_a_folder_of_any_name() {
    let bed = Bed::sqlite().await;
    let store = settled(&bed).await;
    let paid = accepted(&store, request("key", "1", T0)).await;
    let shelf = tempfile::tempdir().unwrap();
    let backup = taken(&store, shelf.path(), None).await.file;
    let place = tempfile::tempdir().unwrap();
    for name in ["a b", "what?mode=ro", "100%41", "#1", "mode=memory", "ü&+"] {
        let folder = place.path().join(name);
        std::fs::create_dir(&folder).unwrap();
        let to = folder.join("xrpayd.db");
        let with = opening(None, Unsealed::Refused);
        let done = restore(&backup, &to, &with, &BY, &SystemClock::new()).await;
        assert_eq!(done.unwrap().database, to, "{name}");
        let left: Vec<_> = std::fs::read_dir(&folder).unwrap().collect();
        assert_eq!(left.len(), 1, "{name}: {left:?}");
        let config = StoreConfig::new(Store::url_of(&to).unwrap());
        let restored = Store::open(&config, Access::Daemon).await.unwrap();
        assert_eq!(restored.file(), Some(to.as_path()));
        assert_eq!(restored.payment(paid.id).await.unwrap(), Some(paid.clone()));
        restored.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_table_is_summed_up_in_a_manifest_or_named_as_left_out() {
    let bed = Bed::sqlite().await;
    let store = settled(&bed).await;
    let shelf = tempfile::tempdir().unwrap();
    let manifest = taken(&store, shelf.path(), None).await.manifest;
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/BACKUPS.md"));
    let page = page.unwrap();
    let (_, named) = page
        .split_once("Not summed up: ")
        .expect("what is left out");
    let (named, _) = named.split_once('.').unwrap();
    let mut all: Vec<String> = named
        .split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect();
    assert_eq!(all.len(), 7, "{named}");
    let summed = manifest.books.unwrap().tables;
    all.extend(summed.into_iter().map(|table| table.table));
    all.sort();
    let sql = "select group_concat(name, ' ') from (select name from sqlite_schema \
               where type = 'table' and name not like 'sqlite%' order by name)";
    assert_eq!(all.join(" "), bed.word(sql).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgresql_is_left_to_its_own_tools() {
    let Some(bed) = Bed::postgres().await else {
        return;
    };
    let store = settled(&bed).await;
    let folder = tempfile::tempdir().unwrap();
    let place = Place::Folder(folder.path().to_owned());
    let refused = take(&store, &place, &BY, &tools(None)).await;
    assert!(matches!(
        refused,
        Err(BackupError::Snapshot(SnapshotError::NotAFile))
    ));
}

fn with_json(file: &Path) -> std::path::PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".json");
    name.into()
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    hex::encode(sha2::Sha256::digest(bytes))
}
