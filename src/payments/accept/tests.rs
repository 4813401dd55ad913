use super::*;
use proptest::prelude::*;
use serde_json::json;

const HOT: &str = "rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh";
const SHOP: &str = "rPT1Sjq2YGrBMTttX4GZHjKu9dyfzbpAYe";

fn request(change: impl FnOnce(&mut serde_json::Value)) -> PaymentRequest {
    let mut body = json!({
        "destination": SHOP,
        "amount": { "currency": "XRP", "value": "1" },
    });
    change(&mut body);
    serde_json::from_value(body).unwrap()
}

fn faults(network_id: u32, change: impl FnOnce(&mut serde_json::Value)) -> Vec<(Fault, String)> {
    let faults = read(&request(change), network_id).err().unwrap_or_default();
    faults
        .into_iter()
        .map(|fault| (fault.fault, fault.pointer))
        .collect()
}

fn x_address(network: XNetwork, tag: Option<u32>) -> String {
    let account = SHOP.parse().unwrap();
    XAddress {
        account,
        tag,
        network,
    }
    .to_string()
}

#[test]
fn an_x_address_fits_its_network_alone() {
    let to =
        |address: String| move |body: &mut serde_json::Value| body["destination"] = json!(address);
    let wrong = [(Fault::DestinationInvalid, "/destination".to_owned())];
    assert_eq!(faults(0, to(x_address(XNetwork::Main, None))), []);
    assert_eq!(faults(0, to(x_address(XNetwork::Test, None))), wrong);
    for testing in [1, 2, 63_456] {
        assert_eq!(faults(testing, to(x_address(XNetwork::Test, None))), []);
        assert_eq!(faults(testing, to(x_address(XNetwork::Main, None))), wrong);
    }
}

#[test]
fn a_tag_is_taken_from_wherever_it_stands_and_never_from_two_places_that_differ() {
    let tag_of = |inner: Option<u32>, outer: Option<u32>| {
        let request = request(|body| {
            body["destination"] = json!(x_address(XNetwork::Main, inner));
            body["destination_tag"] = json!(outer);
        });
        read(&request, 0).map(|reading| reading.destination_tag)
    };
    assert_eq!(tag_of(Some(7), None), Ok(Some(7)));
    assert_eq!(tag_of(None, Some(7)), Ok(Some(7)));
    assert_eq!(tag_of(Some(7), Some(7)), Ok(Some(7)));
    assert_eq!(tag_of(None, None), Ok(None));
    assert!(tag_of(Some(7), Some(0)).is_err());
    assert!(tag_of(Some(0), Some(7)).is_err());
}

#[test]
fn memos_fit_the_ledger_to_the_byte_and_leave_room_for_the_marker() {
    let memos = |bytes: usize, invoice: bool| {
        faults(0, |body| {
            body["memos"] = json!([{ "data": "x".repeat(bytes) }]);
            if invoice {
                body["invoice_id"] = json!("0".repeat(64));
            }
        })
    };
    // Two bytes of the object, one of the field, two of a length above 192.
    assert_eq!(memos(1_019, false), []);
    assert_eq!(memos(1_020, false).len(), 1);
    assert_eq!(memos(955, true), []);
    assert_eq!(memos(956, true).len(), 1);
}

#[test]
fn memos_take_their_ledger_form() {
    let request = request(|body| body["memos"] = json!([{ "type": "a", "data": "ü" }]));
    let order = read(&request, 0).unwrap().order("k", UnixMs(0));
    assert_eq!(order.memos[0].memo_type.as_deref(), Some("61"));
    assert_eq!(order.memos[0].memo_format, None);
    assert_eq!(order.memos[0].memo_data.as_deref(), Some("C3BC"));
}

#[test]
fn an_expiry_counts_from_the_acceptance() {
    let request = request(|body| body["expires_in"] = json!(90));
    let reading = read(&request, 0).unwrap();
    assert_eq!(
        reading.order("k", UnixMs(1_000)).expires_at,
        Some(UnixMs(91_000))
    );
    let later = read(&request, 0).unwrap();
    assert_eq!(reading.fingerprint, later.fingerprint);
}

#[test]
fn the_wallet_never_pays_itself_under_any_spelling() {
    let policy = Policy {
        network_id: 0,
        wallets: [("hot".to_owned(), HOT.parse().unwrap())].into(),
        routed: vec!["hot".to_owned()],
        approval: None,
        stage: "general".to_owned(),
        words: 0,
        allowed_clients: vec!["*".to_owned()],
        caps: Caps {
            min_payment: Drops::ZERO,
            max_payment: Drops::MAX,
            daily: Drops::MAX,
            max_pending: 1,
        },
        scopes: Default::default(),
    };
    let own = XAddress {
        account: HOT.parse().unwrap(),
        tag: Some(1),
        network: XNetwork::Main,
    };
    for destination in [HOT.to_owned(), own.to_string()] {
        let request = request(|body| body["destination"] = json!(destination));
        let refused = place(
            &read(&request, 0).unwrap(),
            &policy,
            Some("hot"),
            ("shop", "k"),
            UnixMs(0),
        );
        let Err(Refusal::Fields(faults)) = refused else {
            panic!("{refused:?}")
        };
        assert_eq!(faults[0].fault, Fault::DestinationIsSelf);
    }
}

proptest! {
    #[test]
    fn an_amount_is_read_to_the_drop_and_its_spelling_does_not_matter(drops in 1..=Drops::MAX.get(), zeros in 0_usize..4) {
        let amount = Drops::new(drops).unwrap();
        let spelled = |value: String| read(&request(|body| body["amount"]["value"] = json!(value)), 0).unwrap();
        let plain = spelled(amount.to_xrp());
        let point = if amount.to_xrp().contains('.') { "" } else { "." };
        let padded = if zeros == 0 { amount.to_xrp() } else { format!("{}{point}{}", amount.to_xrp(), "0".repeat(zeros)) };
        prop_assert_eq!(plain.amount, amount);
        prop_assert_eq!(spelled(padded).fingerprint, plain.fingerprint);
    }

    #[test]
    fn different_amounts_and_tags_have_different_fingerprints(a in 1_u64..1 << 40, b in 1_u64..1 << 40, t: u32, u: u32) {
        let print = |drops: u64, tag: u32| {
            let value = Drops::new(drops).unwrap().to_xrp();
            read(&request(|body| {
                body["amount"]["value"] = json!(value);
                body["destination_tag"] = json!(tag);
            }), 0).unwrap().fingerprint
        };
        prop_assert_eq!(print(a, t) == print(b, u), (a, t) == (b, u));
    }
}
