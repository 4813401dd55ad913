//! The simulator's command: many worlds, or the story of one. All of it is in `xrpayd_sim`.

use std::io::{self, Write as _};
use std::process::ExitCode;
use xrpayd_sim::command::{USAGE, live, parse};

fn main() -> ExitCode {
    let wanted = match parse(std::env::args().skip(1)) {
        Ok(wanted) => wanted,
        Err(why) => return told(writeln!(io::stderr(), "{why}\n{USAGE}"), ExitCode::from(2)),
    };
    // An assertion that does not hold is told with its seed, not where it happened to be.
    std::panic::set_hook(Box::new(|_| {}));
    let summary = live(&wanted);
    let _default_hook = std::panic::take_hook();
    let verdict = match summary.violation() {
        Some(_) => ExitCode::FAILURE,
        None => ExitCode::SUCCESS,
    };
    told(summary.print(&mut io::stdout().lock()), verdict)
}

/// The verdict, unless nobody could be told of it.
fn told(printed: io::Result<()>, verdict: ExitCode) -> ExitCode {
    match printed {
        Ok(()) => verdict,
        Err(_) => ExitCode::FAILURE,
    }
}
