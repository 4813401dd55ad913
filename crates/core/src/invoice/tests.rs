use super::*;
use crate::amount::Asset;
use crate::money::Drops;
use proptest::prelude::*;

const ISSUER: &str = "rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh";
/// When the invoices of these tests end.
const END: UnixMs = UnixMs(1_000_000);

fn usd(value: &str) -> Amount {
    let asset: Asset = format!("USD.{ISSUER}").parse().unwrap();
    asset.amount(value).unwrap()
}

fn mpt(value: &str) -> Amount {
    let asset: Asset = "07".repeat(24).parse().unwrap();
    asset.amount(value).unwrap()
}

fn xrp(value: &str) -> Amount {
    Asset::Xrp.amount(value).unwrap()
}

fn invoice(amount: Amount, tolerance_bps: u32) -> Invoice {
    Invoice {
        id: InvoiceId(1),
        version: 1,
        client: "shop".to_owned(),
        wallet: "hot".to_owned(),
        account: AccountId([1; 20]),
        destination_tag: 7,
        issued_after: Some(LedgerIndex(10)),
        received: amount.asset().zero(),
        amount,
        tolerance_bps,
        status: InvoiceStatus::Open,
        overpaid: false,
        paid_late: false,
        reference: None,
        metadata: BTreeMap::new(),
        expires_at: END,
        created_at: UnixMs(0),
        updated_at: UnixMs(0),
        ended_at: None,
    }
}

fn credit_at(amount: Amount, ms: i64) -> Event {
    Event::Credit {
        amount,
        ledger_index: LedgerIndex(11),
        closed_at: UnixMs(ms),
    }
}

/// A credit in time.
fn in_time(amount: Amount) -> Event {
    credit_at(amount, END.0)
}

/// A credit one instant too late.
fn too_late(amount: Amount) -> Event {
    credit_at(amount, END.0 + 1)
}

/// Lets events happen one after the other, and returns what was told and the invoice at the end.
fn live(invoice: &Invoice, events: &[Event]) -> (Vec<Told>, Invoice) {
    let (mut invoice, mut told) = (invoice.clone(), Vec::new());
    for event in events {
        for step in decide(&invoice, *event, UnixMs(5)).unwrap() {
            told.extend(step.told);
            invoice = step.invoice;
        }
    }
    (told, invoice)
}

#[test]
fn exactly_what_was_asked_for_is_paid() {
    for amount in [xrp("12.5"), usd("12.5"), mpt("12")] {
        let (told, after) = live(&invoice(amount, 0), &[in_time(amount)]);
        assert_eq!(told, [Told::Paid]);
        assert_eq!(after.status, InvoiceStatus::Paid);
        assert!(!after.overpaid && !after.paid_late);
        assert_eq!(after.due(), Some(amount.asset().zero()));
        assert_eq!(after.version, 2);
    }
}

#[test]
fn parts_are_added_up_until_they_are_enough() {
    let events = [in_time(xrp("4")), in_time(xrp("5.999999"))];
    let (told, partial) = live(&invoice(xrp("10"), 0), &events);
    assert_eq!(told, [Told::PartiallyPaid, Told::PartiallyPaid]);
    assert_eq!(partial.status, InvoiceStatus::PartiallyPaid);
    assert_eq!(partial.due(), Some(xrp("0.000001")));
    let (told, paid) = live(&partial, &[in_time(xrp("0.000001"))]);
    assert_eq!((told, paid.status), (vec![Told::Paid], InvoiceStatus::Paid));
    assert_eq!(paid.received, xrp("10"));
}

#[test]
fn more_than_was_asked_for_is_taken_and_flagged() {
    let (told, at_once) = live(&invoice(xrp("10"), 0), &[in_time(xrp("11"))]);
    assert_eq!(told, [Told::Paid, Told::Overpaid]);
    let twice = [in_time(xrp("10")), in_time(xrp("10"))];
    let (told, twice) = live(&invoice(xrp("10"), 0), &twice);
    assert_eq!(told, [Told::Paid, Told::Overpaid]);
    for (paid, received) in [(at_once, "11"), (twice, "20")] {
        assert_eq!(paid.status, InvoiceStatus::Paid);
        assert!(paid.overpaid);
        assert_eq!(paid.received, xrp(received));
    }
}

#[test]
fn the_tolerance_is_exact_to_the_drop() {
    for (bps, got, enough) in [
        (0, "99.999999", false),
        (100, "99", true),
        (100, "98.999999", false),
        (1, "99.99", true),
        (1, "99.989999", false),
        (9_999, "0.01", true),
        (9_999, "0.009999", false),
    ] {
        let (_, after) = live(&invoice(xrp("100"), bps), &[in_time(xrp(got))]);
        assert_eq!(after.status == InvoiceStatus::Paid, enough, "{bps} {got}");
        assert!(!after.overpaid);
    }
    // A drop of a drop is asked for: one is not less than that.
    let (_, after) = live(
        &invoice(xrp("0.000001"), 5_000),
        &[in_time(xrp("0.000001"))],
    );
    assert_eq!(after.status, InvoiceStatus::Paid);
    let (_, after) = live(&invoice(mpt("3"), 5_000), &[in_time(mpt("1"))]);
    assert_eq!(after.status, InvoiceStatus::PartiallyPaid);
    let (_, after) = live(&invoice(mpt("3"), 5_000), &[in_time(mpt("2"))]);
    assert_eq!(after.status, InvoiceStatus::Paid);
}

#[test]
fn the_rest_of_what_a_tolerance_forgave_is_no_overpayment() {
    let events = [in_time(xrp("99")), in_time(xrp("1")), in_time(xrp("1"))];
    let (told, after) = live(&invoice(xrp("100"), 100), &events);
    assert_eq!(told, [Told::Paid, Told::Paid, Told::Overpaid]);
    assert!(after.overpaid);
}

#[test]
fn the_ledger_that_closes_at_the_end_is_in_time_and_the_next_one_is_late() {
    let asked = invoice(xrp("1"), 0);
    let (told, in_time) = live(&asked, &[in_time(xrp("1"))]);
    assert_eq!((told, in_time.paid_late), (vec![Told::Paid], false));
    let (told, late) = live(&asked, &[too_late(xrp("1"))]);
    assert_eq!(told, [Told::Expired, Told::Paid]);
    assert_eq!((late.status, late.paid_late), (InvoiceStatus::Paid, true));
    assert_eq!(late.version, 3, "two changes");
}

#[test]
fn an_end_needs_a_ledger_that_closed_after_it() {
    let asked = invoice(xrp("1"), 0);
    let at = |ms| Event::Expire {
        closed_at: UnixMs(ms),
    };
    assert_eq!(decide(&asked, at(END.0), END), Err(Illegal::NotExpired));
    let (told, expired) = live(&asked, &[at(END.0 + 1)]);
    assert_eq!(told, [Told::Expired]);
    assert_eq!(expired.due(), Some(xrp("1")));
    let again = decide(&expired, at(END.0 + 2), END);
    assert_eq!(again, Err(Illegal::Final("expired")));
}

#[test]
fn what_comes_late_is_taken_and_flagged_whether_it_is_enough_or_not() {
    let expired = live(
        &invoice(xrp("10"), 0),
        &[
            in_time(xrp("1")),
            Event::Expire {
                closed_at: UnixMs(END.0 + 1),
            },
        ],
    );
    let (told, short) = live(&expired.1, &[too_late(xrp("2"))]);
    assert_eq!(told, [Told::PartiallyPaid]);
    assert_eq!(
        (short.status, short.paid_late),
        (InvoiceStatus::Expired, true)
    );
    assert_eq!(short.received, xrp("3"));
    let (told, paid) = live(&short, &[too_late(xrp("7"))]);
    assert_eq!(told, [Told::Paid]);
    assert_eq!((paid.status, paid.paid_late), (InvoiceStatus::Paid, true));
    // Whoever had paid in time did not pay late because more came afterwards.
    let events = [in_time(xrp("10")), too_late(xrp("1"))];
    let (told, over) = live(&invoice(xrp("10"), 0), &events);
    assert_eq!(told, [Told::Paid, Told::Overpaid]);
    assert!(over.overpaid && !over.paid_late);
}

#[test]
fn a_cancelled_invoice_keeps_what_it_has_and_takes_nothing_more() {
    for before in [vec![], vec![in_time(xrp("1"))]] {
        let (_, waiting) = live(&invoice(xrp("10"), 0), &before);
        let (told, cancelled) = live(&waiting, &[Event::Cancel]);
        assert_eq!(told, [Told::Cancelled]);
        assert_eq!(cancelled.received, waiting.received);
        let refused = decide(&cancelled, in_time(xrp("10")), END);
        assert_eq!(refused, Err(Illegal::Cancelled));
        assert_eq!(Illegal::Cancelled.unmatched(), Unmatched::InvoiceCancelled);
        let again = decide(&cancelled, Event::Cancel, END);
        assert_eq!(again, Err(Illegal::Final("cancelled")));
    }
}

#[test]
fn what_has_its_end_is_not_called_off() {
    let (_, paid) = live(&invoice(xrp("1"), 0), &[in_time(xrp("1"))]);
    let expire = Event::Expire {
        closed_at: UnixMs(END.0 + 1),
    };
    let (_, expired) = live(&invoice(xrp("1"), 0), &[expire]);
    for (ended, word) in [(paid, "paid"), (expired, "expired")] {
        assert_eq!(
            decide(&ended, Event::Cancel, END),
            Err(Illegal::Final(word))
        );
    }
}

#[test]
fn what_is_not_for_the_invoice_goes_to_a_person() {
    let asked = invoice(xrp("1"), 0);
    assert_eq!(
        decide(&asked, in_time(usd("1")), END),
        Err(Illegal::OtherAsset)
    );
    assert_eq!(
        decide(&asked, in_time(xrp("0")), END),
        Err(Illegal::Nothing)
    );
    let before = Event::Credit {
        amount: xrp("1"),
        ledger_index: LedgerIndex(10),
        closed_at: UnixMs(0),
    };
    assert_eq!(decide(&asked, before, END), Err(Illegal::BeforeInvoice));
    let (_, large) = live(&invoice(usd("1e30"), 0), &[in_time(usd("1e20"))]);
    let refused = decide(&large, in_time(usd("1e-5")), END);
    assert_eq!(refused, Err(Illegal::NotExact));
}

#[test]
fn a_link_names_address_tag_and_amount_as_wallets_read_them() {
    let account: AccountId = ISSUER.parse().unwrap();
    let uri = |network, amount| payment_uri(network, account, 42, &amount);
    assert_eq!(
        uri(0, xrp("12.5")),
        format!("xrpl://{ISSUER}?amount=12.5&dt=42")
    );
    assert_eq!(
        uri(1, usd("10")),
        format!("xrpl://{ISSUER}?amount=10&dt=42&currency=USD&issuer={ISSUER}&network=1")
    );
    let odd: Asset = format!("U$D.{ISSUER}").parse().unwrap();
    let hex = "0000000000000000000000005524440000000000";
    assert_eq!(
        uri(0, odd.amount("1").unwrap()),
        format!("xrpl://{ISSUER}?amount=1&dt=42&currency={hex}&issuer={ISSUER}")
    );
    let issuance = "07".repeat(24);
    assert_eq!(
        uri(0, mpt("100")),
        format!("xrpl://{ISSUER}?dt=42&mpt_issuance_id={issuance}&value=100")
    );
}

/// Events as a ledger may bring them, in any order.
fn any_event() -> impl Strategy<Value = Event> {
    let amount = prop_oneof![
        (0..60_u64).prop_map(|drops| Amount::Xrp(Drops::new(drops).unwrap())),
        Just(usd("1")),
    ];
    let ledger = 9..14_u32;
    let closed = END.0 - 2..END.0 + 3;
    prop_oneof![
        8 => (amount, ledger, closed.clone()).prop_map(|(amount, ledger, ms)| Event::Credit {
            amount,
            ledger_index: LedgerIndex(ledger),
            closed_at: UnixMs(ms),
        }),
        2 => closed.prop_map(|ms| Event::Expire { closed_at: UnixMs(ms) }),
        1 => Just(Event::Cancel),
    ]
}

proptest! {
    #[test]
    fn whatever_happens_the_sum_is_that_of_the_credits_and_the_status_follows_from_it(
        events in proptest::collection::vec(any_event(), 0..30),
        asked in 1..100_u64,
        bps in 0..=TOLERANCE_BPS_MAX,
    ) {
        let mut invoice = invoice(Amount::Xrp(Drops::new(asked).unwrap()), bps);
        let (mut sum, mut told) = (0_u64, 0_usize);
        for event in events {
            let refused = match decide(&invoice, event, UnixMs(5)) {
                Ok(steps) => {
                    for pair in steps.windows(2) {
                        prop_assert_eq!(&pair[0].told, &[Told::Expired], "only an end comes before a credit");
                    }
                    told += steps.len();
                    invoice = steps.last().unwrap().invoice.clone();
                    None
                }
                Err(why) => Some(why),
            };
            if let Event::Credit { amount, ledger_index, .. } = event {
                let drops = amount.drops().map_or(0, Drops::get);
                let is_its = drops > 0 && ledger_index.0 > 10;
                match refused {
                    None => sum += drops,
                    // Nobody loses a credit: what is refused is said to be, and only for a reason.
                    Some(Illegal::Cancelled) => prop_assert_eq!(invoice.status, InvoiceStatus::Cancelled),
                    Some(_) => prop_assert!(!is_its, "{:?}", refused),
                }
            }
            prop_assert_eq!(check(&invoice), Ok(()));
            prop_assert_eq!(invoice.received, Amount::Xrp(Drops::new(sum).unwrap()));
            prop_assert_eq!(u64::from(invoice.version), 1 + u64::try_from(told).unwrap());
            let enough = u128::from(sum) * 10_000 >= u128::from(asked) * u128::from(10_000 - bps);
            prop_assert_eq!(invoice.status == InvoiceStatus::Paid, enough);
        }
    }

    #[test]
    fn the_pages_of_a_journal_may_be_cut_anywhere(
        credits in proptest::collection::vec((1..40_u64, END.0 - 3..END.0 + 3), 1..8),
        cuts in proptest::collection::vec(any::<bool>(), 8),
    ) {
        let mut credits = credits;
        credits.sort_by_key(|(_, ms)| *ms);
        let asked = invoice(Amount::Xrp(Drops::new(60).unwrap()), 0);
        let whole = |cuts: &[bool]| {
            let mut invoice = asked.clone();
            let mut told = Vec::new();
            let mut take = |event| {
                for step in decide(&invoice, event, UnixMs(5)).unwrap_or_default() {
                    told.extend(step.told);
                    invoice = step.invoice;
                }
            };
            for ((drops, ms), cut) in credits.iter().zip(cuts) {
                take(credit_at(Amount::Xrp(Drops::new(*drops).unwrap()), *ms));
                if *cut {
                    take(Event::Expire { closed_at: UnixMs(*ms) });
                }
            }
            take(Event::Expire { closed_at: UnixMs(END.0 + 9) });
            (told, invoice)
        };
        prop_assert_eq!(whole(&cuts), whole(&[false; 8]));
    }

    #[test]
    fn a_tolerance_of_tokens_agrees_with_whole_numbers(
        a in 1..1_u64 << 40, b in 1..1_u64 << 40, up in 0..8_u32, bps in 0..=TOLERANCE_BPS_MAX, e in -30_i32..30,
    ) {
        let (got, asked) = (a, b);
        let of = |n: u64, e: i64| usd(&format!("{n}e{e}"));
        let up64 = i64::from(up);
        let scaled = u128::from(got) * 10_u128.pow(up);
        let enough = scaled * 10_000 >= u128::from(asked) * u128::from(10_000 - bps);
        prop_assert_eq!(is_enough(&of(got, i64::from(e) + up64), &of(asked, i64::from(e)), bps), enough);
        let less = u128::from(got) * 10_000 >= u128::from(asked) * 10_u128.pow(up) * u128::from(10_000 - bps);
        prop_assert_eq!(is_enough(&of(got, i64::from(e)), &of(asked, i64::from(e) + up64), bps), less);
    }
}

#[test]
fn what_a_person_assigns_may_be_older_than_the_invoice_and_is_late_by_its_ledger() {
    let amount = xrp("5");
    let assign = |ms| Event::Assign {
        amount,
        closed_at: UnixMs(ms),
    };
    let old = Event::Credit {
        amount,
        ledger_index: LedgerIndex(10),
        closed_at: UnixMs(1),
    };
    let asked = invoice(amount, 0);
    assert_eq!(decide(&asked, old, UnixMs(5)), Err(Illegal::BeforeInvoice));
    let (told, after) = live(&asked, &[assign(1)]);
    assert_eq!((told, after.paid_late), (vec![Told::Paid], false));
    let (told, after) = live(&asked, &[assign(END.0 + 1)]);
    assert_eq!(told, [Told::Expired, Told::Paid]);
    assert!(after.paid_late);
    let (_, cancelled) = live(&asked, &[Event::Cancel]);
    assert_eq!(
        decide(&cancelled, assign(1), UnixMs(5)),
        Err(Illegal::Cancelled)
    );
}
