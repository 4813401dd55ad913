//! Five hundred kills at random instants, half of them on each store, beside the faults of the
//! ledger's servers and clients that retry.

use super::dice::{Dice, seed};
use super::shoppers::only_draining;
use super::stage::{GRACE, Stage};
use super::trouble;
use sqlx::{Connection as _, Executor as _, PgConnection};
use std::time::{Duration, Instant};

/// On each store.
const KILLS: u32 = 250;
const SHOPPERS: u64 = 6;
/// Between two audits.
const KILLS_PER_GLANCE: u32 = 50;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_of_five_hundred_kills_lose_nothing_and_pay_nothing_twice_on_sqlite() {
    survive(&Stage::new(seed(), None), None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_of_five_hundred_kills_lose_nothing_and_pay_nothing_twice_on_postgresql() {
    let Some(store) = crate::store::fresh_postgres().await else {
        return;
    };
    let coroner = PgConnection::connect(&store).await.unwrap();
    survive(&Stage::new(seed(), Some(&store)), Some(coroner)).await;
}

/// How long a daemon lives: some die while they start or read what the last one left, most at
/// work, a few after time enough to see payments through.
fn life(dice: &Dice) -> Duration {
    Duration::from_millis(match dice.between(1, 100) {
        1..=30 => dice.between(2, 50),
        31..=80 => dice.between(50, 250),
        _ => dice.between(250, 900),
    })
}

/// Says that whoever holds the wallet is dead, so that the next daemon does not wait for the lease: most of
/// these lives are shorter than any.
async fn certify(coroner: &mut PgConnection) {
    let sql = "update leases set expires_at = 0";
    coroner.execute(sql).await.unwrap();
}

async fn survive(stage: &Stage, mut coroner: Option<PgConnection>) {
    let began = Instant::now();
    let mut shoppers = stage.shoppers(SHOPPERS, 60, only_draining);
    let (mut kills, mut drains) = (0, 0);
    let dice = Dice::new(stage.seed, 1_000);
    let killing = async {
        while kills < KILLS {
            let mut daemon = stage.setup.start();
            tokio::time::sleep(life(&dice)).await;
            if dice.happens(4) {
                // An operator's restart in between, with requests under way.
                stage.setup.ready().await;
                assert_eq!(daemon.terminate(GRACE), Some(0), "{}", stage.setup.log());
                drains += 1;
                continue;
            }
            assert!(
                !daemon.has_ended(),
                "it died by itself: {}",
                stage.setup.log()
            );
            daemon.kill();
            kills += 1;
            if let Some(coroner) = &mut coroner {
                certify(coroner).await;
            }
            shoppers.still_content().await;
            if kills % KILLS_PER_GLANCE == 0 {
                stage.glance().await;
            }
        }
    };
    tokio::select! {
        () = killing => {}
        () = trouble::reign(&stage.ledger, Dice::new(stage.seed, 2_000)) => {}
    }
    let hurt = began.elapsed();
    stage.ledger.clear().await;
    let survivor = stage.setup.start();
    stage.setup.ready().await;
    shoppers.close().await;
    let (payments, succeeded) = stage.audit().await;
    println!(
        "{kills} kills and {drains} drains in {hurt:.1?}, {payments} payments, {succeeded} of them \
         succeeded, {} answers checked, healed after {:.1?}",
        stage.history.answers(),
        began.elapsed() - hurt,
    );
    assert_eq!(survivor.terminate(GRACE), Some(0));
}
