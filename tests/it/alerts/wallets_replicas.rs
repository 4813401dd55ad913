//! Drills of wallets that another replica works than the one that is asked.

use super::bed::target;
use super::drill::Drill;
use super::runbook::Hands;
use super::table::Course;
use super::watch::{Shortened, Watch};
use crate::drills::scene::SHOP;
use crate::store::fresh_postgres;
use crate::support::daemon::{Setup, WALLET};
use crate::support::fleet::Fleet;
use crate::support::ledger::Ledger;
use sqlx::{Connection as _, PgConnection};
use tokio::sync::Mutex;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
pub(super) async fn a_wallet_of_which_its_holder_says_nothing_is_told_of() {
    let Some(store) = fresh_postgres().await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let fund = [(WALLET.0, "10000"), (SHOP, "1000")];
    let ledger = Ledger::start(folder.path(), "250ms", &fund);
    let setup = |name: &str| {
        let folder = folder.path().join(name);
        std::fs::create_dir(&folder).unwrap();
        Setup::in_one_file(&folder, &ledger.urls, &store, &[])
    };
    let mut fleet = Fleet::of(["one", "other"].map(setup).into());
    let targets = [0, 1].map(|place| fleet.setup(place).metrics.clone());
    let targets = targets.each_ref().map(|metrics| target(metrics));
    let stale: &[Shortened<'_>] = &[(
        "WalletViewStale",
        &[("> 15", "> 3"), ("for: 1m", "for: 1s")],
    )];
    let Some(watch) = Watch::over(folder.path(), &targets, stale).await else {
        return;
    };
    fleet.start_all().await;
    let held = "sum(lease_held) == 1 and count(up{job=\"xrpayd\"} == 1) == 2";
    watch.prometheus.until(held, |held| !held.is_empty()).await;
    let hands = Hands::new(folder.path(), fleet.setup(0))
        .watched_by(&watch.prometheus, &watch.alertmanager);
    let course = Course::of(&a_wallet_of_which_its_holder_says_nothing_is_told_of);
    let drill = Drill {
        watch: &watch,
        hands: &hands,
        course: &course,
    };
    // Somebody has the table open and has gone for coffee: it is read, and nobody writes it.
    let somebody = Mutex::new(PgConnection::connect(&store).await.unwrap());
    let does = async |what: &'static str| {
        let mut somebody = somebody.lock().await;
        sqlx::raw_sql(what).execute(&mut *somebody).await.unwrap();
    };
    let locks = does("begin; lock table lane_views in exclusive mode");
    drill
        .by_others(&["WalletViewStale"], locks, does("rollback"))
        .await;
    fleet.terminate_all(crate::drills::scene::GRACE).await;
}
