//! What holds of every invoice, and of every change of one. A step that breaks one of these stops the
//! process; a row that does is never taken for an invoice.

use super::{Invoice, InvoiceStatus, TOLERANCE_BPS_MAX, is_enough};

/// Whether an invoice makes sense.
///
/// # Errors
/// What is wrong with it.
pub fn check(invoice: &Invoice) -> Result<(), &'static str> {
    let enough = is_enough(&invoice.received, &invoice.amount, invoice.tolerance_bps);
    let rules = [
        (!invoice.amount.is_zero(), "it asks for nothing"),
        (
            invoice.amount.asset() == invoice.received.asset(),
            "what it received is not what it asks for",
        ),
        (
            invoice.tolerance_bps <= TOLERANCE_BPS_MAX,
            "its tolerance is the whole",
        ),
        (invoice.destination_tag != 0, "its tag is 0"),
        (invoice.version > 0, "its version is 0"),
        (
            (invoice.status == InvoiceStatus::Paid) == enough,
            "it is paid if and only if enough came",
        ),
        (
            invoice.status != InvoiceStatus::Open || invoice.received.is_zero(),
            "it is open and received something",
        ),
        (
            invoice.status != InvoiceStatus::PartiallyPaid || !invoice.received.is_zero(),
            "it is partially paid and received nothing",
        ),
        (
            invoice.overpaid == (invoice.received > invoice.amount),
            "it is overpaid if and only if more came",
        ),
        (
            !invoice.paid_late
                || matches!(invoice.status, InvoiceStatus::Paid | InvoiceStatus::Expired),
            "it was paid late and had no end",
        ),
        (
            invoice.ended_at.is_some() != invoice.status.is_waiting(),
            "it has a time of its end if and only if it waits for nothing",
        ),
    ];
    match rules.iter().find(|(holds, _)| !holds) {
        Some((_, broken)) => Err(broken),
        None => Ok(()),
    }
}

/// Stops the process where a change broke what must hold.
pub(super) fn assert_step(before: &Invoice, after: &Invoice) {
    assert_eq!(check(after), Ok(()), "{before:?} became {after:?}");
    assert!(
        after.version == before.version.saturating_add(1),
        "a change counts the version by one"
    );
    assert!(
        after.received >= before.received,
        "what was received is never taken back"
    );
    assert!(
        (after.overpaid || !before.overpaid) && (after.paid_late || !before.paid_late),
        "a flag is never taken down"
    );
    assert!(
        before.status != InvoiceStatus::Cancelled,
        "what was called off stays so"
    );
    assert!(
        before.status != InvoiceStatus::Paid || after.status == InvoiceStatus::Paid,
        "what is paid stays paid"
    );
}
