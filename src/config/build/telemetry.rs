//! Section `telemetry`.

use super::positive;
use crate::config::read::Reader;
use crate::config::schema::Telemetry;
use crate::telemetry::health::Alert;

const ALERTS: &str = "telemetry.alerts";

/// Reads the section.
pub(super) fn telemetry(r: &mut Reader) -> Option<Telemetry> {
    let listen = r.required("telemetry.listen");
    let log_level = r.required("telemetry.log_level");
    let log_format = r.required("telemetry.log_format");
    let alert_receiver = r.optional("telemetry.alert_receiver");
    let latency_threshold = positive(r, "telemetry.latency_threshold");
    let pending_threshold = positive(r, "telemetry.pending_threshold");
    let alerts = alerts(r);
    Some(Telemetry {
        listen: listen?,
        log_level: log_level?,
        log_format: log_format?,
        alert_receiver,
        latency_threshold: latency_threshold?,
        pending_threshold: pending_threshold?,
        alerts: alerts?,
    })
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
