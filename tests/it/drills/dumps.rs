//! Backups of PostgreSQL by its own tools, taken by the script that is shipped and put back as an operator
//! would.

use super::backups::{asked_again_each_is_paid_once, die_in_flight, each_is_paid_once};
use super::scene::{SHORT_LIVED, Scene};
use crate::store::bed::{fresh_postgres, run_on};
use crate::support::clusters::{Server, programs};
use crate::support::executable;
use std::path::Path;
use std::process::Command;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dump_of_postgresql_that_is_put_back_in_the_databases_place_pays_nothing_twice() {
    let Some(url) = fresh_postgres().await else {
        return;
    };
    let scene = Scene::with_store(Some(&url), "manual", "10000", SHORT_LIVED, &[]);
    let shelf = scene.folder().join("backups");
    std::fs::create_dir(&shelf).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/backup-postgres.sh");
    let daemon_config = scene.setup.config().display().to_string();
    let path = format!(
        "{}:{}:{}",
        programs().display(),
        Path::new(env!("CARGO_BIN_EXE_xrpayd"))
            .parent()
            .unwrap()
            .display(),
        std::env::var("PATH").unwrap()
    );
    let named = url::Url::parse(&url).unwrap();
    let port = named.port().unwrap().to_string();
    let back_up_as = |host: &str, path: &str, more: &[&str]| {
        let mut command = Command::new(&script);
        command
            .env("PATH", path)
            .args(["--to", &shelf.display().to_string()]);
        command.envs([
            ("PGHOST", host),
            ("PGPORT", &port),
            ("PGUSER", named.username()),
        ]);
        command.env("PGDATABASE", named.path().trim_start_matches('/'));
        command.args(["--config", &daemon_config, "--profile", "sandbox"]);
        command.args(more).output().unwrap()
    };
    let back_up = |host: &str, more: &[&str]| back_up_as(host, &path, more);
    let daemon = scene.start().await;
    scene.pay(1, 3).await;
    scene.settle_by_hand().await;
    // From another file system, so that it is copied.
    let scratch = tempfile::tempdir_in("/dev/shm").unwrap();
    let scratch_text = scratch.path().display().to_string();
    let asked = [
        "--restore-check",
        "--keep",
        "30d",
        "--keep-min",
        "7",
        "--scratch",
        &scratch_text,
    ];
    let done = back_up("127.0.0.1", &asked);
    let told = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.success(), "{told}");
    let dump = String::from_utf8(done.stdout).unwrap().trim().to_owned();
    assert!(Path::new(&dump).is_file(), "{dump}");
    scene
        .until_metric("backup_last_timestamp_seconds ", |at| at > 1_700_000_000.0)
        .await;
    scene.setup.command(&["store", "verify-backup", &dump]);
    // A dump that fails is no backup, and leaves nothing behind.
    let count = || std::fs::read_dir(&shelf).unwrap().count();
    let before = count();
    let failed = back_up("127.0.0.9", &[]);
    assert!(!failed.status.success() && failed.stdout.is_empty());
    assert_eq!(count(), before);
    // Nor is one that came to the shelf cut short.
    let cutting = scene.folder().join("cutting");
    std::fs::create_dir(&cutting).unwrap();
    let cuts = "#!/bin/sh\nhead -c 100 \"$2\" >\"$3\"\n";
    executable::write(&cutting.join("cp"), cuts);
    let cut = format!("{}:{path}", cutting.display());
    let failed = back_up_as("127.0.0.1", &cut, &asked);
    let told = String::from_utf8_lossy(&failed.stderr).into_owned();
    assert!(
        !failed.status.success() && failed.stdout.is_empty(),
        "{told}"
    );
    assert!(told.contains("is not what was written in"), "{told}");
    assert_eq!(count(), before);
    die_in_flight(&scene, daemon).await;

    // A newer schema has left a table: what is put back goes into a database that has none.
    run_on(&url, "create table of_a_newer_schema (n bigint)")
        .await
        .unwrap();
    let put_back = || {
        let mut command = Command::new(script.with_file_name("restore-postgres.sh"));
        command.env("PATH", &path).env("PGHOST", "127.0.0.1");
        command.env("PGPORT", &port).env("PGUSER", named.username());
        command.env("PGDATABASE", named.path().trim_start_matches('/'));
        command.args(["--from", &dump, "--config", &daemon_config]);
        let done = command.args(["--profile", "sandbox"]).output().unwrap();
        let told = String::from_utf8_lossy(&done.stderr).into_owned();
        (done.status.success(), told)
    };
    let (is_done, told) = put_back();
    assert!(!is_done && told.contains("is not empty"), "{told}");
    emptied(&url).await;
    // The same name on the same server: nothing of PostgreSQL's tells that it is older.
    let (is_done, told) = put_back();
    assert!(is_done, "{told}");
    assert!(told.contains("1 wallets sign nothing"), "{told}");
    let _daemon = scene.start().await;
    asked_again_each_is_paid_once(&scene).await;
}

/// Puts an empty database in a database's place, as the runbook does: the old one stays, under another name.
pub async fn emptied(url: &str) {
    let (base, _) = url.split_once('?').unwrap_or((url, ""));
    let (_, name) = base.rsplit_once('/').unwrap();
    let server = url.replacen(&format!("/{name}"), "/postgres", 1);
    // What a killed daemon left open is closed by the server a moment later.
    let end = format!(
        "select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = '{name}'"
    );
    for statement in [
        end,
        format!("drop database if exists {name}_lost"),
        format!("alter database {name} rename to {name}_lost"),
        format!("create database {name}"),
    ] {
        run_on(&server, &statement).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_recovered_to_a_moment_knows_it_by_itself_and_pays_nothing_twice() {
    if fresh_postgres().await.is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::archiving(folder.path()).await;
    server.create_database("pay").await;
    let url = server.url("pay");
    let scene = Scene::with_store(Some(&url), "manual", "10000", SHORT_LIVED, &[]);
    let daemon = scene.start().await;
    server.base_backup("base");
    // What the log alone has, since the files were copied.
    scene.pay(1, 3).await;
    scene.settle_by_hand().await;
    server.name_moment("the_moment").await;
    die_in_flight(&scene, daemon).await;
    server.recover("base", "the_moment").await;
    let _daemon = scene.start().await;
    each_is_paid_once(&scene).await;
}
