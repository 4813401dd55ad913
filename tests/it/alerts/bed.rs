//! Where most drills take place: a model ledger, a daemon on it, who watches the daemon, and the hands of
//! whoever is on call.

use super::drill::Drill;
use super::runbook::Hands;
use super::watch::{Shortened, Watch, shortened};
use crate::drills::scene::Scene;
use crate::support::process::Process;

/// How a bed is made.
pub struct Plan<'a> {
    /// How often a ledger closes.
    pub close: &'a str,
    /// What the wallet has.
    pub xrp: &'a str,
    /// What the daemon's configuration says besides: tables and their lines.
    pub settings: &'a [(&'a str, &'a str)],
    /// What is replaced in the rules of the alerts that are drilled.
    pub rules: &'a [Shortened<'a>],
    /// What is replaced in whole files, after that.
    pub files: &'a [Shortened<'a>],
}

impl Default for Plan<'_> {
    fn default() -> Self {
        Self {
            close: "250ms",
            xrp: "10000",
            settings: &[],
            rules: &[],
            files: &[],
        }
    }
}

/// The place, with everything running.
pub struct Bed {
    /// The ledger, the daemon's setup and a merchant.
    pub scene: Scene,
    /// The daemon.
    pub daemon: Process,
    /// Who watches it.
    pub watch: Watch,
    /// Who is on call.
    pub hands: Hands,
}

impl Bed {
    /// Makes one and waits until the daemon works and is watched; `None`, said aloud, where a program from
    /// outside is missing.
    pub async fn new(plan: &Plan<'_>) -> Option<Self> {
        let scene = Scene::in_one_file(plan.close, plan.xrp, plan.settings);
        let target = target(&scene.setup.metrics);
        let rules = shortened(plan.rules);
        let overlay = plan
            .files
            .iter()
            .fold(rules, |files, (name, words)| files.in_file(name, words));
        let watch = Watch::with(scene.folder(), &[target], overlay).await?;
        let daemon = scene.start().await;
        let hands = Hands::new(scene.folder(), &scene.setup)
            .watched_by(&watch.prometheus, &watch.alertmanager);
        let up = r#"up{job="xrpayd"} == 1"#;
        watch.prometheus.until(up, |up| !up.is_empty()).await;
        Some(Self {
            scene,
            daemon,
            watch,
            hands,
        })
    }

    /// Whoever drills here.
    pub const fn drill(&self) -> Drill<'_> {
        Drill {
            watch: &self.watch,
            hands: &self.hands,
        }
    }
}

/// The target that Prometheus asks, of a daemon's metrics URL.
pub fn target(metrics: &str) -> &str {
    let address = metrics.trim_start_matches("http://");
    address.trim_end_matches("/metrics")
}
