use super::*;
use serde_json::json;

const DEPOSIT: DepositId = DepositId(7);

fn read(body: serde_json::Value) -> Result<Wanted, Vec<FieldError>> {
    read_return(&serde_json::from_value(body).unwrap(), DEPOSIT)
}

#[test]
fn a_return_is_the_same_request_by_what_it_means() {
    let xrp = |value: &str| json!({ "amount": { "currency": "XRP", "value": value } });
    let one = read(xrp("1.50")).unwrap();
    assert_eq!(one, read(xrp("1.5")).unwrap());
    assert_eq!(one.drops, Drops::new(1_500_000));
    assert_ne!(one.fingerprint, read(xrp("1")).unwrap().fingerprint);
    assert_ne!(one.fingerprint, read(json!({})).unwrap().fingerprint);
    let other = read_return(&ReturnRequest::default(), DepositId(8)).unwrap();
    assert_ne!(other.fingerprint, read(json!({})).unwrap().fingerprint);
}

#[test]
fn only_xrp_goes_back() {
    let usd =
        json!({ "currency": "USD", "issuer": "rPT1Sjq2YGrBMTttX4GZHjKu9dyfzbpAYe", "value": "1" });
    let faults = read(json!({ "amount": usd })).unwrap_err();
    assert_eq!(faults[0].fault, Fault::CurrencyNotEnabled);
    let none = read(json!({ "amount": { "currency": "XRP", "value": "0" } })).unwrap_err();
    assert_eq!(none[0].pointer, "/amount/value");
}

#[test]
fn a_tag_without_its_destination_and_an_id_of_nothing_are_told_at_once() {
    let body = json!({ "destination_tag": 7, "deposit_id": "inv_1" });
    let request: RefundRequest = serde_json::from_value(body).unwrap();
    let faults = read_refund(&request, InvoiceId(1)).unwrap_err();
    let pointers: Vec<_> = faults.iter().map(|fault| fault.pointer.as_str()).collect();
    assert_eq!(pointers, ["/deposit_id", "/destination_tag"]);
}

#[test]
fn a_payment_that_gives_back_says_what_had_brought_it() {
    let hash = TxHash([7; 32]);
    let request = payment("hot", ("r".to_owned(), Some(5)), Drops::ZERO, Some(hash));
    let memos = request.memos.unwrap();
    assert_eq!(memos[0].memo_type.as_deref(), Some("xrpayd/return"));
    assert_eq!(memos[0].data, Some(hash.to_string()));
}
