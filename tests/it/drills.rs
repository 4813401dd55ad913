//! Drills: what goes wrong on the way to a ledger is done on purpose, to a real daemon with a real
//! database and the servers of a model ledger, all of them processes of their own.
//!
//! Every drill ends with the same audit: what the API says of each payment is held against the
//! ledger's own truth.

mod ahead;
mod approval;
mod audit;
mod backfill;
pub mod backups;
mod books;
mod called_off;
mod callers;
mod codes;
mod commit;
mod credits;
mod crowd;
pub mod dumps;
mod failover;
mod faults;
pub mod feed;
mod fees;
mod flood;
mod holes;
mod invoices;
mod key_changes;
mod leases;
mod limit_words;
mod links;
mod memory;
mod metrics;
mod moving;
mod network;
mod outages;
pub mod pair;
mod party;
mod pasts;
mod pauses;
mod pooler;
mod preflight;
mod processes;
mod reload;
mod replicas;
mod returns;
mod rollout;
pub mod scene;
mod schemathesis;
mod secrets;
mod strangers;
mod submission;
mod tickets;
mod traces;
pub mod wallet;
mod wallets;
mod webhooks;
