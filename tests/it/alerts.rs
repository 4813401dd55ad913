//! Live drills of the alerts: each is brought about in a running daemon that a real Prometheus watches
//! with the shipped rules, and cured by the commands of its runbook.

#![allow(
    dead_code,
    reason = "the drills themselves need the rules, which come after what they are made of"
)]

mod bed;
mod drill;
mod runbook;
mod watch;
