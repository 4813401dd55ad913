//! Every metric family of the daemon, declared in one place with its help text.
//!
//! Owns the registry. Rooms hold an `Arc<Metrics>` and touch the public fields; nobody registers a
//! family elsewhere. Label values come from closed sets (states, commands, result codes, names that
//! the operator configured); never an id, an address or a text that a stranger can choose.
//!
//! On failure: declaring a family twice or under a bad name is a mistake of this file, and
//! [`Metrics::new`] returns it; encoding cannot fail for families that were declared.

use prometheus::{
    Counter, Encoder, Gauge, GaugeVec, HistogramOpts, HistogramVec, IntCounter, IntCounterVec,
    IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
};
use std::time::Duration;

/// The content type of [`Metrics::encode`]'s answer.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Seconds: from a fast local answer to the slowest that a caller still waits for. What an alert compares
/// with, 0.2 and 2, is a bound, so that nothing is guessed between two.
const REQUEST_BUCKETS: &[f64] = &[
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0,
];

/// Seconds: a payment's stages run from less than a millisecond (signing) to twenty ledgers. 25 is the
/// objective.
const STAGE_BUCKETS: &[f64] = &[
    0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 4.0, 5.0, 7.5, 10.0, 15.0,
    20.0, 25.0, 30.0, 45.0, 60.0,
];

/// What a family is declared as.
#[derive(Debug, Clone, Copy)]
pub struct Family {
    /// Its name.
    pub name: &'static str,
    /// Its labels.
    pub labels: &'static [&'static str],
    /// The type of the field that holds it, such as `HistogramVec`.
    pub kind: &'static str,
}

macro_rules! families {
    ($($field:ident: $kind:ident $([$($label:literal),+])? $(in $buckets:ident)? = $name:literal, $help:literal;)+) => {
        /// All metric families.
        #[derive(Debug)]
        pub struct Metrics {
            registry: Registry,
            $(#[doc = concat!("`", $name, "`: ", $help)] pub $field: $kind,)+
        }

        /// Every family that [`Metrics::new`] declares. A registry tells only of those that have a
        /// value already, so whoever compares names compares them with these.
        pub const FAMILIES: &[Family] = &[
            $(Family { name: $name, labels: &[$($($label),+)?], kind: stringify!($kind) },)+
        ];

        impl Metrics {
            /// Declares every family on a registry of its own.
            ///
            /// # Errors
            /// A family is declared badly, or the process collector cannot be registered.
            pub fn new() -> Result<Self, prometheus::Error> {
                let registry = Registry::new();
                $(
                    let $field = families!(@make $kind $name, $help, [$($($label),+)?] $(, $buckets)?)?;
                    registry.register(Box::new($field.clone()))?;
                )+
                #[cfg(target_os = "linux")]
                registry.register(Box::new(
                    prometheus::process_collector::ProcessCollector::for_self(),
                ))?;
                Ok(Self { registry, $($field,)+ }.named())
            }
        }
    };
    (@make IntCounter $name:literal, $help:literal, []) => { IntCounter::new($name, $help) };
    (@make Counter $name:literal, $help:literal, []) => { Counter::new($name, $help) };
    (@make IntGauge $name:literal, $help:literal, []) => { IntGauge::new($name, $help) };
    (@make Gauge $name:literal, $help:literal, []) => { Gauge::new($name, $help) };
    (@make HistogramVec $name:literal, $help:literal, [$($label:literal),+], $buckets:ident) => {
        HistogramVec::new(HistogramOpts::new($name, $help).buckets($buckets.to_vec()), &[$($label),+])
    };
    (@make $kind:ident $name:literal, $help:literal, [$($label:literal),+]) => {
        $kind::new(Opts::new($name, $help), &[$($label),+])
    };
}

families! {
    http_requests_total: IntCounterVec["method", "route", "status"] =
        "http_requests_total", "HTTP requests answered, by route template.";
    http_request_duration_seconds: HistogramVec["method", "route", "status"] in REQUEST_BUCKETS =
        "http_request_duration_seconds", "Time from an HTTP request's head to its answer.";
    http_problems_total: IntCounterVec["code"] =
        "http_problems_total", "Requests that were answered with a problem, by its code.";
    xrpl_request_duration_seconds: HistogramVec["command"] in REQUEST_BUCKETS =
        "xrpl_request_duration_seconds", "Time from a request to an XRPL server to its answer.";
    xrpl_requests_total: IntCounterVec["server", "command", "outcome"] =
        "xrpl_requests_total", "Requests to XRPL servers and what became of them; 'refused' is an answer too, as of an account that does not exist; command 'frame' counts incoming frames that could not be used.";
    xrpl_connection_status: IntGaugeVec["server"] =
        "xrpl_connection_status", "1 while the server is ready, 0 otherwise.";
    xrpl_quorum: IntGauge =
        "xrpl_quorum", "How many servers must agree.";
    xrpl_server_ledger_lag: IntGaugeVec["server"] =
        "xrpl_server_ledger_lag", "How many validated ledgers the server is behind the newest one known.";
    xrpl_server_score: GaugeVec["server"] =
        "xrpl_server_score", "The server's health score, from 0 (unfit) to 1.";
    xrpl_server_disagreements_total: IntCounter =
        "xrpl_server_disagreements_total", "Times that servers contradicted each other about a validated ledger or what it holds.";
    xrpl_validated_ledger_index: IntGauge =
        "xrpl_validated_ledger_index", "The newest validated ledger that enough servers agree on.";
    xrpl_validated_ledger_age_seconds: Gauge =
        "xrpl_validated_ledger_age_seconds", "Time since the newest agreed validated ledger was first seen.";
    xrpl_submissions_total: IntCounterVec["engine_result"] =
        "xrpl_submissions_total", "Answers to submitted transactions by provisional result; 'unknown' is a lost answer, 'refused' an error of the request.";
    payments_total: IntCounterVec["status"] =
        "payments_total", "Payments that reached a status.";
    payment_amount_xrp_total: Counter =
        "payment_amount_xrp_total", "XRP delivered by succeeded payments.";
    pending_payments: IntGauge =
        "pending_payments", "Payments that are not final.";
    payments_by_substatus: IntGaugeVec["substatus"] =
        "payments_by_substatus", "Payments that are not final, by substatus.";
    payment_oldest_pending_seconds: Gauge =
        "payment_oldest_pending_seconds", "Age of the oldest payment that is not final.";
    payment_oldest_by_substatus_seconds: GaugeVec["substatus"] =
        "payment_oldest_by_substatus_seconds", "Age of the oldest payment that is not final, by substatus; 0 where there is none.";
    attempts_overdue: IntGauge =
        "attempts_overdue", "Attempts that have no end although the agreed ledger has passed the last one that could hold them.";
    payment_stage_seconds: HistogramVec["stage"] in STAGE_BUCKETS =
        "payment_stage_seconds", "Time that a payment spent between two stages.";
    wallet_balance_xrp: GaugeVec["wallet_type"] =
        "wallet_balance_xrp", "XRP balance of the wallet's account in the newest journal ledger.";
    wallet_spendable_xrp: GaugeVec["wallet_type"] =
        "wallet_spendable_xrp", "XRP balance less reserve and what is already promised.";
    wallet_reserve_xrp: GaugeVec["wallet_type"] =
        "wallet_reserve_xrp", "XRP that the ledger holds back as the account's reserve.";
    wallet_balance_threshold_xrp: GaugeVec["wallet_type", "level"] =
        "wallet_balance_threshold_xrp", "The balance below which the wallets of this type are low or critical, all together.";
    wallets_below_threshold: IntGaugeVec["wallet_type", "level"] =
        "wallets_below_threshold", "Wallets of this type with a balance below their own threshold.";
    wallet_halted: IntGaugeVec["wallet_type"] =
        "wallet_halted", "Wallets of this type that sign nothing until a person has looked.";
    foreign_transactions_unaccepted: IntGaugeVec["wallet_type"] =
        "foreign_transactions_unaccepted", "Transactions that the accounts of halted wallets of this type sent, that nothing here signed, and that nobody has accepted yet.";
    wallet_view_age_seconds: GaugeVec["wallet_type"] =
        "wallet_view_age_seconds", "How long ago the replica that works the wallet said how it stands; 0 where that is this one. From 15 on the wallet's other figures are withheld.";
    wallet_sequence_gap: IntGaugeVec["wallet_type"] =
        "wallet_sequence_gap", "Sequence numbers handed out and not yet consumed by a validated transaction.";
    limit_used_ratio: GaugeVec["window"] =
        "limit_used_ratio", "Share of a limit's window that is used, from 0 to 1.";
    rollout_stage: IntGauge =
        "rollout_stage", "The rollout stage in force, counted from 0.";
    journal_cursor_ledger: IntGaugeVec["wallet_type"] =
        "journal_cursor_ledger", "The last ledger that the journal has fully recorded.";
    journal_lag_ledgers: IntGaugeVec["wallet_type"] =
        "journal_lag_ledgers", "How many ledgers the journal is behind the newest agreed one.";
    journal_gap_ledgers: IntGaugeVec["wallet_type"] =
        "journal_gap_ledgers", "Ledgers that no quorum of servers holds and that the journals wait for; anything but 0 needs a server with a longer history.";
    deposits_total: IntCounterVec["matched"] =
        "deposits_total", "Incoming credits that this process recorded, by whether an invoice took them; 'internal' came from a wallet of ours.";
    reconciliation_difference_drops: IntGauge =
        "reconciliation_difference_drops", "Drops by which books and ledger differed at the last reconciliation, all differences together; anything but 0 needs a human.";
    reconciliation_differences: IntGauge =
        "reconciliation_differences", "Things that books and ledger said differently at the last reconciliation.";
    reconciliation_forgotten_payments: IntGauge =
        "reconciliation_forgotten_payments", "Deliveries in the ledgers of the last reconciliation that no payment of this database accounts for: it forgot them, and nobody has asked for them again. `xrpayd reconcile` names them.";
    reconciliation_last_timestamp_seconds: Gauge =
        "reconciliation_last_timestamp_seconds", "When books and ledger were last compared of the wallet for which that is longest ago, in Unix time; 0 while they were not for one of them.";
    reconciliation_interval_seconds: Gauge =
        "reconciliation_interval_seconds", "How often books and ledger are to be compared.";
    webhook_deliveries_total: IntCounterVec["outcome"] =
        "webhook_deliveries_total", "Attempts to deliver a webhook.";
    webhook_oldest_undelivered_seconds: Gauge =
        "webhook_oldest_undelivered_seconds", "Age of the oldest event that a receiver has not taken.";
    lease_held: IntGauge =
        "lease_held", "Wallet leases that this process holds.";
    lease_wallets: IntGauge =
        "lease_wallets", "Wallets that this process is configured with; all replicas together hold a lease of each.";
    store_up: IntGauge =
        "store_up", "1 while the store takes writes, 0 otherwise.";
    store_pool_connections: IntGaugeVec["state"] =
        "store_pool_connections", "Connections to the store that are in use, those that are open and idle, and the most that there may be.";
    backup_last_timestamp_seconds: Gauge =
        "backup_last_timestamp_seconds", "When the newest verified backup was made, in Unix time; 0 while there is none.";
    config_last_reload_successful: IntGauge =
        "config_last_reload_successful", "1 where the configuration that was read last is in force, 0 where it was refused.";
    alert_threshold_seconds: GaugeVec["alert"] =
        "alert_threshold_seconds", "From where on telemetry.alerts finds something worth a look; infinite where it is not to be found.";
    hints_listening: IntGauge =
        "hints_listening", "1 while this process hears the other replicas, 0 while it finds their work by looking.";
    hints_heard_total: IntCounter =
        "hints_heard_total", "Messages of other replicas that this process heard.";
    hints_unreadable_total: IntCounter =
        "hints_unreadable_total", "Messages of other replicas that this process could not read, or not whole.";
    paused: IntGaugeVec["scope"] =
        "paused", "1 while the scope is paused.";
    auth_failures_total: IntCounterVec["reason"] =
        "auth_failures_total", "Requests refused for their credentials.";
    rate_limited_total: IntCounterVec["window"] =
        "rate_limited_total", "Requests refused because a key's rate limit was used up.";
    trace_spans_total: IntCounterVec["outcome"] =
        "trace_spans_total", "Spans by what became of them: sent to the collector, refused by it, given up while it was unreachable, or dropped because the queue was full.";
    build_info: IntGaugeVec["version", "commit"] =
        "build_info", "Always 1; the labels say what is running.";
}

impl Metrics {
    fn named(self) -> Self {
        let commit = option_env!("XRPAYD_BUILD_COMMIT").unwrap_or("unknown");
        self.build_info
            .with_label_values(&[env!("CARGO_PKG_VERSION"), commit])
            .set(1);
        self
    }

    /// The registry, for a gatherer that is not the text encoder.
    #[must_use]
    pub const fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The text exposition of every family.
    ///
    /// # Errors
    /// The encoder refuses a family.
    pub fn encode(&self) -> Result<String, prometheus::Error> {
        let mut out = Vec::with_capacity(16 * 1024);
        TextEncoder::new().encode(&self.registry.gather(), &mut out)?;
        String::from_utf8(out).map_err(|error| prometheus::Error::Msg(error.to_string()))
    }
}

/// A duration as the seconds that a metric carries.
#[must_use]
pub const fn seconds(duration: Duration) -> f64 {
    duration.as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_family_without_labels_is_exposed_from_the_start() {
        let metrics = Metrics::new().unwrap();
        let text = metrics.encode().unwrap();
        for name in [
            "xrpl_server_disagreements_total 0",
            "xrpl_validated_ledger_index 0",
            "pending_payments 0",
            "reconciliation_difference_drops 0",
            "lease_held 0",
        ] {
            assert!(text.lines().any(|line| line == name), "{name} in\n{text}");
        }
    }

    #[test]
    fn labels_and_buckets_appear_in_the_text() {
        let metrics = Metrics::new().unwrap();
        metrics
            .xrpl_requests_total
            .with_label_values(&["alpha", "submit", "ok"])
            .inc();
        metrics
            .payment_stage_seconds
            .with_label_values(&["accepted_to_final"])
            .observe(seconds(Duration::from_secs(45)));
        let text = metrics.encode().unwrap();
        for line in [
            r#"xrpl_requests_total{command="submit",outcome="ok",server="alpha"} 1"#,
            r#"payment_stage_seconds_bucket{stage="accepted_to_final",le="30"} 0"#,
            r#"payment_stage_seconds_bucket{stage="accepted_to_final",le="60"} 1"#,
        ] {
            assert!(text.contains(line), "{line} in\n{text}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_process_collector_reports_resident_memory() {
        let text = Metrics::new().unwrap().encode().unwrap();
        assert!(text.contains("process_resident_memory_bytes"), "{text}");
    }
}
