//! The configuration: layers, secret references, and the checks before anything starts.
//!
//! Owns what the daemon may be told and where it was told so: defaults embedded in the binary, then
//! the profile, then each `--config` file, then the environment; later wins. A value is read once,
//! into a strict type, and carries its origin (a file with its line, a variable, a flag). Every
//! error and every warning is collected before any is reported. Nothing here opens a socket or a
//! database. On failure nothing starts, and no message ever holds the text of a value that could be
//! a secret.

mod build;
mod checks;
pub mod doc;
mod elsewhere;
mod hosts;
mod layer;
mod load;
mod origin;
mod part;
mod read;
mod reload;
mod schema;
pub mod secrets;
mod settings;
mod show;
mod stages;
mod url;
mod value;

pub use checks::references as secret_references;
pub use elsewhere::named_in as named_after_another_place;
pub use load::{ConfigErrors, LoadArgs, Loaded, Needs, Override, load};
pub use origin::{Origin, Problem};
pub use reload::is_taken_over;
pub use schema::{
    Auth, Backups, Config, Http, KeyAlgorithm, Lease, Limits, LogFormat, LogLevel, Network, Pooler,
    Preflight, Profile, RateLimit, Server, Shutdown, StoreSettings, Telemetry, Trust, Wallet, Xrpl,
};
pub use secrets::SecretRef;
pub use show::{show_json, show_toml};
pub use stages::{Criteria, Rollout, Stage};
pub use url::{ServerUrl, StoreUrl, unverified};
pub use value::{duration, duration_text};

#[cfg(test)]
mod tests;
