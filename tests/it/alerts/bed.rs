//! Where most drills take place: a model ledger, a daemon on it, who watches the daemon, and the hands of
//! whoever is on call.

use super::drill::Drill;
use super::runbook::Hands;
use super::table::Course;
use super::watch::{Shortened, Watch, shortened};
use crate::drills::scene::Scene;
use crate::support::ledger::SERVERS;
use crate::support::process::Process;
use serde_json::Value;
use std::sync::Mutex;

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
    /// The daemon, held for its drop.
    _daemon: Process,
    /// Who watches it.
    pub watch: Watch,
    /// Who is on call.
    pub hands: Hands,
    /// The servers of the ledger that the configuration names, each by its place there.
    named: Mutex<[usize; SERVERS]>,
}

impl Bed {
    /// Makes one and waits until the daemon works and is watched; `None`, said aloud, where a program from
    /// outside is missing.
    pub async fn new(plan: &Plan<'_>) -> Option<Self> {
        let scene = Scene::with_spare_servers(plan.close, plan.xrp, plan.settings);
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
            _daemon: daemon,
            watch,
            hands,
            named: Mutex::new(std::array::from_fn(|place| place)),
        })
    }

    /// Whoever drills here.
    pub const fn drill<'a>(&'a self, course: &'a Course) -> Drill<'a> {
        Drill {
            watch: &self.watch,
            hands: &self.hands,
            course,
        }
    }

    /// Inflicts `fault` on the servers that are named at these places.
    pub async fn fault(&self, places: &[usize], fault: &Value) {
        let named = *self.named.lock().unwrap();
        for place in places {
            self.scene.ledger.fault(named[*place], fault).await;
        }
    }

    /// Somebody puts the spare servers into the file at these places, or those that were there before. The
    /// daemon does not know of it yet.
    pub fn replace_servers(&self, places: &[usize]) {
        let mut named = self.named.lock().unwrap();
        let urls = &self.scene.ledger.urls;
        let (was, mut becomes) = (*named, *named);
        for place in places {
            becomes[*place] = (was[*place] + SERVERS) % (2 * SERVERS);
        }
        let line = |named: [usize; SERVERS]| {
            let urls = named.map(|server| urls[server].as_str());
            format!("servers = {urls:?}\n")
        };
        self.edit(&line(was), &line(becomes));
        *named = becomes;
    }

    /// Somebody changes words of the configuration. The daemon does not know of it yet.
    pub fn edit(&self, old: &str, new: &str) {
        let path = self.scene.setup.config();
        let text = std::fs::read_to_string(path).unwrap();
        assert!(text.contains(old), "no {old:?} in {text}");
        std::fs::write(path, text.replace(old, new)).unwrap();
    }
}

/// The target that Prometheus asks, of a daemon's metrics URL.
pub fn target(metrics: &str) -> &str {
    let address = metrics.trim_start_matches("http://");
    address.trim_end_matches("/metrics")
}
