//! Hints between the processes that share a database: what is heard, and what is not.

use super::bed::{Bed, T0, WALLET, accepted, anchored, request};
use std::time::Duration;
use tokio::sync::broadcast::Receiver;
use xrpayd::store::{Actor, Heard, Hint, Line, Store};
use xrpayd_core::pause::Scope;

/// Long enough for a machine that is busy with everything else.
const PATIENCE: Duration = Duration::from_secs(30);

async fn hear(line: &mut Line) -> Heard {
    let heard = tokio::time::timeout(PATIENCE, line.hear());
    heard.await.expect("something is said").unwrap()
}

fn told(listener: &mut Receiver<Hint>) -> Vec<Hint> {
    std::iter::from_fn(|| listener.try_recv().ok()).collect()
}

async fn line_of(store: &Store, name: &str) -> Line {
    let line = store.listen(name).await.unwrap();
    line.expect("others may share this database")
}

#[tokio::test]
async fn nobody_else_can_be_heard_on_sqlite() {
    let bed = Bed::sqlite().await;
    let store = bed.open().await;
    assert!(store.listen("one").await.unwrap().is_none());
    store.hint(Hint::Keys);
    store.send_hints("one").await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_process_commits_is_heard_by_another() {
    let Some(bed) = Bed::postgres().await else {
        return;
    };
    let (one, other) = (anchored(&bed).await, bed.open().await);
    let mut line = line_of(&other, "other").await;
    let (mut hints, feed, keys) = (other.hints(), other.feed_changed(), other.keys_changed());
    accepted(&one, request("a", "1", T0)).await;
    one.pause(&Scope::Payments, None, &Actor::Daemon, T0)
        .await
        .unwrap();
    let operator = Actor::Cli { uid: 0, said: None };
    one.set_halt(WALLET, Some("a look"), &operator, T0)
        .await
        .unwrap();
    one.hint(Hint::Keys);
    assert_eq!(told(&mut hints), [], "nothing is said before it is sent");
    one.send_hints("one").await.unwrap();
    assert_eq!(hear(&mut line).await, Heard::Another);
    let wallet = || WALLET.to_owned();
    let expected = [
        Hint::Work(wallet()),
        Hint::Changed(wallet()),
        Hint::Switches,
        Hint::Keys,
    ];
    assert_eq!(told(&mut hints), expected);
    assert_eq!(other.keys_changed(), keys + 1);
    let end = one.feed_end().await.unwrap();
    assert!(end > 0);
    assert_eq!(*feed.borrow(), end, "the feed is told how far it is");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_hears_itself_and_takes_nothing_from_what_it_or_a_stranger_says() {
    let Some(bed) = Bed::postgres().await else {
        return;
    };
    let store = bed.open().await;
    let mut line = line_of(&store, "one").await;
    store.hint(Hint::Work(WALLET.to_owned()));
    let mut hints = store.hints();
    store.send_hints("one").await.unwrap();
    assert_eq!(hear(&mut line).await, Heard::Self_);
    store.probe_hints();
    store.send_hints("one").await.unwrap();
    assert_eq!(
        hear(&mut line).await,
        Heard::Self_,
        "also where it has nothing to say"
    );
    bed.raw("notify xrpayd_hints, 'hello'").await;
    assert_eq!(hear(&mut line).await, Heard::Unreadable);
    assert_eq!(told(&mut hints), []);
    let newer = r#"{"v":1,"from":"two","hints":[{"weather":"fine"},"keys"]}"#;
    bed.raw(&format!("notify xrpayd_hints, '{newer}'")).await;
    assert_eq!(hear(&mut line).await, Heard::Unreadable);
    assert_eq!(
        told(&mut hints),
        [Hint::Keys],
        "what it knows of it is taken"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_that_is_cut_says_so_and_the_next_one_hears() {
    let Some(bed) = Bed::postgres().await else {
        return;
    };
    let (one, other) = (bed.open().await, bed.open().await);
    let mut line = line_of(&other, "other").await;
    let cut = "select pg_terminate_backend(pid) from pg_stat_activity \
        where datname = current_database() and query ilike 'listen%'";
    bed.raw(cut).await;
    let heard = tokio::time::timeout(PATIENCE, line.hear());
    heard.await.expect("the cut is noticed").unwrap_err();
    drop(line);
    let mut line = line_of(&other, "other").await;
    one.hint(Hint::Switches);
    one.send_hints("one").await.unwrap();
    assert_eq!(hear(&mut line).await, Heard::Another);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_tells_what_it_did_before_it_ends() {
    let Some(bed) = Bed::postgres().await else {
        return;
    };
    let (command, daemon) = (bed.open().await, bed.open().await);
    let mut line = line_of(&daemon, "daemon").await;
    command
        .pause(&Scope::All, None, &Actor::Daemon, T0)
        .await
        .unwrap();
    command.close().await;
    assert_eq!(hear(&mut line).await, Heard::Another);
}
