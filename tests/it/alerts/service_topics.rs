//! The pages that are about no single alert: their commands are run in their order, on throw-away data,
//! the destructive ones among them.

use super::runbook::{Hands, Runbook};
use super::service::Place;
use crate::drills::pair::SEED;
use crate::drills::scene::{PATIENCE, SHOP, Scene};
use crate::support::overlay::Overlay;
use serde_json::json;
use std::path::Path;
use std::time::{Duration, Instant};

/// What the warm wallet has.
const WARM_XRP: u64 = 500;
/// What the hot one is given of it.
const REFILL_XRP: u64 = 25;
/// Pages that leave the service as it was.
const PAGES: [&str; 5] = [
    "README",
    "on-call",
    "incident-template",
    "total-outage",
    "roll-back",
];

/// Every block of a page, in its order.
async fn work_through(hands: &Hands, page: &Runbook) {
    assert!(!page.blocks.is_empty(), "a page without a command");
    // `survival::roll_back` deploys, on a fleet behind nginx.
    for block in page.blocks.iter().filter(|block| !block.deploys()) {
        hands.run(block).await;
    }
}

/// A page of `docs/`.
fn of_docs(name: &str) -> Runbook {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("docs")
        .join(name);
    let text = std::fs::read_to_string(path).unwrap();
    Runbook::read(name, &text).unwrap_or_else(|error| panic!("{error}"))
}

/// A daemon with a hot wallet and a warm one, that is watched.
async fn hot_and_warm() -> Option<Place> {
    let key = xrpayd_codec::Keypair::from_seed(SEED).unwrap();
    let address = key.public_key().account_id().to_string();
    let folder = tempfile::tempdir().unwrap();
    let seed = folder.keep().join("warm.seed");
    std::fs::write(&seed, SEED).unwrap();
    let warm = format!(
        "address = \"{address}\"\nseed = \"file:{}\"\nwallet_type = \"warm\"\n",
        seed.display()
    );
    let scene = Scene::in_one_file("250ms", "10000", &[("wallets.warm", &warm)]);
    let drops = (WARM_XRP * 1_000_000).to_string();
    let fund = json!({ "command": "sandbox_fund", "account": address, "drops": drops });
    scene.ledger.ask(fund).await;
    Place::over(scene, Overlay::of_the_repository(), &[]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_commands_of_every_other_page_do_what_the_page_says() {
    let Some(place) = hot_and_warm().await else {
        return;
    };
    let hands = place
        .hands
        .clone()
        .given("PROBE_TO", SHOP)
        .given("LAUNCH", "first")
        .given("TO", SHOP)
        .given("WARM", "warm")
        .given("REFILL", &REFILL_XRP.to_string())
        .given("REFILL_ID", "1");
    for name in PAGES {
        work_through(&hands, &Runbook::of(name)).await;
    }
    work_through(&hands, &of_docs("ONBOARDING.md")).await;
    work_through(&hands, &of_docs("OPERATIONS.md")).await;
    let launch = Runbook::of("launch-day");
    work_through(&hands, &launch).await;
    // Whoever tries the first payment again, a day later too, gives the name that was written down.
    let mut first = launch.blocks.iter();
    let first = first.find(|block| block.text.contains("Idempotency-Key: launch-"));
    let first = first.expect("the first payment");
    let paid = || async {
        let told = hands.run(first).await;
        let paid = told.lines().find(|line| line.contains("\"id\""));
        paid.expect("its id").to_owned()
    };
    let before = paid().await;
    assert_eq!(before, paid().await, "a second try is a second payment");
    assert!(!first.text.contains("date"), "its name depends on the day");

    let merchant = &place.scene.merchant;
    let before = merchant.get("/v1/wallets/hot").await["balance"]["value"].clone();
    work_through(&hands, &Runbook::of("hot-wallet-refill")).await;
    let (before, wanted) = (before.as_str().unwrap(), REFILL_XRP);
    let drops = |xrp: &str| xrpayd_core::money::Drops::from_xrp(xrp).unwrap().get();
    let after = drops(before) + wanted * 1_000_000;
    merchant
        .until("/v1/wallets/hot", |wallet| {
            wallet["balance"]["value"].as_str().map(drops) == Some(after)
        })
        .await;

    let stolen = std::fs::read_to_string(place.scene.folder().join("runbooks.key")).unwrap();
    let id = stolen.split('_').nth(1).unwrap();
    // No key of the wallet is changed here, so there is nothing that its hash would accept.
    let change = "0".repeat(64);
    let hands = hands.given("STOLEN_KEY_ID", id).given("CHANGE", &change);
    work_through(&hands, &Runbook::of("key-rotation")).await;
    let rotated = std::fs::read_to_string(place.scene.folder().join("runbooks.key")).unwrap();
    assert_ne!(stolen, rotated, "the key is the one that it was");
    let client = reqwest::Client::new();
    for key in [stolen, rotated] {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let url = format!("{}/v1/limits", place.scene.setup.api);
            let asked = client.get(url).bearer_auth(key.trim());
            if asked.send().await.unwrap().status().as_u16() == 401 {
                break;
            }
            assert!(Instant::now() < deadline, "a revoked key holds");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    let pauses = place.scene.setup.command(&["resume", "--scope", "all"]);
    assert_eq!(pauses["changed"], true, "the last page leaves all paused");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_is_put_back_as_the_page_says_and_nothing_is_paid_twice() {
    let scene = Scene::in_one_file("250ms", "10000", &[("wallets.hot", "ledger_window = 5\n")]);
    let Some(place) = Place::over(scene, Overlay::of_the_repository(), &[]).await else {
        return;
    };
    let scene = &place.scene;
    scene.pay(1, 2).await;
    scene.settle().await;
    let backups = scene.folder().join("backups");
    let to = backups.to_str().unwrap();
    scene.setup.command(&["store", "backup", "--to", to]);
    scene.pay(3, 2).await;
    scene.settle().await;
    place.kill();
    for block in &Runbook::of("restore-from-backup").blocks {
        if block.text.contains("/health/ready") {
            place.start().await;
        }
        place.hands.run(block).await;
    }
    // Their clients ask again under the same keys, and for two new ones.
    scene.pay(3, 4).await;
    scene.all_succeed(6).await;
}
