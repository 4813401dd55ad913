//! The rows of `[limits]`.

use super::{Kind, Setting, row};

/// Every setting of the section.
pub(super) const ROWS: &[Setting] = &[
    row(
        "limits.min_payment_xrp",
        Kind::Xrp,
        "The least that one payment may move.",
    ),
    row(
        "limits.max_payment_xrp",
        Kind::Xrp,
        "The most that one payment may move.",
    ),
    row(
        "limits.daily_limit_xrp",
        Kind::Xrp,
        "The most that may be moved in any 24 hours, all wallets together.",
    ),
    row(
        "limits.max_pending",
        Kind::Number,
        "How many payments may be on their way at once.",
    ),
    row(
        "limits.approval_threshold",
        Kind::Xrp,
        "Payments of this much and more wait until another key with `payments:approve` approves them. Without it none do.",
    ),
    row(
        "limits.approval_expires_in",
        Kind::Duration,
        "How long a payment waits for its approval before it expires; its own `expires_in` counts meanwhile.",
    ),
    row(
        "limits.acknowledge_high_cap",
        Kind::Switch,
        "Says that a `limits.max_payment_xrp` above 10,000 XRP is meant. Without it production does not start with such a cap, and other profiles warn.",
    ),
    row(
        "limits.clients.<name>.max_payment_xrp",
        Kind::Xrp,
        "The most that one payment of the client may move.",
    ),
    row(
        "limits.clients.<name>.daily_limit_xrp",
        Kind::Xrp,
        "The most that the client may move in any 24 hours.",
    ),
    row(
        "limits.clients.<name>.max_pending",
        Kind::Number,
        "How many payments of the client may be on their way at once.",
    ),
    row(
        "limits.destinations.<address>.max_payment_xrp",
        Kind::Xrp,
        "The most that one payment may move to the account.",
    ),
    row(
        "limits.destinations.<address>.daily_limit_xrp",
        Kind::Xrp,
        "The most that may be moved to the account in any 24 hours.",
    ),
    row(
        "limits.destinations.<address>.max_pending",
        Kind::Number,
        "How many payments to the account may be on their way at once.",
    ),
    row(
        "limits.assets",
        Kind::Reserved,
        "The limits of issued currencies. Payments are made in XRP only in this version, so that an entry \
         could have no effect, and is refused.",
    ),
];
