//! Live drills of the alerts: each is brought about in a running daemon that a real Prometheus watches
//! with the shipped rules, and cured by the commands of its runbook.

mod bed;
mod complete;
mod drill;
mod edges;
mod front;
mod guards;
mod payments;
mod receivers;
mod reports;
pub mod runbook;
mod service;
mod service_topics;
mod store;
mod store_replicas;
mod table;
mod wallets;
mod wallets_replicas;
mod watch;
mod words;
mod xrpl;
