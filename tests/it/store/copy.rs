//! The books of one database in another: whole, and in one place at a time.

use super::bed::*;
use xrpayd::store::{
    Access, Actor, CopyError, Home, IncidentKind, KeyLimits, Move, MoveState, NewKey, Store,
    StoreError, TableSum, Whereabouts,
};

const BY: Actor = Actor::Cli {
    uid: 1000,
    said: None,
};
const THERE: &str = "postgres://…@there/pay";
const OTHER: &str = "postgres://…@elsewhere/pay";
const HERE: &str = "sqlite:///here.db";

/// Tables that say something of the database itself or of the processes on it.
const NOT_OF_THE_BOOKS: [&str; 7] = [
    "_sqlx_migrations",
    "backups",
    "lane_views",
    "limit_words",
    "moves",
    "replicas",
    "schema_floor",
];

/// A store with something in it: payments at every point of their way, keys, incidents of which the last
/// is gone, and one table of several pages.
async fn with_a_past(bed: &Bed) -> Store {
    let store = anchored(bed).await;
    let home = Home {
        profile: "staging".to_owned(),
        network_id: 1,
    };
    store.settle(&home, T0).await.unwrap();
    for (n, amount) in (0_u32..).zip(["1", "2", "3", "4"]) {
        let payment = accepted(&store, request(&format!("key-{n}'ü"), amount, T0)).await;
        match n {
            0 => drop(delivered(&store, &payment, 10, T0.plus_ms(1)).await),
            1 => drop(committed(&store, signed(&payment, 11, T0.plus_ms(1))).await),
            2 => drop(cancel(&store, payment.id, Some(CLIENT), T0.plus_ms(2)).await),
            _ => {}
        }
    }
    store
        .create_key(
            &NewKey {
                id: "abc".to_owned(),
                client: CLIENT.to_owned(),
                secret_hash: [3; 32],
                scopes: vec!["payments:read".to_owned()],
                cidrs: Vec::new(),
                expires_at: None,
                created_at: T0,
                require_signature: true,
                limits: KeyLimits::default(),
            },
            &BY,
        )
        .await
        .unwrap();
    for _ in 0..3 {
        let kind = IncidentKind::Alert;
        store
            .report_incident(kind, "somebody saw it", &BY, T0)
            .await
            .unwrap();
    }
    bed.raw(
        "insert into leases (wallet, lineage) values ('cold', 'of before a fail-over'), ('new', null)",
    )
    .await;
    bed.raw("delete from rollout_incidents where number = 3")
        .await;
    bed.raw(
        "with recursive n (n) as (select 1 union all select n + 1 from n where n < 1203) \
         insert into key_counts (key_id, minute, count) \
         select case when n % 2 = 0 then 'zebra' else 'Äther' end, n, n * 7 from n",
    )
    .await;
    store
}

async fn sums(store: &Store) -> Vec<TableSum> {
    store.sums(&mut |_, _| {}).await.unwrap()
}

async fn retired(store: &Store) -> Move {
    store
        .retire("mov_1".to_owned(), THERE, BY, T0.plus_ms(10))
        .await
        .unwrap()
}

/// Everything that a move does with the two stores.
async fn moved(source: &Store, target: &Store) -> Vec<TableSum> {
    let leaving = retired(source).await;
    let state = target.await_books(&leaving, HERE, T0).await.unwrap();
    assert_eq!(state, MoveState::Open);
    let went = target
        .fill_from(source, &leaving.id, T0, &mut |_, _| {})
        .await
        .unwrap();
    assert_eq!(went, sums(source).await);
    assert_eq!(went, sums(target).await, "the copy is another");
    source.hand_over(&leaving.id, T0).await.unwrap();
    target.take_over(source, &leaving, BY, T0).await.unwrap();
    went
}

/// Whether the database itself refuses to write. What is tried changes nothing where it is taken.
async fn is_retired(bed: &Bed) -> bool {
    let tries = [
        "update heartbeat set beats = beats",
        "update limit_state set pending = pending",
        "update pauses set version = version",
    ];
    refused(bed, &tries).await
}

/// Whether all of these are refused, or none.
async fn refused(bed: &Bed, tries: &[&str]) -> bool {
    let mut refused = 0;
    for write in tries {
        match bed.try_raw(write).await {
            Ok(()) => {}
            Err(error) => {
                assert!(
                    error.to_string().contains("kept in another"),
                    "{write}: {error}"
                );
                refused += 1;
            }
        }
    }
    assert!(refused == 0 || refused == tries.len(), "{refused} refused");
    refused > 0
}

on_both_stores! {
    async fn the_books_go_to_either_kind_of_database_and_life_goes_on_there(bed) {
        let mut targets = vec![Bed::sqlite().await];
        targets.extend(Bed::postgres().await);
        for target in &targets {
            let own = if bed.is_sqlite() { Bed::sqlite().await } else { Bed::postgres().await.unwrap() };
            let source = with_a_past(&own).await;
            let copy = target.open().await;
            let went = moved(&source, &copy).await;

            let of = |name: &str| went.iter().find(|sum| sum.table == name).unwrap();
            assert_eq!((of("payments").rows, of("key_counts").rows), (4, 1203));
            assert_eq!(of("payments").by_status["processing"], 2);
            assert_eq!(of("payments").drops["amount_drops succeeded"], 1_000_000);
            assert_eq!(of("payments").drops["amount_drops processing"], 6_000_000);
            assert_eq!(of("rollout_incidents").last_number, Some(3));
            assert_eq!(of("home").rows, 1);

            assert!(is_retired(&own).await, "the source still takes writes");
            let more = [
                "update payments set version = version + 1",
                "insert into key_counts (key_id, minute, count) values ('late', 1, 1)",
                "delete from attempts",
                "delete from home",
                "update api_keys set scopes = '[]'",
            ];
            assert!(refused(&own, &more).await);
            let pinged = source.ping().await.unwrap_err();
            assert!(!pinged.effect_unknown(), "{pinged:?}");
            assert!(matches!(source.whereabouts().await.unwrap(), Whereabouts::Leaving(left) if left.state == MoveState::Done));

            let report = copy.verify_audit(&[]).await.unwrap();
            assert_eq!(report.faults, []);
            let waits = target
                .word("select coalesce(max(wallet), '') from leases where lineage is not null")
                .await;
            assert_eq!(waits, "cold", "what was worked on where it came from is whole");
            assert!(copy.use_arrived("mov_1", T0).await.unwrap());
            assert_eq!(copy.whereabouts().await.unwrap(), Whereabouts::Here);
            let kind = IncidentKind::Alert;
            let next = copy.report_incident(kind, "and again", &BY, T0).await.unwrap();
            assert_eq!(next.number, 4, "the number of a row that was deleted is not given twice");
            accepted(&copy, request("after the move", "5", T0.plus_ms(20))).await;
            let span = copy.feed_span().await.unwrap();
            assert_eq!((span.missing(), span.fault()), (0, None));
            let found = copy.find_key("abc").await.unwrap().unwrap();
            assert_eq!(found.secret_hash, [3; 32]);
            target.try_raw("update audit_log set at = 1").await.expect_err("the log is guarded there too");
            copy.close().await;
            source.close().await;
        }
    }

    async fn every_table_there_is_goes_over_but_those_of_the_database_itself(bed) {
        let store = bed.open().await;
        let all = if bed.is_sqlite() {
            "select coalesce(group_concat(name, ' '), '') from sqlite_schema where type = 'table' \
             and name not like 'sqlite!_%' escape '!'"
        } else {
            "select string_agg(tablename::text, ' ') from pg_tables where schemaname = current_schema()"
        };
        let all = bed.word(all).await;
        let mut all: Vec<&str> = all.split(' ').filter(|name| !NOT_OF_THE_BOOKS.contains(name)).collect();
        all.sort_unstable();
        let copied = sums(&store).await;
        let mut copied: Vec<&str> = copied.iter().map(|sum| sum.table.as_str()).collect();
        copied.sort_unstable();
        assert_eq!(copied, all);
        assert!(all.len() > 20, "{all:?}");
    }

    async fn what_differs_in_one_value_is_another_table(bed) {
        let source = with_a_past(bed).await;
        let target = Bed::sqlite().await;
        let copy = target.open().await;
        let went = moved(&source, &copy).await;
        for (table, change) in [
            ("payments", "update payments set reference = '' where reference is null"),
            ("attempts", "update attempts set blob = x'01020a' where slot = 10"),
            ("key_counts", "update key_counts set count = count + 1 where minute = 700"),
            ("key_counts", "delete from key_counts where minute = 1203"),
            ("rollout_incidents", "update sqlite_sequence set seq = 2 where name = 'rollout_incidents'"),
        ] {
            let before = sums(&copy).await;
            target.raw(change).await;
            let now = sums(&copy).await;
            let differ: Vec<&str> = now.iter().filter(|sum| !before.contains(sum)).map(|sum| sum.table.as_str()).collect();
            assert_eq!(differ, [table], "{change}");
        }
        assert_ne!(went, sums(&copy).await);
    }

    async fn a_copy_that_is_cut_short_leaves_neither_end_usable_and_is_gone_on_with(bed) {
        let source = with_a_past(bed).await;
        let target = if bed.is_sqlite() { Bed::sqlite().await } else { Bed::postgres().await.unwrap() };
        let copy = target.open().await;
        let leaving = retired(&source).await;
        copy.await_books(&leaving, HERE, T0).await.unwrap();
        // The process dies with rows on their way.
        let mut passed = 0;
        {
            let mut progress = |_: &str, _| passed += 1;
            let filling = copy.fill_from(&source, &leaving.id, T0, &mut progress);
            let soon = std::time::Duration::from_millis(2);
            let _ = tokio::time::timeout(soon, filling).await;
        }
        let state = match copy.whereabouts().await.unwrap() {
            Whereabouts::Arriving(arriving) => arriving.state,
            other => panic!("usable: {other:?}"),
        };
        assert!(is_retired(bed).await);
        // Another run, with an id of its own: the one that began is gone on with.
        let again = source.retire("mov_2".to_owned(), THERE, BY, T0.plus_ms(20)).await.unwrap();
        assert_eq!(again, leaving);
        let elsewhere = source.retire("mov_3".to_owned(), OTHER, BY, T0).await;
        assert!(matches!(elsewhere, Err(CopyError::LeavingElsewhere(_))), "{elsewhere:?}");
        let known = copy.await_books(&again, HERE, T0).await.unwrap();
        assert_eq!(known, state);
        if known == MoveState::Open {
            copy.fill_from(&source, &again.id, T0, &mut |_, _| {}).await.unwrap();
        }
        assert!(matches!(copy.take_over(&source, &Move { id: "mov_9".to_owned(), ..again.clone() }, BY, T0).await, Err(CopyError::Overtaken)));
        assert_eq!(sums(&copy).await, sums(&source).await);
        // Between the two last words neither end is usable.
        source.hand_over(&again.id, T0).await.unwrap();
        assert!(copy.whereabouts().await.unwrap().is_arriving());
        copy.take_over(&source, &again, BY, T0).await.unwrap();
        assert_eq!(copy.verify_audit(&[]).await.unwrap().faults, []);
    }

    async fn a_target_that_is_somebodys_or_half_done_is_refused_and_the_latter_can_be_cleared(bed) {
        let source = with_a_past(bed).await;
        let leaving = retired(&source).await;
        let mut targets = vec![Bed::sqlite().await];
        targets.extend(Bed::postgres().await);
        for target in &targets {
            let copy = target.open().await;
            // Rows without a home: a command made a key.
            target.raw("insert into payment_ends (wallet, status, reached) values ('hot', 'failed', 1)").await;
            let refused = copy.await_books(&leaving, HERE, T0).await.unwrap_err();
            assert!(matches!(&refused, CopyError::TargetNotEmpty { table } if table == "payment_ends"), "{refused:?}");
            target.raw("delete from payment_ends").await;
            assert!(!copy.clear_half_done().await.unwrap(), "what is nobody's copy is not cleared");
            let earlier = Move { id: "mov_0".to_owned(), ..leaving.clone() };
            copy.await_books(&earlier, HERE, T0).await.unwrap();
            copy.fill_from(&source, "mov_0", T0, &mut |_, _| {}).await.unwrap();
            let refused = copy.await_books(&leaving, HERE, T0).await.unwrap_err();
            assert!(matches!(refused, CopyError::TargetHalfDone(_)), "{refused:?}");
            assert!(copy.clear_half_done().await.unwrap());
            copy.close().await;
            let copy = target.open().await;
            assert_eq!(copy.whereabouts().await.unwrap(), Whereabouts::Here);
            assert_eq!(copy.verify_audit(&[]).await.unwrap().faults, [], "its guards stand again");
            copy.await_books(&leaving, HERE, T0).await.unwrap();
            copy.fill_from(&source, &leaving.id, T0, &mut |_, _| {}).await.unwrap();
            assert_eq!(sums(&copy).await, sums(&source).await);
            copy.close().await;
        }
        let used = Bed::sqlite().await;
        let copy = with_a_past(&used).await;
        let refused = copy.await_books(&leaving, HERE, T0).await.unwrap_err();
        assert!(matches!(refused, CopyError::TargetInUse), "{refused:?}");
    }

    async fn a_move_is_taken_back_as_long_as_nobody_started_on_the_copy(bed) {
        let source = with_a_past(bed).await;
        let leaving = retired(&source).await;
        assert!(is_retired(bed).await);
        source.reinstate(&leaving, BY, T0).await.unwrap();
        assert!(!is_retired(bed).await, "it takes writes again");
        let home = Home { profile: "staging".to_owned(), network_id: 1 };
        bed.raw("update home set since = since + 1").await;
        assert_eq!(source.home().await.unwrap(), Some(home));
        assert_eq!(source.verify_audit(&[]).await.unwrap().faults, []);
        assert_eq!(source.whereabouts().await.unwrap(), Whereabouts::Here);

        let target = Bed::sqlite().await;
        let copy = target.open().await;
        moved(&source, &copy).await;
        let Whereabouts::Leaving(left) = source.whereabouts().await.unwrap() else { panic!("not left") };
        let early = source.reinstate(&leaving, BY, T0).await;
        assert!(matches!(early, Err(CopyError::Overtaken)), "it is further by now: {early:?}");
        let stranger = Bed::sqlite().await.open().await;
        assert!(matches!(stranger.give_back(&left, T0).await, Err(CopyError::NotTheCopy)));
        copy.give_back(&left, T0).await.unwrap();
        assert!(copy.whereabouts().await.unwrap().is_arriving(), "no daemon starts on it");
        assert!(!copy.use_arrived(&left.id, T0).await.unwrap());
        source.reinstate(&left, BY, T0).await.unwrap();
        assert_eq!(source.whereabouts().await.unwrap(), Whereabouts::Here);

        let target = Bed::sqlite().await;
        let copy = target.open().await;
        moved(&source, &copy).await;
        assert!(copy.use_arrived("mov_1", T0).await.unwrap());
        let Whereabouts::Leaving(left) = source.whereabouts().await.unwrap() else { panic!("not left") };
        let late = copy.give_back(&left, T0).await;
        assert!(matches!(late, Err(CopyError::CopyInUse)), "{late:?}");
    }

    async fn a_source_is_neither_made_nor_brought_up_to_date(bed) {
        let none = Store::can_be_source(&bed.config()).await;
        assert!(matches!(none, Err(CopyError::NothingToCopy)), "{none:?}");
        if bed.is_sqlite() {
            let file = bed.url.trim_start_matches("sqlite://");
            assert!(!std::path::Path::new(file).exists(), "it was made");
        }
        bed.open().await.close().await;
        Store::can_be_source(&bed.config()).await.unwrap();
        let newest = bed.number("select max(version) from _sqlx_migrations").await;
        bed.raw(&format!("delete from _sqlx_migrations where version = {newest}")).await;
        let older = Store::can_be_source(&bed.config()).await;
        assert!(matches!(older, Err(CopyError::Older { known, .. }) if known == newest), "{older:?}");
        let left = bed.number("select max(version) from _sqlx_migrations").await;
        assert!(left < newest, "it was brought up to date");
    }

    async fn what_was_never_anybodys_has_no_books_to_copy(bed) {
        let store = bed.open().await;
        let refused = store.retire("mov_1".to_owned(), THERE, BY, T0).await.unwrap_err();
        assert!(matches!(refused, CopyError::NothingToCopy), "{refused:?}");
        assert!(!is_retired(bed).await);
        if bed.is_sqlite() {
            let second = bed.try_open(Access::Daemon).await.unwrap_err();
            assert!(matches!(second, StoreError::InUse(_)), "{second:?}");
        }
    }
}
