//! Two replicas on one PostgreSQL: one is gone, nobody can take a wallet, the pool is used up, the others
//! are not heard.

use super::bed::target;
use super::drill::Drill;
use super::runbook::Hands;
use super::table::Course;
use super::watch::{Watch, shortened};
use crate::drills::scene::SHOP;
use crate::store::fresh_postgres;
use crate::support::daemon::{Setup, WALLET};
use crate::support::ledger::Ledger;
use crate::support::process::Process;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;
use tokio::task::JoinHandle;

/// The role by which replicas listen to each other in this drill, so that it can be taken away.
const EARS: &str = "xrpayd_ears";
/// Lists that are read at a time: more than there are connections.
const READERS: usize = 12;

/// The URL of a database with another role.
fn as_role(url: &str, role: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap();
    let (_, host) = rest.rsplit_once('@').unwrap();
    format!("{scheme}://{role}@{host}")
}

fn set_up(folder: &Path, name: &str, urls: &[String], store: &str) -> Setup {
    let folder = folder.join(name);
    std::fs::create_dir(&folder).unwrap();
    let ears = as_role(store, EARS);
    let database = format!("listen_url = \"{ears}\"\nmax_connections = 8\nreplicas = 2\n");
    let lease = format!("ttl = \"2s\"\nname = \"{name}\"\n");
    let settings = [("store", database.as_str()), ("lease", lease.as_str())];
    Setup::in_one_file(&folder, urls, store, &settings)
}

async fn run(connection: &mut PgConnection, sql: &str) {
    connection
        .execute(AssertSqlSafe(sql.to_owned()))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
pub(super) async fn what_keeps_replicas_from_their_work_is_noticed() {
    let Some(store) = fresh_postgres().await else {
        return;
    };
    let mut owner = PgConnection::connect(&store).await.unwrap();
    let role = format!(
        "do $$ begin if not exists (select from pg_roles where rolname = '{EARS}') then \
         create role {EARS} superuser; end if; end $$; alter role {EARS} login"
    );
    run(&mut owner, &role).await;
    let folder = tempfile::tempdir().unwrap();
    let fund = [(WALLET.0, "10000"), (SHOP, "1000")];
    let ledger = Ledger::start(folder.path(), "250ms", &fund);
    let setups = ["one", "other"].map(|name| set_up(folder.path(), name, &ledger.urls, &store));
    let [one, other] = &setups;
    let rules = shortened(&[
        ("XrpaydReplicaDown", &[("for: 2m", "for: 1s")]),
        ("NoLeaseHolder", &[("for: 1m", "for: 1s")]),
        ("StorePoolLow", &[("for: 5m", "for: 1s")]),
        ("ReplicaDeaf", &[("for: 10m", "for: 1s")]),
    ]);
    let targets = [target(&one.metrics), target(&other.metrics)];
    let Some(watch) = Watch::with(folder.path(), &targets, rules).await else {
        return;
    };
    let first = one.start();
    one.ready().await;
    let second = Mutex::new(Some(other.start()));
    other.ready().await;
    let hands = Hands::new(folder.path(), one).watched_by(&watch.prometheus, &watch.alertmanager);
    let course = Course::of(&what_keeps_replicas_from_their_work_is_noticed);
    let drill = Drill {
        watch: &watch,
        hands: &hands,
        course: &course,
    };
    let both_hear = "sum(hints_listening) == 2";
    watch
        .prometheus
        .until(both_hear, |sum| !sum.is_empty())
        .await;

    let gone = async {
        let process: Option<Process> = second.lock().unwrap().take();
        process.expect("it runs").kill();
    };
    let back = async {
        let process = other.start();
        other.ready().await;
        *second.lock().unwrap() = Some(process);
    };
    drill.by_others(&["XrpaydReplicaDown"], gone, back).await;
    watch
        .prometheus
        .until(both_hear, |sum| !sum.is_empty())
        .await;

    let ears = tokio::sync::Mutex::new(PgConnection::connect(&store).await.unwrap());
    let deaf = async {
        let mut owner = ears.lock().await;
        let cut = format!(
            "alter role {EARS} nologin; select pg_terminate_backend(pid) from pg_stat_activity \
             where usename = '{EARS}' and datname = current_database()"
        );
        run(&mut owner, &cut).await;
    };
    let hears = async { run(&mut *ears.lock().await, &format!("alter role {EARS} login")).await };
    drill.by_others(&["ReplicaDeaf"], deaf, hears).await;

    let job = tokio::sync::Mutex::new(None);
    let lock = async |table: &str| {
        let mut held = PgConnection::connect(&store).await.unwrap();
        run(&mut held, &format!("begin; lock table {table}")).await;
        held
    };
    let refused = async { *job.lock().await = Some(lock("leases in exclusive mode").await) };
    let free = async { drop(job.lock().await.take()) };
    drill.by_others(&["NoLeaseHolder"], refused, free).await;

    let readers: Mutex<Vec<JoinHandle<()>>> = Mutex::new(Vec::new());
    let key = one.create_key("readers", &["payments:read"]);
    let full = async {
        *job.lock().await = Some(lock("payments in access exclusive mode").await);
        let reader = || {
            let (url, key) = (format!("{}/v1/payments", one.api), key.clone());
            tokio::spawn(async move {
                let client = reqwest::Client::new();
                loop {
                    // It waits, and is refused in the end.
                    let _answer = client.get(&url).bearer_auth(&key).send().await;
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            })
        };
        *readers.lock().unwrap() = (0..READERS).map(|_| reader()).collect();
    };
    let free = async {
        for reader in readers.lock().unwrap().drain(..) {
            reader.abort();
        }
        drop(job.lock().await.take());
    };
    drill.by_others(&["StorePoolLow"], full, free).await;
    drop(first);
}
