//! One drill: a fault comes, the alert fires and is told to whom it concerns, the commands of its runbook
//! show it and cure it, what is outside of the operator's hands is taken away, and the end is told too.

use super::runbook::{Block, HEADINGS, Hands, Kind, Runbook};
use super::watch::Watch;
use crate::support::alertmanager::{Notice, Told};
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
        Box::pin(self.of_all(&[alert], fault, outside)).await;
    }

    /// The drill of several alerts that one fault brings about. The pages are worked one after the other;
    /// what is outside is taken away where the first of them wants to see that its fixes have helped.
    pub async fn of_all(&self, alerts: &[&str], fault: impl Future, outside: impl Future) {
        let begun = Instant::now();
        let mut cases = Vec::new();
        for alert in alerts {
            cases.push(self.begin(alert).await);
        }
        // A test of many drills would not fit on its thread's stack.
        let (fault, outside) = (Box::pin(fault), Box::pin(outside));
        fault.await;
        for case in &mut cases {
            self.fires(case).await;
        }
        let fired = begun.elapsed();
        self.cure(&cases, outside).await;
        let cured = begun.elapsed();
        for case in &cases {
            self.ends(case).await;
        }
        let ended = begun.elapsed();
        println!(
            "{alerts:?}: told after {fired:.1?}, cured after {cured:.1?}, its end told after {ended:.1?}"
        );
    }

    async fn begin(&self, alert: &str) -> Case {
        self.watch.prometheus.is_quiet(alert).await;
        let runbook = Runbook::of(alert);
        assert_eq!(runbook.headings, HEADINGS, "of the page of {alert}");
        Case {
            runbook,
            alert: alert.to_owned(),
            told: Told::Chat,
            before: self.watch.alertmanager.notices_of(alert),
        }
    }

    /// Waits until the alert fires and whoever it concerns has been told.
    async fn fires(&self, case: &mut Case) {
        let active = self.watch.prometheus.fires(&case.alert).await;
        case.told = Told::of(&active.labels);
        self.is_told(case, "firing").await;
    }

    /// Waits until nothing of the alert fires and who was told of it was told of its end, and nobody else
    /// of anything.
    async fn ends(&self, case: &Case) {
        self.watch.prometheus.is_quiet(&case.alert).await;
        self.is_told(case, "resolved").await;
        for notice in self.watch.alertmanager.notices_of(&case.alert) {
            assert_eq!(notice.told, case.told, "told to others: {notice:?}");
        }
    }

    async fn is_told(&self, case: &Case, status: &str) {
        let before = case.before.iter().filter(|notice| notice.status == status);
        let alertmanager = &self.watch.alertmanager;
        alertmanager
            .tells(case.told, &case.alert, status, before.count())
            .await;
    }

    /// Runs the blocks of the pages in their order. What is outside is taken away before anything is to
    /// show that the fixes have helped.
    async fn cure(&self, cases: &[Case], outside: impl Future) {
        let blocks = cases.iter().flat_map(|case| &case.runbook.blocks);
        let (before, after): (Vec<&Block>, Vec<&Block>) =
            blocks.partition(|block| !["Fixes", "Afterwards"].contains(&block.heading.as_str()));
        for block in before {
            self.hands.run(block).await;
        }
        let is_look = |block: &&Block| block.kind == Kind::Check;
        let first_look = after.iter().position(is_look).unwrap_or(after.len());
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

/// One alert of a drill.
struct Case {
    alert: String,
    runbook: Runbook,
    /// Whom it concerns.
    told: Told,
    /// What was told of it before the drill.
    before: Vec<Notice>,
}
