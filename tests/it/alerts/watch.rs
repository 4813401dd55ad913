//! Who watches daemons in a drill: a Prometheus and an Alertmanager of the drill's own, on the repository's
//! files, in which only places, intervals and the durations of the drilled rules are others.

use crate::support::alertmanager::Alertmanager;
use crate::support::overlay::Overlay;
use crate::support::prometheus::Prometheus;
use std::path::Path;

/// What is replaced in the rule of one alert.
pub type Shortened<'a> = (&'a str, &'a [(&'a str, &'a str)]);

/// Both, running.
pub struct Watch {
    /// What asks the daemons.
    pub prometheus: Prometheus,
    /// What tells people.
    pub alertmanager: Alertmanager,
}

impl Watch {
    /// Both over the daemons whose metrics are at `targets`, with the rules of some alerts shortened;
    /// `None`, said aloud, where a program is missing.
    pub async fn over(folder: &Path, targets: &[&str], rules: &[Shortened<'_>]) -> Option<Self> {
        Self::with(folder, targets, shortened(rules)).await
    }

    /// The same on files that the caller has changed.
    pub async fn with(folder: &Path, targets: &[&str], overlay: Overlay) -> Option<Self> {
        let alertmanager = Alertmanager::start(folder, overlay.clone()).await?;
        let overlay = overlay.watching(targets, alertmanager.target());
        let prometheus = Prometheus::start(folder, &overlay).await?;
        Some(Self {
            prometheus,
            alertmanager,
        })
    }
}

/// The files with the rules of some alerts shortened.
pub fn shortened(rules: &[Shortened<'_>]) -> Overlay {
    let files = Overlay::of_the_repository();
    rules
        .iter()
        .fold(files, |files, (alert, words)| files.in_rule(alert, words))
}
