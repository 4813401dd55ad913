//! Section `events`: the feed.

use super::super::read::Reader;
use super::super::schema::Events;
use super::positive;
use std::time::Duration;

/// A feed that forgets sooner leaves no room for an outage of its readers over a night.
const RETENTION_MIN: Duration = Duration::from_secs(24 * 3_600);
/// Proxies close what has been silent for a minute; a shorter pause than a second is noise.
const HEARTBEAT: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(60);
/// Streams of a key that one daemon can carry beside others.
const STREAMS_MAX: u64 = 1_000;

pub(super) fn events(r: &mut Reader) -> Option<Events> {
    let retention = positive(r, "events.retention").filter(|retention| {
        let is_long_enough = *retention >= RETENTION_MIN;
        if !is_long_enough {
            r.error("events.retention", "must be a day at least");
        }
        is_long_enough
    });
    let heartbeat = positive(r, "events.heartbeat").filter(|heartbeat| {
        let is_fit = HEARTBEAT.contains(heartbeat);
        if !is_fit {
            r.error("events.heartbeat", "must be from one second to a minute");
        }
        is_fit
    });
    let streams_per_key = r.number("events.streams_per_key", 1..=STREAMS_MAX);
    Some(Events {
        retention: retention?,
        heartbeat: heartbeat?,
        streams_per_key: streams_per_key?,
    })
}
