//! A new configuration while the pool lives.

use super::world::{Fake, Reaction, World, genesis, state, tip_at, until};
use crate::xrpl::Members;
use std::time::Duration;
use xrpayd_core::ids::LedgerIndex;

#[tokio::test(start_paused = true)]
async fn a_new_configuration_adds_and_removes_servers_and_leaves_the_others_alone() {
    let world = World::new(4);
    let all = world.members();
    let of = |indexes: &[usize]| Members {
        servers: indexes.iter().map(|&n| all.servers[n].clone()).collect(),
        ..all.clone()
    };
    let mut config = world.config();
    config.servers = of(&[0, 1, 2]).servers;
    let pool = world.start_with(config);
    until(|| {
        pool.servers()
            .iter()
            .all(|view| view.state.as_str() == "ready")
    })
    .await;
    let changed = pool.adopt(of(&[1, 2, 3]));
    assert_eq!(
        (changed.added, changed.removed),
        (vec!["s3".to_owned()], vec!["s0".to_owned()])
    );
    until(|| {
        pool.servers()
            .iter()
            .all(|view| view.state.as_str() == "ready")
    })
    .await;
    let names: Vec<String> = pool.servers().into_iter().map(|view| view.name).collect();
    assert_eq!(names, ["s1", "s2", "s3"]);
    assert_eq!(world.server(1).connects.len(), 1, "its connection stands");
    until(|| !world.server(0).is_connected()).await;
    world.each(Fake::close);
    tip_at(&pool, 6).await;
    let alone = Members {
        quorum: 1,
        ..of(&[2])
    };
    pool.adopt(alone);
    world.server(2).close();
    tip_at(&pool, 7).await;
    tokio::time::sleep(Duration::from_secs(600)).await;
    let left: Vec<usize> = [0, 1, 3].map(|n| world.server(n).connects.len()).to_vec();
    assert_eq!(left, [1, 1, 1], "nobody knocks where nobody is asked");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_taken_out_answers_what_it_was_asked() {
    let world = World::new(2);
    let pool = world.ready().await;
    let mut silent = true;
    world.server(1).on("account_info", move |_| {
        std::mem::take(&mut silent).then_some(Reaction::Silence)
    });
    let asking = pool.account_root(genesis(), LedgerIndex(5));
    let taking_out = async {
        until(|| world.server(1).asked("account_info") == 1).await;
        let mut one = world.members();
        one.servers.truncate(1);
        pool.adopt(one);
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(
            world.server(1).is_connected(),
            "an answer is still owed by it"
        );
        until(|| !world.server(1).is_connected()).await;
    };
    let (agreed, ()) = tokio::join!(asking, taking_out);
    assert!(
        agreed.is_err(),
        "one server is no quorum of two: {agreed:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_word_of_a_server_that_was_taken_out_while_others_were_asked_is_not_counted() {
    let world = World::new(3);
    let all = world.members();
    let mut config = world.config();
    config.servers.truncate(2);
    let pool = world.start_with(config);
    until(|| (0..2).all(|n| state(&pool, n) == "ready")).await;
    world
        .server(1)
        .on("account_info", |_| Some(Reaction::Silence));
    let reload = async {
        until(|| world.server(0).asked("account_info") == 1).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
        let mut others = all;
        others.servers.remove(0);
        pool.adopt(others);
        until(|| world.server(2).asked("account_info") == 1).await;
    };
    let (root, ()) = tokio::join!(pool.account_root(genesis(), LedgerIndex(5)), reload);
    assert!(root.is_err(), "one server is no quorum: {root:?}");
}
