//! Which settings a running daemon takes over from a new configuration; the rest needs a start.

use super::read::pattern_of;

/// Sections, and settings of other sections, that are taken over.
pub(super) const TAKEN_OVER: [&str; 15] = [
    "limits",
    "rollout",
    "rate_limit",
    "http.trusted_proxies",
    "auth.admin_cidrs",
    "xrpl.servers",
    "xrpl.quorum",
    "xrpl.submit_to",
    "invoices.assets",
    "invoices.expires_in",
    "invoices.tag_quarantine",
    "telemetry.log_level",
    "telemetry.latency_threshold",
    "telemetry.pending_threshold",
    "telemetry.alerts",
];

/// Whether a running daemon takes a new value of `key` over.
#[must_use]
pub fn is_taken_over(key: &str) -> bool {
    let pattern = pattern_of(key);
    TAKEN_OVER.iter().any(|known| {
        let rest = pattern.strip_prefix(known);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::settings::SETTINGS;

    #[test]
    fn what_is_taken_over_is_settings_and_never_where_money_lies() {
        for known in TAKEN_OVER {
            assert!(
                SETTINGS
                    .iter()
                    .any(|setting| setting.key.starts_with(known)),
                "{known}"
            );
        }
        for key in [
            "limits.max_payment_xrp",
            "xrpl.servers[1].url",
            "rollout.stages[0].name",
        ] {
            assert!(is_taken_over(key), "{key}");
        }
        for key in [
            "profile",
            "network.id",
            "wallets.hot.address",
            "store.url",
            "auth.enabled",
            "xrpl.servers_of_others",
        ] {
            assert!(!is_taken_over(key), "{key}");
        }
    }
}
