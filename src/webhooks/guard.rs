//! The guard before every request that leaves: which URLs are taken, and which of a name's addresses
//! are connected to.
//!
//! A URL is read once, by the rules that browsers use, so that `0x7f.1`, `2130706433` and `127.0.0.1`
//! are one host to us as they are to the network. A name is resolved once a try, and the connection
//! goes to an address of that answer and to no other: a name that is vetted and then changes its mind
//! gains nothing. Owns no connection. On failure nothing is sent.

use super::address::{Reach, reach};
use futures_util::future::BoxFuture;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use url::{Host, Url};

/// The longest URL that is taken.
pub const URL_LEN_MAX: usize = 2_048;

/// What an operator allows beyond the public internet over TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Policy {
    /// Whether `http://` is taken as well.
    pub plain: Plain,
    /// Whether private addresses are connected to.
    pub private: Private,
}

/// Whether `http://` is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Plain {
    /// Only `https://` is.
    #[default]
    Refused,
    /// It is.
    Allowed,
}

/// Whether private addresses are connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Private {
    /// Never.
    #[default]
    Refused,
    /// They are.
    Allowed,
}

/// Why a URL is not taken, in words that follow "the URL".
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadUrl {
    /// It is not one.
    #[error("must be an absolute URL such as https://example.com/webhooks")]
    NotAUrl,
    /// It is too long.
    #[error("must have at most {URL_LEN_MAX} characters")]
    TooLong,
    /// Its scheme is not taken.
    #[error("must begin with https://")]
    Scheme,
    /// It bears a name or a password.
    #[error("must not bear a user name or a password")]
    Credentials,
    /// It has a fragment, which is never sent.
    #[error("must not have a fragment")]
    Fragment,
    /// Nothing listens there.
    #[error("must not name port 0")]
    Port,
    /// Its host is an address that is not connected to.
    #[error("must not lead to a private or reserved address")]
    Address,
}

/// Why no address of a name is connected to.
#[derive(Debug, thiserror::Error)]
pub enum Blocked {
    /// The name does not resolve.
    #[error("the name cannot be resolved: {0}")]
    Resolve(#[source] std::io::Error),
    /// The name has no address.
    #[error("the name has no address")]
    NoAddress,
    /// None of its addresses is connected to.
    #[error("the name leads to {0} only")]
    Refused(&'static str),
}

/// A URL that is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    url: Url,
    tls: bool,
    host: String,
    port: u16,
    literal: Option<IpAddr>,
}

impl Target {
    /// Reads a URL.
    ///
    /// # Errors
    /// Why it is not taken.
    pub fn read(text: &str, policy: Policy) -> Result<Self, BadUrl> {
        if text.len() > URL_LEN_MAX {
            return Err(BadUrl::TooLong);
        }
        // What a reader of URLs mends in silence would be another URL than the one that was written.
        if text
            .chars()
            .any(|c| c.is_control() || c.is_whitespace() || c == '\\')
        {
            return Err(BadUrl::NotAUrl);
        }
        let url = Url::parse(text).map_err(|_| BadUrl::NotAUrl)?;
        let tls = match (url.scheme(), policy.plain) {
            ("https", _) => true,
            ("http", Plain::Allowed) => false,
            _ => return Err(BadUrl::Scheme),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(BadUrl::Credentials);
        }
        if url.fragment().is_some() {
            return Err(BadUrl::Fragment);
        }
        let port = url.port_or_known_default().ok_or(BadUrl::NotAUrl)?;
        if port == 0 {
            return Err(BadUrl::Port);
        }
        let (host, literal) = match url.host().ok_or(BadUrl::NotAUrl)? {
            Host::Ipv4(address) => (address.to_string(), Some(IpAddr::V4(address))),
            Host::Ipv6(address) => (address.to_string(), Some(IpAddr::V6(address))),
            Host::Domain(name) => {
                // The dot of a full name is no part of the name that certificates bear.
                let name = name.trim_end_matches('.');
                if name.is_empty() {
                    return Err(BadUrl::NotAUrl);
                }
                (name.to_owned(), None)
            }
        };
        let is_local = literal.is_none() && (host == "localhost" || host.ends_with(".localhost"));
        let refused = literal.is_some_and(|address| !policy.lets(address))
            || (is_local && policy.private == Private::Refused);
        if refused {
            return Err(BadUrl::Address);
        }
        Ok(Self {
            url,
            tls,
            host,
            port,
            literal,
        })
    }

    /// Whether it is spoken to over TLS.
    #[must_use]
    pub const fn is_tls(&self) -> bool {
        self.tls
    }

    /// The name or address that TLS has to prove, without brackets or a dot at its end.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// What the `Host` header says.
    #[must_use]
    pub fn authority(&self) -> String {
        let host = match self.literal {
            Some(IpAddr::V6(address)) => format!("[{address}]"),
            Some(IpAddr::V4(_)) | None => self.host.clone(),
        };
        self.url
            .port()
            .map_or(host.clone(), |port| format!("{host}:{port}"))
    }

    /// The path and query, as the request line bears them.
    #[must_use]
    pub fn path(&self) -> String {
        match self.url.query() {
            Some(query) => format!("{}?{query}", self.url.path()),
            None => self.url.path().to_owned(),
        }
    }

    /// The addresses that may be connected to, from one resolution.
    ///
    /// # Errors
    /// There is none.
    pub async fn vetted(
        &self,
        resolver: &dyn Resolver,
        policy: Policy,
    ) -> Result<Vec<SocketAddr>, Blocked> {
        let found = match self.literal {
            Some(address) => vec![address],
            None => resolver
                .resolve(&self.host)
                .await
                .map_err(Blocked::Resolve)?,
        };
        let mut refused = None;
        let mut vetted = Vec::new();
        for address in found {
            if policy.lets(address) {
                vetted.push(SocketAddr::new(address, self.port));
            } else {
                refused = Some(match reach(address) {
                    Reach::Never(what) => what,
                    Reach::Private | Reach::Public => "private addresses",
                });
            }
        }
        match (vetted.is_empty(), refused) {
            (false, _) => Ok(vetted),
            (true, Some(what)) => Err(Blocked::Refused(what)),
            (true, None) => Err(Blocked::NoAddress),
        }
    }
}

/// The URL as it is sent to.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.url.as_str())
    }
}

impl Policy {
    /// Whether an address may be connected to.
    #[must_use]
    pub fn lets(self, address: IpAddr) -> bool {
        match reach(address) {
            Reach::Public => true,
            Reach::Private => self.private == Private::Allowed,
            Reach::Never(_) => false,
        }
    }
}

/// Finds the addresses of a name. A seam, because tests have names that change their minds.
pub trait Resolver: Send + Sync + 'static {
    /// Every address of a name.
    fn resolve<'a>(&'a self, name: &'a str) -> BoxFuture<'a, std::io::Result<Vec<IpAddr>>>;
}

/// The machine's own resolver.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemResolver;

impl Resolver for SystemResolver {
    fn resolve<'a>(&'a self, name: &'a str) -> BoxFuture<'a, std::io::Result<Vec<IpAddr>>> {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    const STRICT: Policy = Policy {
        plain: Plain::Refused,
        private: Private::Refused,
    };
    const ROOMY: Policy = Policy {
        plain: Plain::Allowed,
        private: Private::Allowed,
    };

    #[test]
    fn what_leads_to_this_machine_is_refused_in_every_spelling() {
        for url in [
            "https://127.0.0.1/",
            "https://127.1/",
            "https://2130706433/",
            "https://0x7f000001/",
            "https://0x7f.1/",
            "https://0177.0.0.1/",
            "https://017700000001/",
            "https://127.0.0.1./",
            "https://①②⑦.0.0.1/",
            "https://%31%32%37.0.0.1/",
            "https://[::1]/",
            "https://[::ffff:127.0.0.1]/",
            "https://[::ffff:7f00:1]/",
            "https://[64:ff9b::7f00:1]/",
            "https://[2002:7f00:1::]/",
            "https://localhost/",
            "https://LOCALHOST./",
            "https://shop.localhost:8443/",
            "https://169.254.169.254/latest/meta-data/",
            "https://[fd00:ec2::254]/",
            "https://0/",
            "https://10.0.0.1:443/",
        ] {
            assert_eq!(Target::read(url, STRICT), Err(BadUrl::Address), "{url}");
        }
        for url in [
            "https://169.254.169.254/",
            "https://0.0.0.0/",
            "http://224.0.0.1/",
            "http://[::ffff:a9fe:a9fe]/",
        ] {
            assert_eq!(Target::read(url, ROOMY), Err(BadUrl::Address), "{url}");
        }
        assert!(Target::read("http://127.0.0.1:8080/hook", ROOMY).is_ok());
    }

    #[test]
    fn what_is_no_plain_https_url_is_refused_by_name() {
        for (url, why) in [
            ("", BadUrl::NotAUrl),
            ("example.com/hook", BadUrl::NotAUrl),
            ("/hook", BadUrl::NotAUrl),
            ("https://", BadUrl::NotAUrl),
            ("https://./", BadUrl::NotAUrl),
            ("https://exa mple.com/", BadUrl::NotAUrl),
            ("https://example.com\\@127.0.0.1/", BadUrl::NotAUrl),
            ("https://example.com/\r\nx: y", BadUrl::NotAUrl),
            ("https://1.2.3.4.5/", BadUrl::NotAUrl),
            ("https://example.com:99999/", BadUrl::NotAUrl),
            ("http://example.com/", BadUrl::Scheme),
            ("ftp://example.com/", BadUrl::Scheme),
            ("file:///etc/passwd", BadUrl::Scheme),
            ("gopher://example.com/", BadUrl::Scheme),
            ("https://me:secret@example.com/", BadUrl::Credentials),
            ("https://me@example.com/", BadUrl::Credentials),
            ("https://example.com/#part", BadUrl::Fragment),
            ("https://example.com:0/", BadUrl::Port),
        ] {
            assert_eq!(Target::read(url, STRICT), Err(why), "{url}");
        }
        let long = format!("https://example.com/{}", "a".repeat(URL_LEN_MAX));
        assert_eq!(Target::read(&long, STRICT), Err(BadUrl::TooLong));
    }

    #[test]
    fn a_url_is_sent_to_as_it_was_written() {
        let target = Target::read("https://Example.com.:8443/a%20b?x=1&y", STRICT).unwrap();
        assert_eq!(target.host(), "example.com");
        assert_eq!(target.authority(), "example.com:8443");
        assert_eq!(target.path(), "/a%20b?x=1&y");
        assert!(target.is_tls());
        let bare = Target::read("https://example.com", STRICT).unwrap();
        assert_eq!(
            (bare.path().as_str(), bare.authority().as_str()),
            ("/", "example.com")
        );
        let six = Target::read("http://[::1]:8080/", ROOMY).unwrap();
        assert_eq!(six.authority(), "[::1]:8080");
    }

    /// Answers with one list after the other.
    struct Fickle(Mutex<Vec<Vec<IpAddr>>>);

    impl Resolver for Fickle {
        fn resolve<'a>(&'a self, _: &'a str) -> BoxFuture<'a, std::io::Result<Vec<IpAddr>>> {
            let answer = self.0.lock().unwrap().remove(0);
            Box::pin(std::future::ready(Ok(answer)))
        }
    }

    #[tokio::test]
    async fn a_name_that_changes_its_mind_is_judged_by_the_answer_that_is_connected_to() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let fickle = Fickle(Mutex::new(vec![
            vec![ip("1.1.1.1"), ip("10.0.0.1")],
            vec![ip("127.0.0.1"), ip("::ffff:192.168.0.1")],
            vec![ip("169.254.169.254")],
            vec![],
        ]));
        let target = Target::read("https://example.com/", STRICT).unwrap();
        let first = target.vetted(&fickle, STRICT).await.unwrap();
        assert_eq!(first, [SocketAddr::new(ip("1.1.1.1"), 443)]);
        let second = target.vetted(&fickle, STRICT).await;
        assert!(matches!(second, Err(Blocked::Refused("private addresses"))));
        let third = target.vetted(&fickle, ROOMY).await;
        assert!(matches!(
            third,
            Err(Blocked::Refused("a link-local address"))
        ));
        let none = target.vetted(&fickle, STRICT).await;
        assert!(matches!(none, Err(Blocked::NoAddress)));
    }
}
