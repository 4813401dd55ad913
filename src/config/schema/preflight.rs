//! What the section `preflight` says.

use std::path::PathBuf;
use url::Url;

/// Section `preflight`: what the checklist looks at besides what the daemon uses.
#[derive(Debug, Clone, Default)]
pub struct Preflight {
    /// Where Alertmanager is.
    pub alertmanager_url: Option<Url>,
    /// Where clients find the API.
    pub public_url: Option<Url>,
    /// Roots that those two may chain to besides the bundled ones.
    pub ca_file: Option<PathBuf>,
    /// The production list of addresses.
    pub address_list: Option<PathBuf>,
}
