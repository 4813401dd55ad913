//! From where on what was measured is worth a look, and what is at all: for the operator to say.

/// What may be found that a person can do without being told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Alert {
    /// The best server answers slowly.
    Latency,
    /// No ledger was validated for a while.
    LedgerAge,
    /// A payment has been on its way for long.
    OldestPayment,
    /// A wallet has less than it should.
    LowBalance,
    /// The books differ from the ledger.
    Books,
    /// A receiver has not taken an event for long.
    Webhooks,
}

impl Alert {
    /// Every one, by the name that settings have for it.
    pub const ALL: [(&'static str, Self); 6] = [
        ("latency", Self::Latency),
        ("ledger_age", Self::LedgerAge),
        ("oldest_payment", Self::OldestPayment),
        ("low_balance", Self::LowBalance),
        ("books", Self::Books),
        ("webhooks", Self::Webhooks),
    ];
}

/// From where on something is worth a look, and what is at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thresholds {
    /// The longest time of the best server's answers.
    pub latency_ms_max: u64,
    /// The longest time that a payment is on its way.
    pub oldest_age_s_max: i64,
    /// What is worth a look.
    pub alerts: Vec<Alert>,
}

impl Thresholds {
    pub(super) fn minds(&self, alert: Alert) -> bool {
        self.alerts.contains(&alert)
    }
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            latency_ms_max: 2_000,
            oldest_age_s_max: 300,
            alerts: Alert::ALL.into_iter().map(|(_, alert)| alert).collect(),
        }
    }
}
