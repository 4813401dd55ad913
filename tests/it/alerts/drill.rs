//! One drill: a fault comes, the alert fires and is told to whom it concerns, the commands of its runbook
//! show it, it is cured by what the table says, and the end is told too.
//!
//! Where the page has the cure, nothing but the page's commands takes the fault away, and the alert has to
//! be there still when everything but them is done: a fix that does nothing leaves it there.

use super::runbook::{Block, HEADINGS, Hands, Kind, Runbook};
use super::table::{Course, Cure};
use super::watch::Watch;
use crate::support::alertmanager::{Notice, Told};
use std::time::{Duration, Instant};

/// How long an alert has to outlast everything but the commands that are to cure it: longer than a rule's
/// own time in a drill.
const HOLD: Duration = Duration::from_secs(3);

/// Whoever drills: those who watch, the hands that run the commands, and what is to be drilled.
pub struct Drill<'a> {
    /// Who watches.
    pub watch: &'a Watch,
    /// Who runs the commands.
    pub hands: &'a Hands,
    /// What is drilled, and what ends it.
    pub course: &'a Course,
}

impl Drill<'_> {
    /// The drill of alerts that one fault brings about and their pages' commands end.
    pub async fn by_page(&self, alerts: &[&str], fault: impl Future) {
        let cases = self.come(alerts, fault, |cure| cure == Cure::Page).await;
        let (before, after) = blocks(&cases);
        self.run(&before).await;
        self.still_fires(&cases).await;
        self.run(&after).await;
        self.end(&cases).await;
    }

    /// The same where somebody changes something first that the commands make hold.
    pub async fn by_hand(&self, alerts: &[&str], fault: impl Future, hand: impl Future) {
        let is_hand = |cure| matches!(cure, Cure::Hand(_));
        let cases = self.come(alerts, fault, is_hand).await;
        let (before, after) = blocks(&cases);
        self.run(&before).await;
        Box::pin(hand).await;
        self.still_fires(&cases).await;
        self.run(&after).await;
        self.end(&cases).await;
    }

    /// The drill of alerts that only something outside of the operator's hands ends. That happens where the
    /// first page wants to see that its fixes have helped.
    pub async fn by_others(&self, alerts: &[&str], fault: impl Future, outside: impl Future) {
        let is_outside = |cure| matches!(cure, Cure::Outside(_));
        let cases = self.come(alerts, fault, is_outside).await;
        self.healed(&cases, outside).await;
    }

    /// The drill of alerts that tell of what was; `over` is its end, which they outlast for a while.
    pub async fn of_the_past(&self, alerts: &[&str], fault: impl Future, over: impl Future) {
        let is_past = |cure| matches!(cure, Cure::Past(_));
        let cases = self.come(alerts, fault, is_past).await;
        self.healed(&cases, over).await;
    }

    /// Brings the fault about and waits until whoever the alerts concern has been told.
    async fn come(
        &self,
        alerts: &[&str],
        fault: impl Future,
        is_right: impl Fn(Cure) -> bool,
    ) -> Vec<Case> {
        let begun = Instant::now();
        let mut cases = Vec::new();
        for alert in alerts {
            let cure = self.course.turn_of(alert);
            assert!(is_right(cure), "{alert} is ended by {cure:?}");
            cases.push(self.begin(alert, begun).await);
        }
        // A test of many drills would not fit on its thread's stack.
        Box::pin(fault).await;
        for case in &mut cases {
            self.fires(case).await;
        }
        cases
    }

    async fn begin(&self, alert: &str, begun: Instant) -> Case {
        self.watch.prometheus.is_quiet(alert).await;
        let runbook = Runbook::of(alert);
        assert_eq!(runbook.headings, HEADINGS, "of the page of {alert}");
        Case {
            runbook,
            alert: alert.to_owned(),
            told: Told::Chat,
            before: self.watch.alertmanager.notices_of(alert),
            begun,
        }
    }

    /// Waits until the alert fires and whoever it concerns has been told.
    async fn fires(&self, case: &mut Case) {
        let active = self.watch.prometheus.fires(&case.alert).await;
        case.told = Told::of(&active.labels);
        self.is_told(case, "firing").await;
        let after = case.begun.elapsed();
        println!("{}: told after {after:.1?}", case.alert);
    }

    /// All of them fire after a while too: one that had ended would not come again.
    async fn still_fires(&self, cases: &[Case]) {
        tokio::time::sleep(HOLD).await;
        for case in cases {
            self.watch.prometheus.fires(&case.alert).await;
        }
    }

    /// Waits until nothing of the alerts fires and who was told of them was told of their end, and nobody
    /// else of anything.
    async fn end(&self, cases: &[Case]) {
        for case in cases {
            self.watch.prometheus.is_quiet(&case.alert).await;
            self.is_told(case, "resolved").await;
            for notice in self.watch.alertmanager.notices_of(&case.alert) {
                assert_eq!(notice.told, case.told, "told to others: {notice:?}");
            }
            let after = case.begun.elapsed();
            println!("{}: its end told after {after:.1?}", case.alert);
        }
    }

    async fn is_told(&self, case: &Case, status: &str) {
        let before = case.before.iter().filter(|notice| notice.status == status);
        let alertmanager = &self.watch.alertmanager;
        alertmanager
            .tells(case.told, &case.alert, status, before.count())
            .await;
    }

    /// Runs the blocks of the pages, and what heals before anything is to show that something has helped.
    async fn healed(&self, cases: &[Case], heals: impl Future) {
        let (before, after) = blocks(cases);
        self.run(&before).await;
        let is_look = |block: &&Block| block.kind == Kind::Check;
        let first_look = after.iter().position(is_look).unwrap_or(after.len());
        let (fixes, rest) = after.split_at(first_look);
        self.run(fixes).await;
        Box::pin(heals).await;
        self.run(rest).await;
        self.end(cases).await;
    }

    async fn run(&self, blocks: &[&Block]) {
        for block in blocks {
            self.hands.run(block).await;
        }
    }
}

/// The blocks of the pages in their order: those that find out, and those from the fixes on.
fn blocks(cases: &[Case]) -> (Vec<&Block>, Vec<&Block>) {
    let blocks = cases.iter().flat_map(|case| &case.runbook.blocks);
    blocks.partition(|block| !["Fixes", "Afterwards"].contains(&block.heading.as_str()))
}

/// One alert of a drill.
struct Case {
    alert: String,
    runbook: Runbook,
    /// Whom it concerns.
    told: Told,
    /// What was told of it before the drill.
    before: Vec<Notice>,
    begun: Instant,
}
