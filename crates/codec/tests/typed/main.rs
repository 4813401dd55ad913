//! Typed transactions render to the very bytes of the reference vectors.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod refused;

use flate2::read::GzDecoder;
use serde_json::Value;
use std::io::Read;
use xrpayd_codec::transaction::{
    AccountSet, Action, Common, LineFreeze, LineRippling, Memo, Payment, PaymentOption,
    SetRegularKey, SignerListSet, Slot, TicketCreate, TrustSet, Unsigned,
};
use xrpayd_codec::{Amount, PathStep, encode};
use xrpayd_core::address::AccountId;
use xrpayd_core::ids::LedgerIndex;
use xrpayd_core::money::Drops;

const ALICE: &str = "rBLBSrTC68gJUQ7amoAUyoVJgM8Zr8VWXc";
const ALICE_K1: &str = "ra2SHTAeTBtUAeJTFhH1rFrgCau29jB9RR";
const BOB: &str = "rPT1Sjq2YGrBMTttX4GZHjKu9dyfzbpAYe";
const GATE: &str = "rvYAfWj5gh67oV6fW32ZzP3Aw4Eubs59B";
const RLUSD_GATE: &str = "rMxCKbEDwqr76QuheSUMdEGf4B9xJ8m5De";
const RLUSD: &str = "524C555344000000000000000000000000000000";
const ISSUANCE: &str = "00000F6D5186FB5C90A8112419BED54193EDC7218835C6F5";

fn id(text: &str) -> AccountId {
    text.parse().unwrap()
}

fn xrp(drops: u64) -> Amount {
    Amount::Xrp(Drops::new(drops).unwrap())
}

fn token(currency: &str, issuer: &str, value: &str) -> Amount {
    Amount::Token {
        currency: currency.parse().unwrap(),
        issuer: id(issuer),
        value: value.parse().unwrap(),
    }
}

fn usd(value: &str) -> Amount {
    token("USD", GATE, value)
}

fn mpt(value: &str) -> Amount {
    Amount::Mpt {
        issuance: ISSUANCE.parse().unwrap(),
        value: value.parse().unwrap(),
    }
}

fn common(sequence: u32) -> Common {
    Common {
        account: id(ALICE),
        fee: Drops::new(12).unwrap(),
        slot: Slot::Sequence(sequence),
        last_ledger: LedgerIndex(90_000_000),
        network_id: 0,
        source_tag: None,
        account_txn_id: None,
        memos: Vec::new(),
    }
}

fn pay(payment: Payment) -> Unsigned {
    Unsigned {
        common: common(1),
        action: Action::Payment(Box::new(payment)),
    }
}

fn act(action: Action) -> Unsigned {
    Unsigned {
        common: common(7),
        action,
    }
}

fn to_bob(amount: Amount) -> Payment {
    Payment::new(id(BOB), amount)
}

fn vector(name: &str) -> Value {
    let packed = include_bytes!("../../../../tests/data/vectors.json.gz");
    let mut text = String::new();
    GzDecoder::new(packed.as_slice())
        .read_to_string(&mut text)
        .unwrap();
    let vectors: Value = serde_json::from_str(&text).unwrap();
    let cases = vectors["cases"].as_array().unwrap();
    let case = cases.iter().find(|case| case["name"] == name);
    case.unwrap_or_else(|| panic!("{name}"))["tx_json"].clone()
}

fn assert_renders(name: &str, tx: &Unsigned) {
    let ours = encode(&tx.to_json().unwrap()).unwrap();
    let theirs = encode(&vector(name)).unwrap();
    assert_eq!(hex::encode(ours), hex::encode(theirs), "{name}");
}

#[test]
fn payments_render_to_the_bytes_of_the_vectors() {
    let with_memo = |memo| Unsigned {
        common: Common {
            memos: vec![memo],
            ..common(1)
        },
        ..pay(to_bob(xrp(1)))
    };
    assert_renders(
        "memo_full/ed",
        &with_memo(Memo {
            kind: Some("http://example.com/memo/generic".to_owned()),
            format: Some("text/plain".to_owned()),
            data: Some(b"rent".to_vec()),
        }),
    );
    let mut ticket = pay(to_bob(xrp(1)));
    ticket.common.account = id(ALICE_K1);
    ticket.common.slot = Slot::Ticket(77);
    assert_renders("ticket/k1", &ticket);
    let mut network = pay(to_bob(xrp(1)));
    network.common.account = id(ALICE_K1);
    network.common.network_id = 21_338;
    assert_renders("network_id/k1", &network);
    let mut after = pay(to_bob(xrp(1)));
    let last = "ABCDEF0123456789".repeat(4);
    after.common.account_txn_id = Some(last.parse().unwrap());
    assert_renders("account_txn_id/ed", &after);
    let invoice = "6F1DFD1D0FE8A32E40E1F2C05CF1C15545BAB56B617F9C6C2D63A6B704BEF59B";
    assert_renders(
        "invoice_id/ed",
        &pay(Payment {
            invoice_id: Some(invoice.parse().unwrap()),
            ..to_bob(xrp(1))
        }),
    );
}

#[test]
fn payments_of_tokens_render_to_the_bytes_of_the_vectors() {
    let partial = |amount, send_max, deliver_min| {
        pay(Payment {
            send_max: Some(send_max),
            deliver_min: Some(deliver_min),
            options: vec![PaymentOption::PartialPayment],
            ..to_bob(amount)
        })
    };
    assert_renders("delivermin/ed", &partial(usd("10"), usd("11"), usd("9.99")));
    assert_renders(
        "delivermin_xrp/ed",
        &partial(xrp(10_000_000), usd("11"), xrp(9_000_000)),
    );
    assert_renders(
        "flags_partial_limit/ed",
        &pay(Payment {
            send_max: Some(usd("12")),
            options: vec![PaymentOption::PartialPayment, PaymentOption::LimitQuality],
            ..to_bob(usd("10"))
        }),
    );
    assert_renders(
        "mpt_sendmax/ed",
        &pay(Payment {
            send_max: Some(mpt("6")),
            ..to_bob(mpt("5"))
        }),
    );
    let into_usd = PathStep::IntoToken("USD".parse().unwrap(), Some(id(GATE)));
    let paths = |send_max, paths| {
        pay(Payment {
            send_max: Some(send_max),
            paths,
            ..to_bob(usd("10"))
        })
    };
    let through = PathStep::Account(id(GATE));
    assert_renders(
        "paths_1/ed",
        &paths(xrp(100), vec![vec![into_usd, through]]),
    );
    let into_rlusd = PathStep::IntoToken(RLUSD.parse().unwrap(), Some(id(RLUSD_GATE)));
    assert_renders(
        "paths_3/ed",
        &paths(
            token(RLUSD, RLUSD_GATE, "11"),
            vec![
                vec![through],
                vec![into_usd, through],
                vec![PathStep::IntoXrp, into_rlusd],
            ],
        ),
    );
    let issuer = PathStep::IntoIssuer(id(GATE));
    assert_renders("paths_issuer_only/ed", &paths(xrp(100), vec![vec![issuer]]));
    for step in [through, into_usd, issuer, PathStep::IntoXrp] {
        assert_eq!(PathStep::from_json(&step.to_json()), Ok(step));
    }
}

fn trust() -> TrustSet {
    TrustSet {
        currency: RLUSD.parse().unwrap(),
        issuer: id(RLUSD_GATE),
        limit: "1000000000".parse().unwrap(),
        quality_in: Some(0),
        quality_out: Some(u32::MAX),
        rippling: LineRippling::Forbid,
        freeze: LineFreeze::Unchanged,
    }
}

#[test]
fn other_actions_render_to_the_bytes_of_the_vectors() {
    let nothing = Action::AccountSet(Box::default());
    assert_renders("accountset_noop/ed", &act(nothing));
    let key = "03AB40A0490F9B7ED8DF29D246BF2D6269820A0EE7742ACDD457BEA7C7D0931EDB";
    let everything = AccountSet {
        set_flag: Some(8),
        clear_flag: None,
        domain: Some("example.com".to_owned()),
        email_hash: Some(0x98B4_375E_1D75_3E5B_9162_7516_F6D7_0977_u128.to_be_bytes()),
        message_key: Some(key.parse().unwrap()),
        transfer_rate: Some(1_002_000_000),
        tick_size: Some(5),
    };
    assert_renders(
        "accountset_all/ed",
        &act(Action::AccountSet(Box::new(everything))),
    );
    let regular_key = Some(id(BOB));
    assert_renders(
        "setregularkey/ed",
        &act(Action::SetRegularKey(SetRegularKey { regular_key })),
    );
    let clear = SetRegularKey { regular_key: None };
    assert_renders("setregularkey_clear/ed", &act(Action::SetRegularKey(clear)));
    let signers = Vec::new();
    let delete = SignerListSet { quorum: 0, signers };
    assert_renders(
        "signerlistset_delete/ed",
        &act(Action::SignerListSet(delete)),
    );
    let tickets = TicketCreate { count: 250 };
    assert_renders("ticketcreate/ed", &act(Action::TicketCreate(tickets)));
    let mut trust = act(Action::TrustSet(trust()));
    trust.common.account = id(ALICE_K1);
    assert_renders("trustset/k1", &trust);
}

#[test]
fn a_signer_list_renders_as_the_vectors_have_it() {
    let signers = vec![
        (id("rhw54s5nwR5GKtVeoQ9vwJtaFAuC6B8Naz"), 1),
        (id("rntNBxEFrt1TMrmmNGW6f26B2vnqo9sxtM"), 2),
        (id("rKs8Z96chfmjzwvkx8rTDaNyRwd6z7LuNG"), 65_535),
    ];
    let set = SignerListSet { quorum: 3, signers };
    let mut expected = vector("signerlistset_3/ed");
    // The vector also carries a field that the daemon never sets.
    let entry = &mut expected["SignerEntries"][2]["SignerEntry"];
    entry
        .as_object_mut()
        .unwrap()
        .remove("WalletLocator")
        .unwrap();
    let ours = act(Action::SignerListSet(set)).to_json().unwrap();
    assert_eq!(encode(&ours).unwrap(), encode(&expected).unwrap());
}
