use super::*;
use secrecy::SecretString;
use std::collections::BTreeMap;
use xrpayd_codec::{check_signature, decode};
use xrpayd_core::ids::LedgerIndex;
use xrpayd_core::money::Drops;
use xrpayd_core::payment::Memo;

const SEED: &str = "sEdVfbAkapHUcS5dAFVRvkh6qTiNxr1";
const ADDRESS: &str = "rBLBSrTC68gJUQ7amoAUyoVJgM8Zr8VWXc";
const DESTINATION: &str = "rPT1Sjq2YGrBMTttX4GZHjKu9dyfzbpAYe";

fn wallet(network_id: u32, signer: Box<dyn Signer>) -> Wallet {
    Wallet::new(
        "hot".into(),
        ADDRESS.parse().unwrap(),
        network_id,
        Some(77),
        signer,
    )
}

fn local() -> Box<dyn Signer> {
    Box::new(LocalSigner::from_seed(&SecretString::from(SEED)).unwrap())
}

fn order() -> Order {
    Order {
        destination: DESTINATION.parse().unwrap(),
        destination_tag: Some(0),
        amount: Drops::from_xrp("4294.967296").unwrap(),
        source_tag: None,
        invoice_id: None,
        memos: Vec::new(),
        max_fee: None,
        reference: None,
        metadata: BTreeMap::new(),
        expires_at: None,
        idempotency_key: "key-1".into(),
        payback: None,
    }
}

fn terms() -> Terms {
    Terms {
        slot: Slot::Sequence(5),
        fee: Drops::new(12).unwrap(),
        last_ledger: LedgerIndex(1_000),
    }
}

#[test]
fn a_payment_says_on_the_ledger_exactly_what_was_ordered() {
    let signed = wallet(0, local())
        .sign_payment("shop", &order(), terms())
        .unwrap();
    let tx = decode(&signed.blob).unwrap();
    assert_eq!(tx["TransactionType"], "Payment");
    assert_eq!(tx["Account"], ADDRESS);
    assert_eq!(tx["Destination"], DESTINATION);
    assert_eq!(tx["DestinationTag"], 0, "a tag of zero is a tag");
    assert_eq!(tx["Amount"], "4294967296");
    assert_eq!(tx["Fee"], "12");
    assert_eq!(tx["Sequence"], 5);
    assert_eq!(tx["LastLedgerSequence"], 1_000);
    assert_eq!(tx["SourceTag"], 77);
    assert_eq!(
        tx["InvoiceID"],
        marker::of("hot", "shop", "key-1").to_string()
    );
    assert_eq!(
        tx.get("NetworkID"),
        None,
        "networks up to 1024 are not named"
    );
    assert_eq!(signed.hash, xrpayd_codec::transaction_hash(&signed.blob));
    assert!(check_signature(&signed.blob).is_ok());
}

#[test]
fn the_callers_invoice_id_stands_and_the_marker_moves_to_a_memo() {
    let invoice_id = xrpayd_core::ids::Hash256([7; 32]);
    let memo = Memo {
        memo_type: None,
        memo_format: None,
        memo_data: Some("CAFE".into()),
    };
    let order = Order {
        invoice_id: Some(invoice_id),
        memos: vec![memo],
        source_tag: Some(9),
        destination_tag: None,
        ..order()
    };
    let signed = wallet(0, local())
        .sign_payment("shop", &order, terms())
        .unwrap();
    let tx = decode(&signed.blob).unwrap();
    assert_eq!(tx["InvoiceID"], invoice_id.to_string());
    assert_eq!(tx["SourceTag"], 9);
    assert_eq!(tx.get("DestinationTag"), None, "no tag is no tag");
    assert_eq!(tx["Memos"][0]["Memo"]["MemoData"], "CAFE");
    assert_eq!(
        tx["Memos"][1],
        marker::memo(marker::of("hot", "shop", "key-1"))
    );
}

#[test]
fn a_network_above_1024_is_named_and_a_ticket_stands_for_the_sequence() {
    let terms = Terms {
        slot: Slot::Ticket(44),
        ..terms()
    };
    let signed = wallet(21_338, local()).sign_plug(terms).unwrap();
    let tx = decode(&signed.blob).unwrap();
    assert_eq!(tx["TransactionType"], "AccountSet");
    assert_eq!(tx["NetworkID"], 21_338);
    assert_eq!(
        (&tx["Sequence"], &tx["TicketSequence"]),
        (&0.into(), &44.into())
    );
}

#[test]
fn tickets_are_made_as_many_as_were_asked_for() {
    let signed = wallet(0, local()).sign_ticket_create(250, terms()).unwrap();
    let tx = decode(&signed.blob).unwrap();
    assert_eq!(tx["TransactionType"], "TicketCreate");
    assert_eq!(tx["TicketCount"], 250);
    assert_eq!(tx["Sequence"], 5);
    assert!(check_signature(&signed.blob).is_ok());
}

/// A signer that answers with somebody else's signature.
#[derive(Debug)]
struct Liar(LocalSigner, LocalSigner);

impl Signer for Liar {
    fn public_key(&self) -> &PublicKey {
        self.0.public_key()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        self.1.sign(message)
    }
}

#[test]
fn a_signature_that_does_not_verify_never_leaves_the_room() {
    let signer = |seed| LocalSigner::from_seed(&SecretString::from(seed)).unwrap();
    let liar = Liar(signer(SEED), signer("snoPBrXtMeMyMHUVTgbuqAfg1SUTb"));
    let verdict = wallet(0, Box::new(liar)).sign_plug(terms());
    assert!(matches!(verdict, Err(SignError::BadSignature)));
}

#[test]
fn the_second_encoder_catches_a_byte_that_differs() {
    let signed = wallet(0, local()).sign_plug(terms()).unwrap();
    let tx = decode(&signed.blob).unwrap();
    assert!(second_opinion::check(&tx, &signed.blob).is_ok());
    let mut wrong = signed.blob;
    wrong[10] ^= 1;
    assert!(matches!(
        second_opinion::check(&tx, &wrong),
        Err(SignError::Disagreement(_))
    ));
}

#[test]
fn a_bad_seed_is_refused_without_repeating_it() {
    let error = LocalSigner::from_seed(&SecretString::from("sEdNotASeed")).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("NotASeed"));
    let debug = format!("{:?}", local());
    assert!(!debug.contains(SEED), "{debug}");
}
