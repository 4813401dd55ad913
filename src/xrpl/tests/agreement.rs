//! What a quorum of servers says of an account.

use super::world::{Fake, Reaction, World, genesis, payment, state, until};
use crate::xrpl::{Delivered, HistoryError, RootAfter, RootBefore, Voice};
use serde_json::json;
use std::future::Future as _;
use xrpayd_core::ids::{LedgerIndex, UnixMs};
use xrpayd_core::money::Drops;

const FROM: LedgerIndex = LedgerIndex(3);
const TO: LedgerIndex = LedgerIndex(5);

/// Five transactions in two ledgers, told out of order within a page.
fn tell_history(server: &mut Fake) {
    server.history = vec![
        payment(server, 4, 1, 8, "tecNO_DST"),
        payment(server, 4, 0, 7, "tesSUCCESS"),
        payment(server, 4, 2, 9, "tesSUCCESS"),
        payment(server, 5, 0, 10, "tesSUCCESS"),
        payment(server, 5, 1, 11, "tesSUCCESS"),
    ];
}

async fn world(servers: usize) -> (World, crate::xrpl::Pool) {
    let world = World::new(servers);
    world.each(tell_history);
    let pool = world.ready().await;
    (world, pool)
}

#[tokio::test(start_paused = true)]
async fn history_is_read_to_its_last_page_from_as_many_servers_as_must_agree() {
    let (world, pool) = world(3).await;
    let history = pool.history(genesis(), FROM, TO).await.unwrap();
    assert_eq!(
        (history.from, history.to, history.servers.len()),
        (FROM, TO, 3)
    );
    assert_eq!(history.to_hash.to_string(), world.server(0).hash(5));
    let places: Vec<(u32, u32)> = history
        .entries
        .iter()
        .map(|entry| (entry.ledger_index.0, entry.tx_index))
        .collect();
    assert_eq!(places, [(4, 0), (4, 1), (4, 2), (5, 0), (5, 1)]);
    let first = &history.entries[0];
    assert_eq!(
        (first.account, first.sequence, first.ticket),
        (genesis(), 7, None)
    );
    assert_eq!((first.destination_tag, first.source_tag), (Some(0), None));
    assert_eq!(first.delivered, Delivered::Xrp(Drops::new(90).unwrap()));
    let root = RootAfter {
        balance: Drops::new(900).unwrap(),
        sequence: 8,
        owner_count: 2,
        before: Some(RootBefore {
            balance: Drops::new(1_000).unwrap(),
            sequence: 7,
            owner_count: 2,
        }),
    };
    assert_eq!(first.own_root, Some(root));
    assert_eq!(history.entries[1].result, "tecNO_DST");
    assert_eq!(history.entries[1].delivered, Delivered::Nothing);
    let asked: usize = (0..3)
        .map(|index| world.server(index).asked("account_tx"))
        .sum();
    assert_eq!(
        asked, 9,
        "three pages from each of three servers: two that must agree, and a witness"
    );
}

#[tokio::test(start_paused = true)]
async fn a_server_that_hides_a_transaction_is_outvoted_by_a_clear_majority_and_counted() {
    let (world, pool) = world(4).await;
    world.server(0).history.remove(3);
    for _ in 0..3 {
        let history = pool.history(genesis(), FROM, TO).await.unwrap();
        assert_eq!(history.entries.len(), 5);
        assert!(!history.servers.contains(&"s0".to_owned()));
    }
    assert!(world.metrics.xrpl_server_disagreements_total.get() >= 1);
}

#[tokio::test(start_paused = true)]
async fn two_against_one_conclude_nothing_where_nothing_can_be_proven() {
    let (world, pool) = world(3).await;
    for liar in 0..2 {
        world.server(liar).history.remove(3);
    }
    let history = pool.history(genesis(), FROM, TO).await;
    assert!(
        matches!(history, Err(HistoryError::Disagreement { .. })),
        "two liars are no majority over an honest server: {history:?}"
    );
    assert!(!pool.disputes().is_empty());
}

#[tokio::test(start_paused = true)]
async fn two_servers_of_one_operator_do_not_make_a_quorum() {
    let world = World::new(3);
    world.each(tell_history);
    let mut config = world.config();
    config.servers[1].operator = config.servers[0].operator.clone();
    let pool = world.start_with(config);
    for index in 0..3 {
        until(|| state(&pool, index) == "ready").await;
    }
    let history = pool.history(genesis(), FROM, TO).await.unwrap();
    assert!(history.servers.contains(&"s2".to_owned()));
    world.server(2).refuses = Some(crate::xrpl::transport::LinkError::Broken("down".into()));
    world.server(2).hang_up();
    until(|| state(&pool, 2) == "connecting").await;
    let none = HistoryError::NotEnoughServers {
        ready: 1,
        quorum: 2,
    };
    assert_eq!(pool.history(genesis(), FROM, TO).await, Err(none));
}

#[tokio::test(start_paused = true)]
async fn two_servers_that_contradict_each_other_conclude_nothing() {
    type Lie = fn(&mut Fake);
    let lies: [(&str, Lie); 9] = [
        ("a hidden transaction", |server| drop(server.history.pop())),
        ("another result", |server| {
            server.history[1]["meta"]["TransactionResult"] = "tecNO_DST".into()
        }),
        ("another amount", |server| {
            server.history[1]["meta"]["delivered_amount"] = "91".into()
        }),
        ("another hash", |server| {
            server.history[1]["hash"] = "9".repeat(64).into()
        }),
        ("a token that came", |server| {
            let line = &mut server.history[1]["meta"]["AffectedNodes"][0]["ModifiedNode"];
            line["PreviousFields"] = json!({"Balance": {"currency": "USD",
                "issuer": "rrrrrrrrrrrrrrrrrrrrBZbvji", "value": "2"}});
        }),
        ("another balance before", |server| {
            let root = &mut server.history[1]["meta"]["AffectedNodes"][2]["ModifiedNode"];
            root["PreviousFields"]["Balance"] = "800".into();
        }),
        ("a mark of a return", |server| {
            let mark = json!({"Memo": {"MemoType": hex::encode_upper("xrpayd/return")}});
            server.history[1]["tx_json"]["Memos"] = json!([mark]);
        }),
        ("another close time", |server| {
            server.history[1]["tx_json"]["date"] = 800_000_003.into()
        }),
        ("another payer of the fee", |server| {
            server.history[1]["tx_json"]["Delegate"] = "rrrrrrrrrrrrrrrrrrrrrhoLvTp".into()
        }),
    ];
    for (name, lie) in lies {
        let (world, pool) = world(2).await;
        lie(&mut world.server(1));
        match pool.history(genesis(), FROM, TO).await {
            Err(HistoryError::Disagreement { left, right }) => {
                assert_ne!(left.server, right.server, "{name}")
            }
            other => panic!("{name}: {other:?}"),
        }
        assert_eq!(
            world.metrics.xrpl_server_disagreements_total.get(),
            1,
            "{name}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_tells_no_close_time_agrees_with_those_that_do() {
    let (world, pool) = world(2).await;
    for tx in &mut world.server(1).history {
        drop(tx["tx_json"].as_object_mut().unwrap().remove("date"));
    }
    let history = pool.history(genesis(), FROM, TO).await.unwrap();
    assert_eq!(history.servers.len(), 2);
    let closed_at = UnixMs((800_000_005 + 946_684_800) * 1_000);
    assert_eq!(history.to_closed_at, Some(closed_at));
}

#[tokio::test(start_paused = true)]
async fn servers_on_a_fork_do_not_agree_on_a_history_that_looks_the_same() {
    let world = World::new(2);
    world.server(1).chain = 0xB0;
    let pool = world.ready().await;
    assert!(pool.tip().borrow().is_none());
    let history = pool.history(genesis(), FROM, TO).await;
    assert!(
        matches!(history, Err(HistoryError::Disagreement { .. })),
        "{history:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_server_with_a_hole_in_its_history_is_passed_over_for_another() {
    let (world, pool) = world(3).await;
    world.server(0).complete = Some("2-3,5-6".into());
    world.each(Fake::close);
    until(|| {
        pool.servers()
            .iter()
            .all(|view| view.validated_ledger == Some(LedgerIndex(6)))
    })
    .await;
    let history = pool.history(genesis(), FROM, TO).await.unwrap();
    assert_eq!((history.to, history.servers.len()), (TO, 2));
    assert_eq!(world.server(0).asked("account_tx"), 0);
}

#[tokio::test(start_paused = true)]
async fn history_ends_where_not_enough_servers_hold_it() {
    let (world, pool) = world(2).await;
    world.server(0).complete = Some("2-4".into());
    world.each(Fake::close);
    until(|| pool.servers()[0].complete_ledgers == "2-4").await;
    let history = pool.history(genesis(), FROM, LedgerIndex(6)).await.unwrap();
    assert_eq!((history.to, history.entries.len()), (LedgerIndex(4), 3));
    let gap = pool.history(genesis(), LedgerIndex(1), TO).await;
    let lowest = Some(LedgerIndex(2));
    assert_eq!(
        gap,
        Err(HistoryError::Gap {
            from: LedgerIndex(1),
            holding: 0,
            quorum: 2,
            lowest
        })
    );
}

/// The history has three transactions in ledger 4 and two in ledger 5.
#[tokio::test(start_paused = true)]
async fn an_answer_of_a_few_transactions_ends_with_a_whole_ledger_that_bears_some() {
    let (_world, pool) = world(3).await;
    let read = async |from: LedgerIndex, most| {
        let history = pool.history_of(genesis(), (from, TO), most).await.unwrap();
        (history.to.0, history.entries.len())
    };
    assert_eq!(read(FROM, 1).await, (4, 3), "a ledger is never cut");
    assert_eq!(read(FROM, 3).await, (4, 3));
    assert_eq!(read(FROM, 4).await, (4, 3), "the next ledger is not whole");
    assert_eq!(read(FROM, 6).await, (TO.0, 5));
    assert_eq!(read(LedgerIndex(5), 1).await, (5, 2));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_clips_the_range_in_silence_is_passed_over() {
    let (world, pool) = world(3).await;
    for liar in 0..2 {
        world.server(liar).on("account_tx", |_| {
            Some(Reaction::Result(json!({"validated": true, "ledger_index_min": 5, "ledger_index_max": 5, "transactions": []})))
        });
    }
    let history = pool.history(genesis(), FROM, TO).await;
    assert!(
        matches!(history, Err(HistoryError::Request(_))),
        "one server is no quorum: {history:?}"
    );
    world.server(1).scripts.clear();
    assert_eq!(
        pool.history(genesis(), FROM, TO)
            .await
            .unwrap()
            .entries
            .len(),
        5
    );
}

#[tokio::test(start_paused = true)]
async fn too_few_servers_agree_on_nothing() {
    let (world, pool) = world(2).await;
    world.server(0).refuses = Some(crate::xrpl::transport::LinkError::Broken("down".into()));
    world.server(0).hang_up();
    until(|| state(&pool, 0) == "connecting").await;
    let none = HistoryError::NotEnoughServers {
        ready: 1,
        quorum: 2,
    };
    assert_eq!(pool.history(genesis(), FROM, TO).await, Err(none.clone()));
    assert_eq!(pool.account_root(genesis(), TO).await, Err(none));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_dies_while_it_is_asked_is_replaced() {
    let (world, pool) = world(3).await;
    for index in 0..3 {
        let mut server = world.server(index);
        server.on("account_tx", |_| None);
    }
    world.server(0).on("account_tx", |_| {
        Some(Reaction::Error("lgrIdxMalformed", json!({})))
    });
    let history = pool.history(genesis(), FROM, TO).await.unwrap();
    assert_eq!(history.servers.len(), 2);
    assert!(!history.servers.contains(&"s0".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn the_account_root_is_agreed_at_one_validated_ledger() {
    let (world, pool) = world(2).await;
    let agreed = pool.account_root(genesis(), TO).await.unwrap();
    let root = agreed.root.unwrap();
    assert_eq!(
        (
            agreed.at,
            root.sequence,
            root.balance.get(),
            root.owner_count
        ),
        (TO, 9, 1_000, 1)
    );
    assert_eq!(agreed.servers.len(), 2);
    world.server(1).on("account_info", |request| {
        Some(Reaction::Result(json!({"validated": true, "ledger_index": request["ledger_index"], "account_data":
            {"Account": request["account"], "Balance": "1000", "Flags": 0, "OwnerCount": 1, "Sequence": 10}})))
    });
    let root = pool.account_root(genesis(), TO).await;
    assert!(
        matches!(root, Err(HistoryError::Disagreement { .. })),
        "{root:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_account_that_does_not_exist_is_only_absent_from_a_validated_ledger() {
    let (world, pool) = world(2).await;
    let absent = |validated: bool, index: u32| {
        move |_: &serde_json::Value| {
            Some(Reaction::Error(
                "actNotFound",
                json!({"validated": validated, "ledger_index": index}),
            ))
        }
    };
    world.each(|server| server.on("account_info", absent(true, 5)));
    assert_eq!(pool.account_root(genesis(), TO).await.unwrap().root, None);
    for (validated, index) in [(false, 5), (true, 4)] {
        world.each(|server| server.on("account_info", absent(validated, index)));
        let root = pool.account_root(genesis(), TO).await;
        assert!(matches!(root, Err(HistoryError::Request(_))), "{root:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_freezes_while_it_is_asked_does_not_hold_the_others_up() {
    let (world, pool) = world(3).await;
    for frozen in 0..3 {
        world.each(|server| server.scripts.clear());
        world
            .server(frozen)
            .on("account_tx", |_| Some(Reaction::Silence));
        let began = tokio::time::Instant::now();
        let history = pool.history(genesis(), FROM, TO).await.unwrap();
        assert_eq!(history.entries.len(), 5);
        assert!(began.elapsed() < std::time::Duration::from_secs(2));
    }
}

#[tokio::test(start_paused = true)]
async fn servers_whose_word_does_not_count_are_submitted_to_and_not_believed() {
    let world = World::new(3);
    world.each(tell_history);
    let mut config = world.config();
    config.servers[0].voice = Voice::Unheard;
    let pool = world.start_with(config);
    for index in 0..3 {
        until(|| state(&pool, index) == "ready").await;
    }
    assert!(pool.history(genesis(), FROM, TO).await.is_ok());
    assert!(pool.account_root(genesis(), TO).await.is_ok());
    for command in ["account_tx", "account_info"] {
        assert_eq!(world.server(0).asked(command), 0);
    }
    world.server(1).refuses = Some(crate::xrpl::transport::LinkError::Broken("down".into()));
    world.server(1).hang_up();
    until(|| state(&pool, 1) == "connecting").await;
    let none = HistoryError::NotEnoughServers {
        ready: 1,
        quorum: 2,
    };
    assert_eq!(pool.history(genesis(), FROM, TO).await, Err(none));
    assert!(pool.fee().await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_contradiction_after_a_quorum_has_spoken_waits_for_the_others_without_spinning() {
    let (world, pool) = world(4).await;
    world.server(2).history[1]["meta"]["TransactionResult"] = "tecNO_DST".into();
    world
        .server(3)
        .on("account_tx", |_| Some(Reaction::Silence));
    let mut asking = Box::pin(pool.history(genesis(), FROM, TO));
    let mut polls = 0;
    let history = std::future::poll_fn(|cx| {
        polls += 1;
        assert!(polls < 10_000, "it spins");
        asking.as_mut().poll(cx)
    })
    .await;
    assert!(
        matches!(history, Err(HistoryError::Disagreement { .. })),
        "{history:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn pages_without_end_are_not_followed_for_ever() {
    const MANY: usize = 10_000;
    let (world, pool) = world(2).await;
    let page = vec![payment(&world.server(0), 3, 0, 7, "tesSUCCESS"); 2];
    let mut pages = 0;
    world.server(0).on("account_tx", move |_| {
        pages += 1;
        let marker = json!({"ledger": 3, "seq": pages});
        (pages < MANY).then(|| {
            Reaction::Result(
                json!({"validated": true, "ledger_index_min": 3, "ledger_index_max": 5,
                "marker": marker, "transactions": page}),
            )
        })
    });
    let history = pool.history(genesis(), FROM, TO).await;
    assert!(
        matches!(history, Err(HistoryError::Request(_))),
        "{history:?}"
    );
    assert!(world.server(0).asked("account_tx") < MANY);
}
