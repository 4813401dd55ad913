//! How one value is read: strict, exact, and without ever quoting what might be a secret.
//!
//! Values are read one by one rather than by a derived `Deserialize` of the whole, for that stops at
//! the first error and quotes the offending text.

use super::schema::{KeyAlgorithm, LogFormat, LogLevel};
use super::secrets::SecretRef;
use figment::value::Value;
use secrecy::{ExposeSecret, SecretString};
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;
use xrpayd_core::address::AccountId;
use xrpayd_core::money::Drops;

/// A type that a setting can have.
pub(super) trait FromValue: Sized {
    /// Reads the value.
    ///
    /// # Errors
    /// A phrase that follows the setting's name: "must be …".
    fn from_value(value: &Value) -> Result<Self, String>;
}

fn text<'a>(value: &'a Value, what: &str) -> Result<&'a str, String> {
    match value {
        Value::String(_, text) => Ok(text),
        Value::Num(..) => Err(format!("must be {what}, in quotation marks")),
        _ => Err(format!("must be {what}")),
    }
}

impl FromValue for bool {
    fn from_value(value: &Value) -> Result<Self, String> {
        value
            .to_bool()
            .ok_or_else(|| "must be true or false".to_owned())
    }
}

impl FromValue for u64 {
    fn from_value(value: &Value) -> Result<Self, String> {
        value
            .to_i128()
            .and_then(|n| Self::try_from(n).ok())
            .ok_or_else(|| "must be a whole number".to_owned())
    }
}

impl FromValue for String {
    fn from_value(value: &Value) -> Result<Self, String> {
        let read = text(value, "a text")?;
        if read.trim().is_empty() {
            return Err("must not be empty".to_owned());
        }
        Ok(read.to_owned())
    }
}

impl FromValue for Vec<String> {
    fn from_value(value: &Value) -> Result<Self, String> {
        let bad = || "must be a list of texts".to_owned();
        let items = value.as_array().ok_or_else(bad)?;
        items
            .iter()
            .map(|item| item.as_str().map(str::to_owned).ok_or_else(bad))
            .collect()
    }
}

/// An amount that the configuration writes in XRP.
pub(super) struct Xrp(pub Drops);

impl FromValue for Xrp {
    fn from_value(value: &Value) -> Result<Self, String> {
        let read = text(value, "a decimal number of XRP such as \"12.5\"")?;
        Drops::from_xrp(read).map(Self).map_err(|e| e.to_string())
    }
}

/// An amount that the configuration writes in drops.
pub(super) struct InDrops(pub Drops);

impl FromValue for InDrops {
    fn from_value(value: &Value) -> Result<Self, String> {
        let what = "a whole number of drops such as \"2000\"";
        let read = text(value, what)?;
        read.parse()
            .map(Self)
            .map_err(|_| format!("must be {what}"))
    }
}

const DURATION_UNITS: [(&str, u64); 5] = [
    ("ms", 1),
    ("s", 1_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
];
/// Longer than any duration that makes sense here, and far from the end of any clock's range.
const DURATION_MS_MAX: u64 = 3_660 * 86_400_000;

/// Reads a duration such as `"200ms"`, `"30s"`, `"2m"`, `"24h"` or `"7d"`.
///
/// # Errors
/// A phrase that says what was expected.
pub fn duration(text: &str) -> Result<Duration, String> {
    let bad =
        || "must be a duration such as \"200ms\", \"30s\", \"2m\", \"24h\" or \"7d\"".to_owned();
    let split = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(bad)?;
    let (digits, unit) = text.split_at(split);
    let scale = DURATION_UNITS
        .iter()
        .find_map(|(name, ms)| (*name == unit).then_some(*ms))
        .ok_or_else(bad)?;
    let count: u64 = digits.parse().map_err(|_| bad())?;
    match count.checked_mul(scale) {
        Some(ms) if ms <= DURATION_MS_MAX => Ok(Duration::from_millis(ms)),
        Some(_) | None => Err("must not be longer than ten years".to_owned()),
    }
}

/// A duration in the form that [`duration`] reads, in the largest unit that is exact.
#[must_use]
pub fn duration_text(value: Duration) -> String {
    let ms = u64::try_from(value.as_millis()).unwrap_or(u64::MAX);
    let (name, scale) = DURATION_UNITS
        .into_iter()
        .rev()
        .find(|(_, scale)| ms >= *scale && ms % scale == 0)
        .unwrap_or(("s", 1_000));
    format!("{}{name}", ms / scale)
}

impl FromValue for Duration {
    fn from_value(value: &Value) -> Result<Self, String> {
        duration(text(value, "a duration such as \"30s\"")?)
    }
}

impl FromValue for SocketAddr {
    fn from_value(value: &Value) -> Result<Self, String> {
        let what = "an address and port such as \"127.0.0.1:3000\"";
        text(value, what)?
            .parse()
            .map_err(|_| format!("must be {what}"))
    }
}

impl FromValue for AccountId {
    fn from_value(value: &Value) -> Result<Self, String> {
        text(value, "a classic address (r…)")?
            .parse()
            .map_err(|e| format!("must be a classic address (r…), and this {e}"))
    }
}

impl FromValue for SecretRef {
    fn from_value(value: &Value) -> Result<Self, String> {
        let read = text(value, "a reference such as \"file:/run/secrets/name\"")?;
        read.parse()
            .map_err(|e: super::secrets::BadRef| e.to_string())
    }
}

/// A share between nothing and the whole, in millionths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ratio {
    /// Millionths.
    pub ppm: u32,
}

impl FromValue for Ratio {
    fn from_value(value: &Value) -> Result<Self, String> {
        let bad = || "must be a share between 0 and 1 such as \"0.01\"".to_owned();
        let read = match value {
            Value::String(_, text) => text.clone(),
            // The shortest decimal text of a float is what the operator wrote.
            Value::Num(_, number) => match number.to_f64() {
                Some(number) => number.to_string(),
                None => value.to_i128().ok_or_else(bad)?.to_string(),
            },
            _ => return Err(bad()),
        };
        // Six decimals are those of XRP, so its exact reader serves here as well.
        let millionths = Drops::from_xrp(&read).map_err(|_| bad())?.get();
        match u32::try_from(millionths) {
            Ok(ppm) if ppm <= 1_000_000 => Ok(Self { ppm }),
            Ok(_) | Err(_) => Err(bad()),
        }
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let drops = Drops::new(u64::from(self.ppm)).unwrap_or(Drops::ZERO);
        f.write_str(&drops.to_xrp())
    }
}

/// The websocket URL of a server. Providers put access tokens into the path and the query, so only
/// scheme, host and port are ever shown.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerUrl {
    full: String,
    host: String,
    port: Option<u16>,
    secure: bool,
}

impl ServerUrl {
    /// Reads `ws://…` or `wss://…`.
    ///
    /// # Errors
    /// A phrase that follows the setting's name.
    pub fn parse(text: &str) -> Result<Self, String> {
        let bad = || "must be a websocket URL such as \"wss://example.org:51233\"".to_owned();
        let (secure, rest) = match (text.strip_prefix("wss://"), text.strip_prefix("ws://")) {
            (Some(rest), _) => (true, rest),
            (None, Some(rest)) => (false, rest),
            (None, None) => return Err(bad()),
        };
        if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(bad());
        }
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let at_host = authority.rsplit('@').next().unwrap_or_default();
        let (host, port) = split_port(at_host).ok_or_else(bad)?;
        if host.is_empty() {
            return Err(bad());
        }
        Ok(Self {
            full: text.to_owned(),
            host: host.to_ascii_lowercase(),
            port,
            secure,
        })
    }

    /// The whole URL, to connect with; it may hold a token.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.full
    }

    /// The host in lower case, without brackets or port.
    #[must_use]
    pub fn host(&self) -> &str {
        self.host.trim_end_matches('.')
    }

    /// Whether the connection is encrypted.
    #[must_use]
    pub const fn is_secure(&self) -> bool {
        self.secure
    }

    /// Whether the host is this machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        let host = self.host();
        host == "localhost"
            || host.ends_with(".localhost")
            || host
                .parse::<std::net::IpAddr>()
                .is_ok_and(|ip| ip.is_loopback())
    }

    /// Host and, where it was written, port: the name of a server that was given none.
    #[must_use]
    pub fn host_port(&self) -> String {
        match self.port {
            Some(port) if self.host.contains(':') => format!("[{}]:{port}", self.host()),
            Some(port) => format!("{}:{port}", self.host()),
            None => self.host().to_owned(),
        }
    }
}

fn split_port(authority: &str) -> Option<(&str, Option<u16>)> {
    let (host, after) = match authority.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => match authority.find(':') {
            Some(at) => authority.split_at(at),
            None => (authority, ""),
        },
    };
    match after.strip_prefix(':') {
        Some(port) => port.parse().ok().map(|port| (host, Some(port))),
        None => after.is_empty().then_some((host, None)),
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "wss" } else { "ws" };
        let plain = format!("{scheme}://{}", self.host_port());
        let rest = self.full.get(plain.len()..).unwrap_or_default();
        f.write_str(&plain)?;
        if rest.trim_end_matches('/').is_empty() {
            Ok(())
        } else {
            f.write_str("/…")
        }
    }
}

impl fmt::Debug for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl FromValue for ServerUrl {
    fn from_value(value: &Value) -> Result<Self, String> {
        Self::parse(text(value, "a websocket URL")?)
    }
}

/// Where the database is. A password inside is never shown.
#[derive(Clone)]
pub enum StoreUrl {
    /// `sqlite:…` or `postgres://…`, as it was written.
    Plain(SecretString),
    /// The whole URL is a secret of its own, for it holds a password.
    Reference(SecretRef),
}

impl StoreUrl {
    /// Reads a URL or a reference to one.
    ///
    /// # Errors
    /// A phrase that follows the setting's name.
    pub fn parse(text: &str) -> Result<Self, String> {
        if ["sqlite:", "postgres://", "postgresql://"]
            .iter()
            .any(|scheme| text.len() > scheme.len() && text.starts_with(scheme))
        {
            return Ok(Self::Plain(SecretString::from(text)));
        }
        text.parse().map(Self::Reference).map_err(|_| {
            "must be \"sqlite:///path/to/file.db\", \"postgres://…\", or a reference to one \
             such as \"file:/run/secrets/database_url\""
                .to_owned()
        })
    }

    /// The URL to connect with.
    ///
    /// # Errors
    /// The reference cannot be resolved.
    pub fn resolve(&self) -> Result<SecretString, super::secrets::SecretError> {
        match self {
            Self::Plain(url) => Ok(url.clone()),
            Self::Reference(reference) => super::secrets::resolve(reference),
        }
    }

    /// Whether the database is a file of this machine; unknown behind a reference.
    #[must_use]
    pub fn is_sqlite(&self) -> Option<bool> {
        match self {
            Self::Plain(url) => Some(url.expose_secret().starts_with("sqlite:")),
            Self::Reference(_) => None,
        }
    }

    /// Whether a password stands in the configuration itself.
    #[must_use]
    pub fn has_inline_password(&self) -> bool {
        match self {
            Self::Plain(url) => {
                let url = url.expose_secret();
                userinfo(url).is_some_and(|info| info.contains(':')) || url.contains("password=")
            }
            Self::Reference(_) => false,
        }
    }
}

fn userinfo(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?']).next()?;
    authority.rsplit_once('@').map(|(info, _)| info)
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reference(reference) => write!(f, "{reference}"),
            Self::Plain(url) => {
                let url = url.expose_secret();
                if url.starts_with("sqlite:") {
                    return f.write_str(url);
                }
                // Credentials stand before the last `@` and may hide in the query.
                let (scheme, rest) = url.split_once("://").unwrap_or(("postgres", ""));
                let rest = rest.split('?').next().unwrap_or_default();
                match rest.rsplit_once('@') {
                    Some((_, place)) => write!(f, "{scheme}://…@{place}"),
                    None => write!(f, "{scheme}://{rest}"),
                }
            }
        }
    }
}

impl fmt::Debug for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl FromValue for StoreUrl {
    fn from_value(value: &Value) -> Result<Self, String> {
        Self::parse(text(value, "a URL such as \"sqlite:///path/to/file.db\"")?)
    }
}

macro_rules! choice {
    ($type:ty) => {
        impl FromValue for $type {
            fn from_value(value: &Value) -> Result<Self, String> {
                let all = Self::ALL.map(|(name, _)| name);
                let read = text(value, &format!("one of {}", all.join(", ")))?;
                Self::ALL
                    .into_iter()
                    .find_map(|(name, choice)| (name == read).then_some(choice))
                    .ok_or_else(|| format!("must be one of {}", all.join(", ")))
            }
        }
    };
}
choice!(LogLevel);
choice!(LogFormat);
choice!(KeyAlgorithm);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read<T: FromValue>(value: impl Into<Value>) -> Result<T, String> {
        T::from_value(&value.into())
    }

    #[test]
    fn durations_are_read_exactly_or_refused() {
        for (text, ms) in [
            ("200ms", 200),
            ("30s", 30_000),
            ("2m", 120_000),
            ("24h", 86_400_000),
            ("7d", 604_800_000),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(ms)), "{text}");
            assert_eq!(duration_text(Duration::from_millis(ms)), {
                if text == "24h" { "1d" } else { text }
            });
        }
        for text in [
            "",
            "30",
            "s",
            "1.5s",
            "-1s",
            "1 s",
            "1w",
            "99999999999999999999s",
            "9999999d",
            "1sx",
        ] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn money_is_never_a_number() {
        assert!(read::<Xrp>("12.5").is_ok());
        for bad in [read::<Xrp>(12.5), read::<Xrp>(12), read::<Xrp>("1e3")] {
            assert!(bad.is_err());
        }
        assert!(read::<InDrops>("2000").is_ok());
        assert!(read::<InDrops>("1.5").is_err());
    }

    #[test]
    fn a_share_is_exact_in_millionths() {
        assert_eq!(read::<Ratio>("0.001"), Ok(Ratio { ppm: 1_000 }));
        assert_eq!(read::<Ratio>(0.01), Ok(Ratio { ppm: 10_000 }));
        assert_eq!(read::<Ratio>(1), Ok(Ratio { ppm: 1_000_000 }));
        for bad in [
            read::<Ratio>("1.1"),
            read::<Ratio>("NaN"),
            read::<Ratio>(f64::NAN),
        ] {
            assert!(bad.is_err());
        }
    }

    #[test]
    fn a_server_url_shows_no_token() {
        let url = ServerUrl::parse("wss://user:pw@Node.Example.org:443/TOKEN?key=TOKEN").unwrap();
        assert_eq!(url.host(), "node.example.org");
        assert_eq!(
            format!("{url} {url:?}"),
            "wss://node.example.org:443/… wss://node.example.org:443/…"
        );
        assert_eq!(
            ServerUrl::parse("wss://a.org/").unwrap().to_string(),
            "wss://a.org"
        );
        assert!(ServerUrl::parse("ws://[::1]:6006").unwrap().is_loopback());
        assert!(
            !ServerUrl::parse("ws://127.0.0.1.example.org")
                .unwrap()
                .is_loopback()
        );
        for bad in [
            "https://a.org",
            "wss://",
            "wss://a.org:port",
            "wss://a b",
            "a.org",
        ] {
            assert!(ServerUrl::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_database_url_shows_no_password() {
        let url =
            StoreUrl::parse("postgres://pay:hunter2@db.example.org/pay?password=hunter2").unwrap();
        assert!(url.has_inline_password());
        assert!(!format!("{url} {url:?}").contains("hunter2"));
        assert!(StoreUrl::parse("mysql://x").is_err());
        let sqlite = StoreUrl::parse("sqlite:///var/lib/pay.db").unwrap();
        assert_eq!(sqlite.is_sqlite(), Some(true));
        assert_eq!(sqlite.to_string(), "sqlite:///var/lib/pay.db");
    }

    proptest! {
        #[test]
        fn no_text_makes_a_reader_panic(text: String) {
            let _ = duration(&text);
            let _ = ServerUrl::parse(&text).map(|url| url.to_string());
            let _ = StoreUrl::parse(&text).map(|url| url.to_string());
            let _ = read::<Ratio>(text);
        }

        #[test]
        fn a_duration_survives_its_text(ms in 0_u64..DURATION_MS_MAX) {
            let value = Duration::from_millis(ms);
            prop_assert_eq!(duration(&duration_text(value)), Ok(value));
        }
    }
}
