//! Rows that mean nothing: an error that names the payment, never a default.

use super::bed::*;
use xrpayd::store::{PaymentFilter, Store, StoreError};
use xrpayd_core::ids::PaymentId;

async fn refused(store: &Store, id: PaymentId, tampering: &str) {
    let error = store.payment(id).await.unwrap_err();
    assert!(
        matches!(error, StoreError::Corrupt { .. }),
        "{tampering}: {error:?}"
    );
    assert!(
        error.to_string().contains(&id.to_string()),
        "{tampering}: {error}"
    );
    let whole = first_page(10);
    assert!(
        store
            .payments(&PaymentFilter::default(), &whole)
            .await
            .is_err(),
        "{tampering}: in a list"
    );
}

on_both_stores! {
    async fn a_payment_whose_row_contradicts_itself_is_an_error_that_names_it(bed) {
        let store = anchored(bed).await;
        let payment = accepted(&store, request("key", "1", T0)).await;
        for (tampering, repair) in [
            ("order_doc = '{'", None),
            ("order_doc = '{}'", None),
            ("order_doc = replace(order_doc, '1000000', '1000001')", None),
            ("state_doc = '{\"state\":\"lost\"}'", None),
            ("state_doc = '{\"state\":\"in_flight\"}'", None),
            ("substatus = 'signed'", Some("substatus = 'queued'")),
            ("phase = 'in_flight'", Some("phase = 'queued'")),
            ("version = -1", Some("version = 1")),
            ("version = 4294967296", Some("version = 1")),
            ("destination = 'rrrrrrrrrrrrrrrrrrrrrhoLvTp'", None),
            ("reference = 'another'", Some("reference = null")),
            ("expires_at = 5", Some("expires_at = null")),
        ] {
            let keep = bed_columns(bed).await;
            bed.raw(&format!("update payments set {tampering}")).await;
            refused(&store, payment.id, tampering).await;
            let repair = repair.map_or(keep, str::to_owned);
            bed.raw(&format!("update payments set {repair}")).await;
            assert_eq!(store.payment(payment.id).await.unwrap(), Some(payment.clone()), "{repair}");
        }
    }

    async fn an_attempt_that_does_not_decode_is_an_error_that_names_its_payment(bed) {
        let store = anchored(bed).await;
        let payment = accepted(&store, request("key", "1", T0)).await;
        let payment = committed(&store, signed(&payment, 10, T0)).await;
        for (tampering, repair) in [
            ("state_doc = '{\"state\":\"nowhere\"}'", "state_doc = '{\"state\":\"signed\"}'"),
            ("open = 0", "open = 1"),
            ("n = 1", "n = 0"),
            ("fee_drops = -5", "fee_drops = 10"),
            ("slot = 4294967296", "slot = 10"),
        ] {
            bed.raw(&format!("update attempts set {tampering}")).await;
            refused(&store, payment.id, tampering).await;
            bed.raw(&format!("update attempts set {repair}")).await;
            assert_eq!(store.payment(payment.id).await.unwrap(), Some(payment.clone()));
        }
        bed.raw("delete from attempts").await;
        refused(&store, payment.id, "no attempt at all").await;
    }

    async fn the_schema_itself_refuses_what_can_never_be(bed) {
        let store = anchored(bed).await;
        accepted(&store, request("key", "1", T0)).await;
        for nonsense in [
            "update payments set status = 'done'",
            "update payments set status = 'succeeded'",
            "update payments set amount_drops = 0",
            "update payments set counted_drops = -1",
            "update limit_state set used_drops = -1",
            "update limit_state set pending = -1",
        ] {
            let sql = nonsense.to_owned();
            assert!(bed.try_raw(&sql).await.is_err(), "{nonsense}");
        }
    }
}

/// What puts back the columns whose contents are long.
async fn bed_columns(bed: &Bed) -> String {
    let (order, state) = (
        bed.word("select order_doc from payments").await,
        bed.word("select state_doc from payments").await,
    );
    let destination = bed.word("select destination from payments").await;
    format!("order_doc = '{order}', state_doc = '{state}', destination = '{destination}'")
}
