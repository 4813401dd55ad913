//! The command line: many seeds, or one with its story.

use crate::{PLANTS, Plant, Report, Tally, run};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// How many seeds.
    pub seeds: u64,
    /// The first of them.
    pub from: u64,
    /// Whether to tell the story.
    pub is_traced: bool,
    /// Bugs that are planted.
    pub plants: BTreeSet<Plant>,
}

/// What came of many seeds.
#[derive(Debug, Default)]
pub struct Summary {
    /// Seeds that were lived through.
    pub seeds: u64,
    /// Events in all of them.
    pub events: u64,
    /// How many payments ended how.
    pub ends: BTreeMap<&'static str, u64>,
    /// How long they lasted by their own clocks, in milliseconds.
    pub lasted: u64,
    /// What happened in them, and how often.
    pub tally: Tally,
    /// The seed with the lowest number that failed.
    pub failed: Option<Report>,
    /// The bugs that were planted, as the command line names them.
    pub planted: String,
}

/// How the command is used.
pub const USAGE: &str = "sim --seeds N [--from S] | --seed S [--trace]  [--plant NAME]...";

/// Reads the command line.
///
/// # Errors
/// What is wrong with it, in one sentence.
pub fn parse(mut args: impl Iterator<Item = String>) -> Result<Wanted, String> {
    let mut wanted = Wanted {
        seeds: 0,
        from: 0,
        is_traced: false,
        plants: BTreeSet::new(),
    };
    while let Some(arg) = args.next() {
        let mut number = || {
            let text = args.next().unwrap_or_default();
            let parsed = text.parse::<u64>();
            parsed.map_err(|_| format!("{arg} takes a number, not {text:?}"))
        };
        match arg.as_str() {
            "--seeds" => wanted.seeds = number()?,
            "--from" => wanted.from = number()?,
            "--seed" => {
                wanted.from = number()?;
                wanted.seeds = 1;
            }
            "--trace" => wanted.is_traced = true,
            "--plant" => {
                let name = args.next().unwrap_or_default();
                let known = PLANTS.iter().find(|(known, _)| *known == name);
                let (_, plant) = known.ok_or_else(|| {
                    let names: Vec<&str> = PLANTS.iter().map(|(name, _)| *name).collect();
                    format!("no such bug: {name:?}; there are {}", names.join(", "))
                })?;
                wanted.plants.insert(*plant);
            }
            other => return Err(format!("{other} is not known")),
        }
    }
    match wanted.seeds {
        0 => Err("say how many seeds".to_owned()),
        _ => Ok(wanted),
    }
}

/// Lives through the seeds, on every processor, until one fails or all have held.
#[must_use]
pub fn live(wanted: &Wanted) -> Summary {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let (next, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let summary = Mutex::new(Summary::default());
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut own = Summary::default();
                while !stop.load(Ordering::Relaxed) {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    if at >= wanted.seeds {
                        break;
                    }
                    let seed = wanted.from.saturating_add(at);
                    let report = run(seed, &wanted.plants, wanted.is_traced);
                    stop.fetch_or(report.violation.is_some(), Ordering::Relaxed);
                    own.add(report);
                }
                let mut all = summary.lock().unwrap_or_else(PoisonError::into_inner);
                all.join(own);
            });
        }
    });
    let mut summary = summary.into_inner().unwrap_or_else(PoisonError::into_inner);
    for (name, _) in PLANTS
        .iter()
        .filter(|(_, plant)| wanted.plants.contains(plant))
    {
        summary.planted.push_str(&format!(" --plant {name}"));
    }
    summary
}

impl Summary {
    fn add(&mut self, report: Report) {
        self.seeds += 1;
        self.events += report.events;
        self.lasted += report.lasted;
        self.tally.join(&report.tally);
        for end in &report.ends {
            *self.ends.entry(end.as_str()).or_default() += 1;
        }
        if report.violation.is_some() || !report.trace.is_empty() {
            self.keep(report);
        }
    }

    fn keep(&mut self, report: Report) {
        let is_first = self
            .failed
            .as_ref()
            .is_none_or(|known| report.seed < known.seed);
        if is_first {
            self.failed = Some(report);
        }
    }

    fn join(&mut self, other: Self) {
        self.seeds += other.seeds;
        self.events += other.events;
        self.lasted += other.lasted;
        self.tally.join(&other.tally);
        for (end, count) in other.ends {
            *self.ends.entry(end).or_default() += count;
        }
        if let Some(report) = other.failed {
            self.keep(report);
        }
    }

    /// The first sentence that did not hold, and the command that shows it again.
    #[must_use]
    pub fn violation(&self) -> Option<String> {
        let failed = self.failed.as_ref()?;
        let what = failed.violation.as_ref()?;
        Some(format!(
            "seed {}: {what}\nagain: cargo run --release -p xrpayd-sandbox --bin sim -- --seed {} --trace{}",
            failed.seed, failed.seed, self.planted
        ))
    }

    /// Prints what came of it.
    ///
    /// # Errors
    /// Nobody reads any more.
    pub fn print(&self, to: &mut impl Write) -> io::Result<()> {
        if let Some(report) = &self.failed {
            for line in &report.trace {
                writeln!(to, "{line}")?;
            }
        }
        let (seeds, hours) = (self.seeds, self.lasted / 3_600_000);
        writeln!(to, "{seeds} seeds, {hours} hours, {} events", self.events)?;
        writeln!(to, "payments that ended: {:?}", self.ends)?;
        writeln!(to, "faults that struck: {:?}", self.tally.faults)?;
        writeln!(to, "what happened: {:?}", self.tally.seen)?;
        match self.violation() {
            Some(what) => writeln!(to, "{what}"),
            None => writeln!(to, "everything held"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Wanted, String> {
        parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn the_command_line_says_what_is_wrong_with_it() {
        let wanted = parsed("--seed 7 --trace --plant send-first").unwrap();
        assert_eq!((wanted.from, wanted.seeds, wanted.is_traced), (7, 1, true));
        assert!(wanted.plants.contains(&Plant::SendFirst));
        assert_eq!(parsed("--seeds 5 --from 9").unwrap().from, 9);
        for (line, what) in [
            ("", "how many seeds"),
            ("--seeds x", "takes a number"),
            ("--seeds 1 --plant moon", "no such bug"),
            ("--fast", "is not known"),
        ] {
            let error = parsed(line).unwrap_err();
            assert!(error.contains(what), "{line}: {error}");
        }
    }
}
