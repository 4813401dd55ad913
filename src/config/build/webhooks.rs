//! Section `webhooks`.

use super::super::read::Reader;
use super::super::schema::Webhooks;
use super::{positive, readable};
use std::time::Duration;

/// No receiver is worth more of our time than this for one try.
const TIMEOUT_MAX: Duration = Duration::from_secs(60);
/// The longest wait between two tries.
const WAIT_MAX: Duration = Duration::from_secs(7 * 24 * 3_600);
/// The most waits of a schedule.
const WAITS_MAX: usize = 20;

pub(super) fn webhooks(r: &mut Reader) -> Option<Webhooks> {
    let encryption_key = r.optional("webhooks.encryption_key");
    let allow_http = r.required("webhooks.allow_http");
    let allow_private = r.required("webhooks.allow_private");
    let ca_file = readable(r, "webhooks.ca_file");
    let timeout = positive(r, "webhooks.timeout").filter(|timeout| {
        let is_fit = *timeout <= TIMEOUT_MAX;
        if !is_fit {
            r.error("webhooks.timeout", "must be a minute at most");
        }
        is_fit
    });
    let retry_waits = retry_waits(r);
    let disable_after = positive(r, "webhooks.disable_after");
    let keep_log = positive(r, "webhooks.keep_log");
    let in_flight_max = r.number("webhooks.in_flight_max", 1..=4_096);
    let in_flight_per_endpoint = r.number("webhooks.in_flight_per_endpoint", 1..=256);
    Some(Webhooks {
        encryption_key,
        allow_http: allow_http?,
        allow_private: allow_private?,
        ca_file,
        timeout: timeout?,
        retry_waits: retry_waits?,
        disable_after: disable_after?,
        keep_log: keep_log?,
        in_flight_max: in_flight_max?,
        in_flight_per_endpoint: in_flight_per_endpoint?,
    })
}

fn retry_waits(r: &mut Reader) -> Option<Vec<Duration>> {
    const KEY: &str = "webhooks.retry_waits";
    let waits: Vec<Duration> = r.required(KEY)?;
    if waits.len() > WAITS_MAX || waits.iter().any(|wait| *wait > WAIT_MAX) {
        let message = format!("must be at most {WAITS_MAX} durations, none longer than 7d");
        r.error(KEY, message);
        return None;
    }
    Some(waits)
}
