use super::*;
use crate::payment::AbsenceReason;
use proptest::prelude::*;

fn drops(n: u64) -> Drops {
    Drops::new(n).unwrap()
}

const OURS: AccountId = AccountId([1; 20]);
const THEIRS: AccountId = AccountId([2; 20]);

fn cursor(at: u32) -> Cursor {
    Cursor {
        start: LedgerIndex(10),
        at: LedgerIndex(at),
        at_hash: LedgerHash([0; 32]),
        next_sequence: 5,
        balance: drops(1_000),
        owner_count: 0,
    }
}

fn hash(n: u8) -> TxHash {
    TxHash([n; 32])
}

fn entry(n: u8, ledger: u32, tx_index: u32, sequence: u32) -> Entry {
    Entry {
        hash: hash(n),
        ledger_index: LedgerIndex(ledger),
        ledger_hash: LedgerHash([8; 32]),
        tx_index,
        result: "tesSUCCESS".into(),
        transaction_type: "Payment".into(),
        sender: OURS,
        slot: Slot::Sequence(sequence),
        fee: drops(10),
        destination: Some(THEIRS),
        destination_tag: None,
        source_tag: None,
        delivered: Delivered::Xrp(drops(25)),
        invoice_id: None,
        marker: None,
        effects: None,
        closed_at: None,
        root_after: Some(RootAfter {
            balance: drops(900),
            sequence: sequence + 1,
            owner_count: 0,
        }),
    }
}

fn page(from: u32, to: u32, entries: Vec<Entry>) -> Page {
    Page {
        account: OURS,
        from: LedgerIndex(from),
        to: LedgerIndex(to),
        to_hash: LedgerHash([7; 32]),
        closed_at: None,
        servers: vec!["a".into(), "b".into()],
        entries,
    }
}

fn open(items: &[(u32, u8)]) -> OpenSlots<u8> {
    let mut slots: OpenSlots<u8> = BTreeMap::new();
    for &(sequence, n) in items {
        slots
            .entry(Slot::Sequence(sequence))
            .or_default()
            .push(OpenAttempt {
                owner: n,
                hash: hash(n),
                first_ledger: LedgerIndex(20),
                last_ledger: LedgerIndex(40),
            });
    }
    slots
}

#[test]
fn a_page_settles_what_it_holds_and_moves_the_cursor() {
    let fold = fold(
        &cursor(20),
        &open(&[(5, 1), (6, 2)]),
        &page(21, 25, vec![entry(1, 22, 0, 5)]),
    )
    .unwrap();
    assert_eq!(fold.cursor.at, LedgerIndex(25));
    assert_eq!(
        (fold.cursor.next_sequence, fold.cursor.balance),
        (6, drops(900))
    );
    assert!(fold.foreign.is_empty());
    assert!(
        matches!(&fold.findings[..], [(1, Finding::Found { delivered: Some(d), .. })] if *d == drops(25))
    );
}

#[test]
fn the_cursor_takes_the_hash_of_the_pages_last_ledger() {
    let fold = fold(&cursor(20), &open(&[]), &page(21, 25, vec![])).unwrap();
    let expected = Cursor {
        at: LedgerIndex(25),
        at_hash: LedgerHash([7; 32]),
        ..cursor(20)
    };
    assert_eq!(fold.cursor, expected);
}

#[test]
fn what_others_pay_us_moves_the_balance_and_not_the_sequence() {
    let credit = Entry {
        sender: THEIRS,
        root_after: Some(RootAfter {
            balance: drops(1_500),
            sequence: 5,
            owner_count: 2,
        }),
        ..entry(9, 22, 0, 77)
    };
    let fold = fold(&cursor(20), &open(&[(5, 1)]), &page(21, 25, vec![credit])).unwrap();
    let after = fold.cursor;
    assert_eq!(
        (after.next_sequence, after.balance, after.owner_count),
        (5, drops(1_500), 2)
    );
    assert!(fold.findings.is_empty() && fold.foreign.is_empty());
}

#[test]
fn a_rival_on_the_same_sequence_is_proven_dead_by_the_one_that_took_it() {
    let fold = fold(
        &cursor(20),
        &open(&[(5, 1), (5, 2)]),
        &page(21, 25, vec![entry(2, 22, 0, 5)]),
    )
    .unwrap();
    let dead = fold.findings.iter().find(|(owner, _)| *owner == 1).unwrap();
    assert!(matches!(
        &dead.1,
        Finding::Absent { proof: Absence { reason: AbsenceReason::ConsumedBy { hash: by, .. }, .. }, .. }
            if *by == hash(2)
    ));
}

#[test]
fn an_unknown_consumer_of_our_sequence_is_told() {
    let fold = fold(
        &cursor(20),
        &open(&[(5, 1)]),
        &page(21, 25, vec![entry(9, 22, 0, 5), entry(8, 22, 1, 6)]),
    )
    .unwrap();
    assert_eq!(
        fold.foreign.iter().map(|f| f.took_ours).collect::<Vec<_>>(),
        [true, false]
    );
    assert_eq!(fold.findings.len(), 1);
}

#[test]
fn the_same_sequence_number_of_another_sender_settles_nothing() {
    let theirs = Entry {
        sender: THEIRS,
        root_after: None,
        ..entry(9, 22, 0, 5)
    };
    let fold = fold(&cursor(20), &open(&[(5, 1)]), &page(21, 25, vec![theirs])).unwrap();
    assert!(fold.findings.is_empty() && fold.foreign.is_empty());
}

#[test]
fn a_page_that_does_not_continue_the_journal_is_refused() {
    for from in [20, 22] {
        let verdict = fold(&cursor(20), &open(&[]), &page(from, 25, vec![]));
        assert!(
            matches!(verdict, Err(BrokenPage::NotContiguous { .. })),
            "{from}"
        );
    }
    let outside = fold(
        &cursor(20),
        &open(&[]),
        &page(21, 25, vec![entry(1, 26, 0, 5)]),
    );
    assert_eq!(outside, Err(BrokenPage::OutOfPlace(hash(1))));
    let twice = page(21, 25, vec![entry(1, 22, 0, 5), entry(1, 22, 0, 5)]);
    assert_eq!(
        fold(&cursor(20), &open(&[]), &twice),
        Err(BrokenPage::OutOfPlace(hash(1)))
    );
    let back = fold(
        &cursor(20),
        &open(&[]),
        &page(21, 25, vec![entry(1, 22, 0, 3)]),
    );
    assert_eq!(back, Err(BrokenPage::SequenceWentBack(hash(1))));
}

fn attempt() -> OpenAttempt<u8> {
    open(&[(5, 1)]).remove(&Slot::Sequence(5)).unwrap()[0]
}

fn root(at: u32, sequence: u32) -> RootProof {
    RootProof {
        at: LedgerIndex(at),
        sequence,
        tickets: None,
        servers: vec!["a".into(), "b".into()],
    }
}

#[test]
fn absence_needs_the_whole_range_and_the_account_root_inside_it() {
    let proven =
        |c: &Cursor, r: &RootProof| prove_absence(c, r, Slot::Sequence(5), &attempt()).is_some();
    assert!(proven(&cursor(40), &root(40, 5)));
    assert!(proven(&cursor(50), &root(45, 5)));
    assert!(
        !proven(&cursor(39), &root(39, 5)),
        "the last ledger has not passed"
    );
    assert!(
        !proven(&cursor(39), &root(60, 5)),
        "the false expiry: a root far past the history"
    );
    assert!(
        !proven(&cursor(50), &root(39, 5)),
        "a root from before the last ledger"
    );
    assert!(!proven(&cursor(50), &root(45, 6)), "the sequence is used");
    let late_start = Cursor {
        start: LedgerIndex(21),
        ..cursor(50)
    };
    assert!(
        !proven(&late_start, &root(45, 5)),
        "the journal began after the first possible ledger"
    );
    let used = Cursor {
        next_sequence: 6,
        ..cursor(50)
    };
    assert!(
        !proven(&used, &root(45, 5)),
        "the journal itself saw the sequence used"
    );
    let ticket = prove_absence(&cursor(50), &root(45, 5), Slot::Ticket(5), &attempt());
    assert_eq!(ticket, None, "an account root says nothing of a ticket");
}

#[test]
fn absence_by_ticket_needs_the_ticket_to_stand_inside_the_proven_range() {
    let standing = |at: u32, tickets: &[u32]| RootProof {
        tickets: Some(tickets.iter().copied().collect()),
        ..root(at, 99)
    };
    let prove = |c: &Cursor, r: &RootProof| prove_absence(c, r, Slot::Ticket(7), &attempt());
    let proof = prove(&cursor(50), &standing(45, &[7, 8])).unwrap();
    let (at, ticket) = (LedgerIndex(45), 7);
    assert_eq!(proof.reason, AbsenceReason::TicketStands { at, ticket });
    assert_eq!(prove(&cursor(50), &standing(45, &[8])), None, "it is gone");
    assert_eq!(
        prove(&cursor(50), &standing(39, &[7])),
        None,
        "read before the last ledger"
    );
    assert_eq!(
        prove(&cursor(44), &standing(45, &[7])),
        None,
        "read past the history"
    );
    assert_eq!(
        prove(&cursor(39), &standing(39, &[7])),
        None,
        "the last ledger has not passed"
    );
}

/// A TicketCreate of ours that made `count` tickets.
fn ticket_create(n: u8, ledger: u32, slot: Slot, made: std::ops::Range<u32>) -> Entry {
    Entry {
        transaction_type: TICKET_CREATE.into(),
        slot,
        destination: None,
        delivered: Delivered::Nothing,
        root_after: Some(RootAfter {
            balance: drops(900),
            sequence: made.end,
            owner_count: made.end - made.start,
        }),
        ..entry(n, ledger, 0, 0)
    }
}

fn by_ticket(n: u8, ledger: u32, ticket: u32, sequence: u32) -> Entry {
    Entry {
        slot: Slot::Ticket(ticket),
        root_after: Some(RootAfter {
            balance: drops(900),
            sequence,
            owner_count: 0,
        }),
        ..entry(n, ledger, 0, 0)
    }
}

#[test]
fn the_journal_tells_which_tickets_are_made_and_which_are_used() {
    use TicketChange::{Made, Used};
    let failed = Entry {
        result: "tecINSUFFICIENT_RESERVE".into(),
        ..ticket_create(1, 22, Slot::Sequence(5), 6..6)
    };
    let history = vec![
        failed,
        ticket_create(2, 23, Slot::Sequence(6), 7..9),
        by_ticket(3, 24, 8, 9),
        // Made with a ticket, they begin at the account's sequence.
        ticket_create(4, 25, Slot::Ticket(7), 9..11),
        // A failure that is charged uses its ticket up like any other.
        Entry {
            result: "tecNO_DST".into(),
            ..by_ticket(5, 26, 10, 11)
        },
    ];
    let fold = fold(&cursor(20), &open(&[]), &page(21, 30, history)).unwrap();
    let told: Vec<_> = fold
        .tickets
        .iter()
        .map(|(at, what)| (at.0, *what))
        .collect();
    assert_eq!(
        told,
        [
            (23, Made(7)),
            (23, Made(8)),
            (24, Used(8)),
            (25, Used(7)),
            (25, Made(9)),
            (25, Made(10)),
            (26, Used(10)),
        ]
    );
    assert_eq!(fold.cursor.next_sequence, 11);
}

#[test]
fn a_sequence_that_leaps_makes_no_tickets_where_none_were_made() {
    let other = Entry {
        transaction_type: "Batch".into(),
        ..ticket_create(1, 22, Slot::Sequence(5), 6..8)
    };
    let failed = Entry {
        result: "tecINSUFFICIENT_RESERVE".into(),
        ..ticket_create(2, 23, Slot::Sequence(8), 9..11)
    };
    let fold = fold(
        &cursor(20),
        &open(&[(7, 1), (10, 2)]),
        &page(21, 25, vec![other, failed]),
    )
    .unwrap();
    assert_eq!(fold.tickets, []);
    assert_eq!(fold.findings, [], "what is open there is not settled by it");
}

#[test]
fn a_ticket_settles_what_is_open_on_it_and_not_what_has_its_number_as_sequence() {
    let mut slots = open(&[(7, 1)]);
    let on_ticket = OpenAttempt {
        owner: 2,
        hash: hash(2),
        ..attempt()
    };
    slots.insert(Slot::Ticket(7), vec![on_ticket]);
    let used = page(21, 25, vec![by_ticket(9, 22, 7, 5)]);
    let fold = fold(&cursor(20), &slots, &used).unwrap();
    assert!(matches!(&fold.findings[..], [(2, Finding::Absent { .. })]));
    assert_eq!(
        fold.foreign.iter().map(|f| f.took_ours).collect::<Vec<_>>(),
        [true]
    );
}

#[test]
fn sequences_that_somebody_makes_tickets_of_are_gone_for_what_was_signed_on_them() {
    let theirs = ticket_create(9, 22, Slot::Sequence(5), 6..8);
    let fold = fold(
        &cursor(20),
        &open(&[(6, 1), (7, 2), (8, 3)]),
        &page(21, 25, vec![theirs]),
    )
    .unwrap();
    let dead: Vec<u8> = fold.findings.iter().map(|(owner, _)| *owner).collect();
    assert_eq!(dead, [1, 2]);
    assert!(matches!(
        &fold.foreign[..],
        [Foreign {
            took_ours: true,
            ..
        }]
    ));
}

proptest! {
    /// However a run of ledgers is cut into pages, the fold says the same.
    #[test]
    fn how_a_history_is_cut_into_pages_does_not_matter(cuts in proptest::collection::btree_set(21_u32..60, 0..6)) {
        let history: Vec<Entry> = (0_u8..10)
            .map(|n| entry(n, 22 + u32::from(n) * 3, 0, 5 + u32::from(n)))
            .collect();
        let slots = open(&(0_u8..10).map(|n| (5 + u32::from(n), n)).collect::<Vec<_>>());
        let whole = fold(&cursor(20), &slots, &page(21, 60, history.clone())).unwrap();

        let (mut at, mut findings) = (cursor(20), Vec::new());
        for to in cuts.into_iter().chain([60]) {
            let from = at.at.0 + 1;
            let inside = history.iter().filter(|e| (from..=to).contains(&e.ledger_index.0));
            let part = fold(&at, &slots, &page(from, to, inside.cloned().collect())).unwrap();
            findings.extend(part.findings);
            at = part.cursor;
        }
        prop_assert_eq!(at, whole.cursor);
        prop_assert_eq!(findings, whole.findings);
    }
}
