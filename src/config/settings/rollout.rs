//! The rows of `[rollout]`.

use super::{Kind, Setting, row};

/// Every setting of the section.
pub(super) const ROWS: &[Setting] = &[
    row(
        "rollout.stage",
        Kind::Text,
        "The stage that a new database begins at. One that has begun keeps its own, which `xrpayd rollout promote` and `demote` change.",
    ),
    row(
        "rollout.highest_stage",
        Kind::Text,
        "The highest stage that is allowed; without it the last one. No promotion goes beyond it, and a stage in force above it is left for it at a start and at a reload.",
    ),
    row(
        "rollout.stages",
        Kind::Tables,
        "The stages, in order, each a table.",
    ),
    row("rollout.stages[].name", Kind::Text, "The stage's name."),
    row(
        "rollout.stages[].max_payment_xrp",
        Kind::Xrp,
        "The most that one payment may move at this stage. Without it the hard cap holds.",
    ),
    row(
        "rollout.stages[].daily_limit_xrp",
        Kind::Xrp,
        "The most that any 24 hours may move at this stage. Without it the hard cap holds.",
    ),
    row(
        "rollout.stages[].allowed_clients",
        Kind::List,
        "The names of the API keys that may pay at this stage; `[\"*\"]` is all of them, and so is leaving it out.",
    ),
    row(
        "rollout.stages[].min_duration",
        Kind::Duration,
        "How long the stage lasts at least.",
    ),
    row(
        "rollout.stages[].criteria.max_error_rate",
        Kind::Share,
        "The largest share of payments that may have failed by a fault of ours or the network's, of those that were delivered or failed so.",
    ),
    row(
        "rollout.stages[].criteria.confirmed_within",
        Kind::Duration,
        "How soon after their acceptance payments must have had their proven end, for `confirmed_ratio` of them.",
    ),
    row(
        "rollout.stages[].criteria.confirmed_ratio",
        Kind::Share,
        "Which share of payments must have had their end within `confirmed_within`. Those that a person approved are not timed.",
    ),
    row(
        "rollout.stages[].criteria.min_payments",
        Kind::Number,
        "How many payments must have been delivered or have failed.",
    ),
    row(
        "rollout.stages[].criteria.max_security_incidents",
        Kind::Number,
        "How many security incidents there may have been at the stage; older ones that are not closed and halted wallets count.",
    ),
    row(
        "rollout.stages[].criteria.alerts_acknowledged",
        Kind::Switch,
        "Whether at least one alert must have been raised at the stage, and every one acknowledged (`xrpayd rollout incident`).",
    ),
    row(
        "rollout.auto_demote.burn_rate",
        Kind::Number,
        "Switches automatic demotion on: the stage below comes into force where so many times `error_budget` failed in both windows. Nothing ever promotes by itself.",
    ),
    row(
        "rollout.auto_demote.error_budget",
        Kind::Share,
        "The share of payments that may fail in good times.",
    ),
    row(
        "rollout.auto_demote.long_window",
        Kind::Duration,
        "The window that shows that it is no blip.",
    ),
    row(
        "rollout.auto_demote.short_window",
        Kind::Duration,
        "The window that shows that it has not passed already.",
    ),
    row(
        "rollout.auto_demote.min_payments",
        Kind::Number,
        "How many payments must have been delivered or have failed in the long window before it says anything.",
    ),
];
