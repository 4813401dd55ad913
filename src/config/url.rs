//! URLs of servers and databases: both may hold secrets, so neither is shown whole.

use super::secrets::SecretRef;
use super::value::{FromValue, text};
use figment::value::Value;
use secrecy::{ExposeSecret, SecretString};
use std::fmt;

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
        is_loopback(self.host())
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

    /// Why production does not go to the database over this URL; `None` where nothing is wrong with it,
    /// and behind a reference until that is resolved.
    #[must_use]
    pub fn unverified(&self) -> Option<&'static str> {
        match self {
            Self::Plain(url) => unverified(url.expose_secret()),
            Self::Reference(_) => None,
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

/// Why real money does not cross the way to the database at `url`: another machine's, whose certificate
/// is not checked against its name. `None` where nothing is wrong with it.
#[must_use]
pub fn unverified(url: &str) -> Option<&'static str> {
    let (scheme, rest) = url.split_once("://")?;
    if !matches!(scheme, "postgres" | "postgresql") {
        return None;
    }
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let authority = place.split('/').next().unwrap_or_default();
    let at_hosts = authority.rsplit('@').next().unwrap_or_default();
    let mut hosts: Vec<String> = at_hosts.split(',').map(str::to_owned).collect();
    let mut mode = None;
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match name.as_ref() {
            "host" | "hostaddr" => {
                hosts.retain(|host| !host.is_empty());
                hosts.push(value.into_owned());
            }
            "sslmode" | "ssl-mode" => mode = Some(value.into_owned()),
            _ => {}
        }
    }
    let is_verified = mode.is_some_and(|mode| mode.eq_ignore_ascii_case("verify-full"));
    let is_here = hosts.iter().all(|host| is_this_machine(host));
    if is_verified || is_here {
        return None;
    }
    Some(
        "leads to another machine without verifying it: add ?sslmode=verify-full, and \
         &sslrootcert=PATH where the certificate is not signed by an authority that this machine knows",
    )
}

/// A name or an address of this machine, or the folder of a socket.
fn is_this_machine(host: &str) -> bool {
    if host.starts_with('/') || host.starts_with("%2F") || host.starts_with("%2f") {
        return true;
    }
    split_port(host).is_some_and(|(host, _)| is_loopback(host))
}

/// Whether a host leads to this machine alone.
pub(super) fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host.ends_with(".localhost")
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|ip| ip.is_loopback())
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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

    #[test]
    fn only_a_verified_server_or_this_machine_is_good_enough_for_real_money() {
        for good in [
            "sqlite:///var/lib/pay.db",
            "postgres://localhost/pay",
            "postgres://pay:p%40ss@127.0.0.1:5432/pay",
            "postgresql://[::1]:5432/pay?sslmode=disable",
            "postgres://%2Fvar%2Frun%2Fpostgresql/pay",
            "postgres:///pay?host=/var/run/postgresql",
            "postgres://db.example.org/pay?sslmode=verify-full",
            "postgres://a.example.org:5432,b.example.org/pay?application_name=x&sslmode=VERIFY-FULL",
        ] {
            assert_eq!(unverified(good), None, "{good}");
        }
        for bad in [
            "postgres://db.example.org/pay",
            "postgres://db.example.org/pay?sslmode=require",
            "postgres://db.example.org/pay?sslmode=verify-ca",
            "postgres://db.example.org/pay?sslmode=verify-full&sslmode=prefer",
            "postgres://db.example.org/pay?SSLMODE=verify-full",
            "postgres://127.0.0.1.example.org/pay",
            "postgres://localhost,db.example.org/pay",
            "postgres://localhost/pay?host=db.example.org",
            "postgres://user@localhost@db.example.org/pay",
            "postgres:///pay",
        ] {
            let why = unverified(bad);
            assert!(
                why.is_some_and(|why| why.contains("sslmode=verify-full")),
                "{bad}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_a_reader_panic(text: String) {
            let _ = ServerUrl::parse(&text).map(|url| url.to_string());
            let _ = ServerUrl::parse(&format!("wss://{text}")).map(|url| url.to_string());
            let _ = StoreUrl::parse(&format!("postgres://{text}")).map(|url| url.to_string());
            let _ = unverified(&format!("postgres://{text}"));
        }
    }
}
