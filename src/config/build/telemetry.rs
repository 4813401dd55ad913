//! Section `telemetry`.

use super::positive;
use crate::config::read::Reader;
use crate::config::schema::Telemetry;
use crate::telemetry::health::Alert;

const ALERTS: &str = "telemetry.alerts";
const ENDPOINT: &str = "telemetry.otlp_endpoint";

/// Reads the section.
pub(super) fn telemetry(r: &mut Reader) -> Option<Telemetry> {
    let listen = r.required("telemetry.listen");
    let log_level = r.required("telemetry.log_level");
    let log_format = r.required("telemetry.log_format");
    let otlp_endpoint = endpoint(r);
    let otlp_headers = r.optional("telemetry.otlp_headers");
    let trace_ratio = r.required("telemetry.trace_ratio");
    let alert_receiver = r.optional("telemetry.alert_receiver");
    let latency_threshold = positive(r, "telemetry.latency_threshold");
    let pending_threshold = positive(r, "telemetry.pending_threshold");
    let alerts = alerts(r);
    Some(Telemetry {
        listen: listen?,
        log_level: log_level?,
        log_format: log_format?,
        otlp_endpoint,
        otlp_headers,
        trace_ratio: trace_ratio?,
        alert_receiver,
        latency_threshold: latency_threshold?,
        pending_threshold: pending_threshold?,
        alerts: alerts?,
    })
}

/// The collector's base URL. What it needs besides is a header, which may be a secret; a URL is shown.
fn endpoint(r: &mut Reader) -> Option<String> {
    let text: String = r.optional(ENDPOINT)?;
    let is_plain = |url: &url::Url| {
        let bears = !url.username().is_empty() || url.password().is_some();
        let is_http = matches!(url.scheme(), "http" | "https") && url.has_host();
        is_http && !bears && url.query().is_none() && url.fragment().is_none()
    };
    if url::Url::parse(&text).is_ok_and(|url| is_plain(&url)) {
        return Some(text.trim_end_matches('/').to_owned());
    }
    let message = "must be a URL such as \"http://collector:4318\", without a password or a query: tokens belong into telemetry.otlp_headers";
    r.error(ENDPOINT, message);
    None
}

/// The alerts that are on. One that nobody knows would be believed to be on, so it is an error.
fn alerts(r: &mut Reader) -> Option<Vec<Alert>> {
    let names: Vec<String> = r.required(ALERTS)?;
    let (mut alerts, mut are_known) = (Vec::new(), true);
    for name in &names {
        match Alert::ALL.iter().find(|(known, _)| known == name) {
            Some((_, alert)) => alerts.push(*alert),
            None => {
                let known = Alert::ALL.map(|(known, _)| known).join(", ");
                r.error(ALERTS, format!("names {name:?}, which is none of {known}"));
                are_known = false;
            }
        }
    }
    are_known.then_some(alerts)
}
