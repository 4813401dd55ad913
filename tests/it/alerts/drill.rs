//! One drill: a fault comes, the alert fires and is told to whom it concerns, the commands of its runbook
//! show it and cure it, what is outside of the operator's hands is taken away, and the end is told too.

use super::runbook::{Block, Hands, Kind, Runbook};
use super::watch::Watch;
use crate::support::alertmanager::Told;
use std::time::Instant;

/// Whoever drills: those who watch, and the hands that run the commands.
pub struct Drill<'a> {
    /// Who watches.
    pub watch: &'a Watch,
    /// Who runs the commands.
    pub hands: &'a Hands,
}

impl Drill<'_> {
    /// The whole drill of one alert. `fault` brings it about; `outside` takes away what no command of the
    /// runbook can.
    pub async fn of(&self, alert: &str, fault: impl Future, outside: impl Future) {
        let runbook = Runbook::of(alert);
        let Watch {
            prometheus,
            alertmanager,
        } = self.watch;
        let count = |status: &str| {
            let notices = alertmanager.notices_of(alert);
            notices.iter().filter(|n| n.status == status).count()
        };
        let begun = Instant::now();
        prometheus.is_quiet(alert).await;
        let (fired_before, ended_before) = (count("firing"), count("resolved"));
        fault.await;
        let active = prometheus.fires(alert).await;
        let told = Told::of_severity(&active.labels["severity"]);
        let fired = begun.elapsed();
        alertmanager
            .tells(told, alert, "firing", fired_before)
            .await;
        let delivered = begun.elapsed();
        self.cure(&runbook, outside).await;
        let cured = begun.elapsed();
        prometheus.is_quiet(alert).await;
        alertmanager
            .tells(told, alert, "resolved", ended_before)
            .await;
        for notice in alertmanager.notices_of(alert) {
            assert_eq!(notice.told, told, "{alert} was told to others: {notice:?}");
        }
        println!(
            "{alert}: fired after {fired:.1?}, told after {delivered:.1?}, cured after {cured:.1?}, \
             its end told after {:.1?}",
            begun.elapsed()
        );
    }

    /// Runs the runbook's blocks in their order. What is outside is taken away before anything is to show
    /// that the fixes have helped.
    async fn cure(&self, runbook: &Runbook, outside: impl Future) {
        let (before, after): (Vec<&Block>, Vec<&Block>) = runbook
            .blocks
            .iter()
            .partition(|block| !["Fixes", "Afterwards"].contains(&block.heading.as_str()));
        for block in before {
            self.hands.run(block).await;
        }
        let first_look = after
            .iter()
            .position(|block| block.kind == Kind::Check)
            .unwrap_or(after.len());
        let (fixes, rest) = after.split_at(first_look);
        for block in fixes {
            self.hands.run(block).await;
        }
        outside.await;
        for block in rest {
            self.hands.run(block).await;
        }
    }
}
