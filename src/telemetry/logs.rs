//! The logs: one stream on standard error, for people on a terminal and one JSON object a line for
//! everybody else.
//!
//! Owns the process's subscriber and its level, which may be changed while it runs. What is logged is
//! each room's business; this one makes sure that a secret that slipped into a line does not leave
//! the process with it: API keys, seeds, webhook secrets and the passwords of URLs are struck out on
//! the way. On failure (the subscriber is set already) nothing changes.

use super::traces::TraceLayer;
use std::borrow::Cow;
use std::io::{self, IsTerminal as _, Write};
use std::sync::OnceLock;
use tracing::subscriber::Interest;
use tracing::{Metadata, Subscriber};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::registry::{LookupSpan, Registry};
use tracing_subscriber::reload;

pub use tracing::Level;

/// The form of the lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Human on a terminal, JSON otherwise.
    Auto,
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}

/// Why the logs cannot be turned on or changed.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// They are on already.
    #[error("the logs are set up already")]
    AlreadySet,
    /// They are not on.
    #[error("the logs are not set up")]
    NotSet,
}

static GATE: OnceLock<reload::Handle<Gate, Registry>> = OnceLock::new();

/// Turns the logs on for the whole process, and the traces where there is a layer for them.
///
/// # Errors
/// They are on already.
pub fn init(level: Level, format: Format, traces: Option<TraceLayer>) -> Result<(), LogError> {
    let human = match format {
        Format::Auto => io::stderr().is_terminal(),
        Format::Human => true,
        Format::Json => false,
    };
    let colour = io::stderr().is_terminal();
    let (gate, handle) = reload::Layer::new(Gate::new(level, traces.as_ref()));
    let subscriber = subscriber(gate, human, colour, io::stderr).with(traces);
    tracing::subscriber::set_global_default(subscriber).map_err(|_| LogError::AlreadySet)?;
    GATE.set(handle).map_err(|_| LogError::AlreadySet)
}

/// Changes how much is logged, from now on.
///
/// # Errors
/// The logs are not on.
pub fn set_level(level: Level) -> Result<(), LogError> {
    let handle = GATE.get().ok_or(LogError::NotSet)?;
    let changed = handle.modify(|gate| gate.set_level(level));
    changed.map_err(|_| LogError::NotSet)
}

/// What is let through to lines and traces. One gate before both, and no filter of each: a filter of one
/// layer alone forgets who is in which span as soon as a library asks whether it would be heard.
#[derive(Debug)]
struct Gate {
    level: Level,
    lines: Targets,
    traces: bool,
}

impl Gate {
    fn new(level: Level, traces: Option<&TraceLayer>) -> Self {
        Self {
            level,
            lines: targets(level),
            traces: traces.is_some(),
        }
    }

    fn set_level(&mut self, level: Level) {
        self.level = level;
        self.lines = targets(level);
    }

    fn lets(&self, metadata: &Metadata<'_>) -> bool {
        let is_line = self.lines.would_enable(metadata.target(), metadata.level());
        is_line || (self.traces && TraceLayer::takes(metadata))
    }
}

impl<S: Subscriber> Layer<S> for Gate {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.lets(metadata) {
            Interest::always()
        } else {
            Interest::never()
        }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        self.lets(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        let lines = LevelFilter::from_level(self.level);
        Some(if self.traces {
            lines.max(LevelFilter::INFO)
        } else {
            lines
        })
    }
}

/// The daemon's own crates at `level`; what it stands on says less, since its details are not ours
/// to vouch for.
fn targets(level: Level) -> Targets {
    let others = match level {
        Level::TRACE => Level::DEBUG,
        Level::DEBUG | Level::INFO => Level::WARN,
        Level::WARN | Level::ERROR => level,
    };
    Targets::new()
        .with_default(LevelFilter::from_level(others))
        .with_target("xrpayd", level)
}

fn subscriber<W>(
    gate: reload::Layer<Gate, Registry>,
    human: bool,
    colour: bool,
    writer: W,
) -> impl tracing::Subscriber + for<'a> LookupSpan<'a> + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer().with_writer(Striking(writer));
    let lines = if human {
        lines.with_ansi(colour).with_target(false).boxed()
    } else {
        lines
            .with_ansi(false)
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .with_span_list(false)
            .boxed()
    };
    Registry::default().with(gate).with(lines)
}

/// Strikes secrets out of what is written through it. A whole line comes in one write.
struct Striking<W>(W);

impl<'a, W: MakeWriter<'a>> MakeWriter<'a> for Striking<W> {
    type Writer = Struck<W::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        Struck(self.0.make_writer())
    }
}

struct Struck<W>(W);

impl<W: Write> Write for Struck<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match std::str::from_utf8(line) {
            Ok(text) => self.0.write_all(strike(text).as_bytes())?,
            Err(_) => self.0.write_all(line)?,
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// What stands where a secret stood.
const STRUCK: &str = "…";
/// A seed in base 58 has 29 characters, or 31; none has fewer than 25.
const SEED_LEN: std::ops::RangeInclusive<usize> = 25..=36;
/// The secret part of a key is far longer than this.
const KEY_SECRET_LEN_MIN: usize = 16;

/// The text without what looks like a secret; unchanged, and not copied, where nothing does.
pub(super) fn strike(text: &str) -> Cow<'_, str> {
    let mut struck = String::new();
    let mut copied = 0;
    let mut at = 0;
    while let Some((start, word)) = next_word(text, at) {
        at = start + word.len();
        let secret = if word.starts_with("xrpayd_") {
            key_secret(word).map(|offset| start + offset)
        } else if let Some(rest) = word.strip_prefix("whsec_") {
            Some(at - rest.len())
        } else if SEED_LEN.contains(&word.len()) && word.starts_with('s') && is_seed(word) {
            Some(start)
        } else {
            None
        };
        let (from, to) = match secret {
            Some(from) => (from, at),
            // `scheme://user:password@host`: everything between the slashes and the last `@`.
            None if text[at..].starts_with("://") => match userinfo_end(&text[at + 3..]) {
                Some(len) => (at + 3, at + 3 + len),
                None => continue,
            },
            None => continue,
        };
        struck.push_str(&text[copied..from]);
        struck.push_str(STRUCK);
        copied = to;
        at = to;
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    struck.push_str(&text[copied..]);
    Cow::Owned(struck)
}

/// The next run of letters, digits, `_`, `-`, `+`, `/` and `=` that begins with a letter, from `at`.
/// The signs are those of the base 64 in which secrets come.
fn next_word(text: &str, at: usize) -> Option<(usize, &str)> {
    let rest = text.get(at..)?;
    let start = at + rest.find(|c: char| c.is_ascii_alphabetic())?;
    let rest = &text[start..];
    let is_inside = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let mut len = rest.find(|c| !is_inside(c)).unwrap_or(rest.len());
    if rest.starts_with("whsec_") {
        let is_base64 = |c: char| is_inside(c) || matches!(c, '+' | '/' | '=');
        len = rest.find(|c| !is_base64(c)).unwrap_or(rest.len());
    }
    Some((start, &rest[..len]))
}

/// Where in `xrpayd_<id>_<secret>` the secret begins.
fn key_secret(word: &str) -> Option<usize> {
    const PREFIX_LEN: usize = "xrpayd_".len();
    let after = word.get(PREFIX_LEN..)?;
    let id_len = after.find('_')?;
    let secret_at = PREFIX_LEN + id_len + 1;
    (word.len() - secret_at >= KEY_SECRET_LEN_MIN).then_some(secret_at)
}

fn is_seed(word: &str) -> bool {
    xrpayd_core::address::base58check_decode(word).is_ok_and(|payload| {
        matches!(payload.as_slice(), [0x21, rest @ ..] if rest.len() == 16)
            || matches!(payload.as_slice(), [0x01, 0xE1, 0x4B, rest @ ..] if rest.len() == 16)
    })
}

/// How long the user and password are, before the last `@` of an authority.
fn userinfo_end(after_slashes: &str) -> Option<usize> {
    let is_end = |c: char| c.is_whitespace() || matches!(c, '/' | '?' | '#' | '"' | '\\');
    let authority = after_slashes.split(is_end).next()?;
    authority.rfind('@').filter(|len| *len > 0)
}

#[cfg(test)]
mod tests;
