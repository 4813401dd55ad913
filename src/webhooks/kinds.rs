//! The types of events that endpoints are told of, and the filters over them.
//!
//! A filter is a list of types; `*` is every type, `payment.*` every type of payments. A type that is
//! not known is refused, because a filter with a slip of the pen would be silent for ever.

/// The type of the event that a merchant sends to try an endpoint.
pub const TEST: &str = "webhook.test";

/// Every type that there is.
pub const KINDS: [&str; 22] = [
    "payment.awaiting_approval",
    "payment.processing",
    "payment.succeeded",
    "payment.failed",
    "payment.expired",
    "payment.cancelled",
    "payment.rejected",
    "invoice.partially_paid",
    "invoice.paid",
    "invoice.overpaid",
    "invoice.expired",
    "invoice.cancelled",
    "invoice.refunded",
    "deposit.received",
    "deposit.unmatched",
    "deposit.returned",
    "wallet.low_balance",
    "wallet.critical_balance",
    "rollout.changed",
    "service.paused",
    "service.resumed",
    "webhook_endpoint.disabled",
];

/// The most entries of a filter: more than there are types and families.
pub const FILTER_LEN_MAX: usize = 64;

/// Whether a filter may hold `pattern`.
#[must_use]
pub fn is_known(pattern: &str) -> bool {
    match pattern.strip_suffix(".*") {
        Some(family) => KINDS.iter().any(|kind| family_of(kind) == family),
        None => pattern == "*" || KINDS.contains(&pattern),
    }
}

/// Whether a filter lets an event of this type through.
#[must_use]
pub fn lets_through(filter: &[String], kind: &str) -> bool {
    filter
        .iter()
        .any(|pattern| match pattern.strip_suffix(".*") {
            Some(family) => family_of(kind) == family,
            None => pattern == "*" || pattern == kind,
        })
}

/// The types that one entry of a filter lets through.
pub fn named_by(pattern: &str) -> impl Iterator<Item = &'static str> {
    let filter = [pattern.to_owned()];
    KINDS
        .into_iter()
        .filter(move |kind| lets_through(&filter, kind))
}

fn family_of(kind: &str) -> &str {
    kind.split_once('.').map_or(kind, |(family, _)| family)
}

#[cfg(test)]
mod tests {
    use super::*;
    use xrpayd_core::invoice::Told;
    use xrpayd_core::payment::Status;

    fn filter(patterns: &[&str]) -> Vec<String> {
        patterns.iter().map(|&pattern| pattern.to_owned()).collect()
    }

    #[test]
    fn a_filter_lets_through_what_it_names() {
        assert!(lets_through(&filter(&["*"]), "payment.succeeded"));
        assert!(lets_through(&filter(&["payment.*"]), "payment.succeeded"));
        assert!(lets_through(
            &filter(&["invoice.paid", "payment.failed"]),
            "payment.failed"
        ));
        assert!(!lets_through(
            &filter(&["invoice.paid"]),
            "invoice.overpaid"
        ));
        assert!(!lets_through(&filter(&["invoice.*"]), "payment.failed"));
        assert!(!lets_through(&[], "payment.failed"));
    }

    #[test]
    fn an_entry_names_the_types_that_it_lets_through() {
        let named = |pattern| named_by(pattern).collect::<Vec<_>>();
        assert_eq!(named("payment.failed"), ["payment.failed"]);
        assert_eq!(named("service.*"), ["service.paused", "service.resumed"]);
        assert_eq!(named("*"), KINDS);
        assert!(named("payment").is_empty());
    }

    #[test]
    fn a_type_that_nobody_sends_is_not_known() {
        for pattern in ["*", "payment.*", "webhook_endpoint.*", "deposit.unmatched"] {
            assert!(is_known(pattern), "{pattern}");
        }
        for pattern in [
            "",
            "payment",
            "payments.*",
            "payment.suceeded",
            ".*",
            "**",
            "pay*",
        ] {
            assert!(!is_known(pattern), "{pattern}");
        }
    }

    #[test]
    fn every_status_of_a_payment_has_its_type() {
        for status in Status::ALL {
            let kind = format!("payment.{}", status.as_str());
            assert!(KINDS.contains(&kind.as_str()), "{kind}");
        }
    }

    #[test]
    fn everything_that_is_told_of_an_invoice_has_its_type() {
        let all = [
            Told::PartiallyPaid,
            Told::Paid,
            Told::Overpaid,
            Told::Expired,
            Told::Cancelled,
        ];
        for told in all {
            assert!(KINDS.contains(&told.as_str()), "{told:?}");
        }
    }
}
