//! Where a request comes from: the address that allow-lists, fences and the log go by.
//!
//! Behind a proxy the connection's address is the proxy's. The word of one that the configuration
//! trusts (`http.trusted_proxies`) is taken: in `X-Forwarded-For`, whose entries each proxy appends on
//! the right, the rightmost address that is not itself a trusted proxy is who asks. What stands left of
//! it was written by whoever asked, and means nothing; so does the whole header on a connection from
//! anybody else. Where a trusted proxy writes what cannot be read, nobody knows who asks: no allow-list
//! holds an unknown address. `Forwarded` and `X-Real-IP` are not read, because a header that the proxy
//! does not set is the caller's to write.

use crate::cidr;
use axum::http::{HeaderMap, HeaderName};
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED: HeaderName = HeaderName::from_static("forwarded");

/// Where a request comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// From this address.
    Address(IpAddr),
    /// Through this proxy, from nobody knows where.
    Behind(IpAddr),
}

impl Origin {
    /// Whose request it is that came with `headers` by a connection from `peer`.
    #[must_use]
    pub fn of(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> Self {
        let mut nearest = peer.to_canonical();
        if !cidr::holds(trusted, nearest) {
            return Self::Address(nearest);
        }
        // Several lines of the header are one list.
        for line in headers.get_all(FORWARDED_FOR).into_iter().rev() {
            let Ok(line) = line.to_str() else {
                return Self::Behind(nearest);
            };
            for entry in line.rsplit(',') {
                let Some(address) = address(entry.trim()) else {
                    return Self::Behind(nearest);
                };
                nearest = address;
                if !cidr::holds(trusted, nearest) {
                    return Self::Address(nearest);
                }
            }
        }
        if nearest == peer.to_canonical() && headers.contains_key(FORWARDED) {
            // It says for whom it asks, in a header that is not read.
            return Self::Behind(nearest);
        }
        Self::Address(nearest)
    }

    /// Whether it is known to be in one of `networks`.
    #[must_use]
    pub fn is_within(self, networks: &[IpNet]) -> bool {
        match self {
            Self::Address(address) => cidr::holds(networks, address),
            Self::Behind(_) => false,
        }
    }

    /// The address that answers for it: its own, or the proxy's that does not tell.
    #[must_use]
    pub const fn accountable(self) -> IpAddr {
        match self {
            Self::Address(address) | Self::Behind(address) => address,
        }
    }
}

/// An address as proxies write it: bare, in brackets, or with a port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = || text.parse::<IpAddr>().ok();
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    let bracketed = || {
        let inner = text.strip_prefix('[')?.strip_suffix(']')?;
        inner.parse::<IpAddr>().ok()
    };
    let address = bare().or_else(with_port).or_else(bracketed)?;
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn origin(peer: &str, lines: &[&str]) -> Origin {
        let trusted: Vec<IpNet> = ["10.0.0.0/8", "fd00::/8"]
            .iter()
            .map(|text| cidr::network(text).unwrap())
            .collect();
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(FORWARDED_FOR, HeaderValue::from_str(line).unwrap());
        }
        Origin::of(peer.parse().unwrap(), &headers, &trusted)
    }

    fn known(address: &str) -> Origin {
        Origin::Address(address.parse().unwrap())
    }

    fn behind(proxy: &str) -> Origin {
        Origin::Behind(proxy.parse().unwrap())
    }

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        assert_eq!(
            origin("203.0.113.9", &["198.51.100.1"]),
            known("203.0.113.9")
        );
        assert_eq!(origin("203.0.113.9", &["rubbish"]), known("203.0.113.9"));
        assert_eq!(origin("10.0.0.1", &["198.51.100.1"]), known("198.51.100.1"));
        assert_eq!(
            origin("::ffff:10.0.0.1", &["198.51.100.1"]),
            known("198.51.100.1")
        );
        assert_eq!(origin("10.0.0.1", &[]), known("10.0.0.1"));
    }

    #[test]
    fn who_asks_is_the_rightmost_who_is_no_proxy_and_what_stands_left_of_him_is_his_own_word() {
        let forged = "10.0.0.7, 127.0.0.1, 198.51.100.1, 10.0.0.2";
        assert_eq!(origin("10.0.0.1", &[forged]), known("198.51.100.1"));
        assert_eq!(
            origin("10.0.0.1", &["rubbish, 198.51.100.1"]),
            known("198.51.100.1")
        );
        assert_eq!(
            origin(
                "10.0.0.1",
                &["127.0.0.1", "198.51.100.1,10.0.0.3", "10.0.0.2"]
            ),
            known("198.51.100.1")
        );
        assert_eq!(
            origin("10.0.0.1", &["10.0.0.9, 10.0.0.2"]),
            known("10.0.0.9")
        );
        assert_eq!(
            origin("fd00::1", &["2001:db8::5, fd00::2"]),
            known("2001:db8::5")
        );
    }

    #[test]
    fn an_entry_that_cannot_be_read_makes_nobody_known() {
        for bad in [
            "",
            "unknown",
            "198.51.100.1;",
            "198.51.100",
            "fe80::1%eth0",
            "a, ,b",
            "1.2.3.4,",
        ] {
            assert_eq!(origin("10.0.0.1", &[bad]), behind("10.0.0.1"), "{bad:?}");
        }
        assert_eq!(
            origin("10.0.0.1", &["198.51.100.1, _hidden, 10.0.0.2"]),
            behind("10.0.0.2")
        );
        let mut headers = HeaderMap::new();
        headers.insert(FORWARDED, HeaderValue::from_static("for=198.51.100.1"));
        let trusted = [cidr::network("10.0.0.1").unwrap()];
        let at = |headers: &HeaderMap| Origin::of("10.0.0.1".parse().unwrap(), headers, &trusted);
        assert_eq!(at(&headers), behind("10.0.0.1"));
        headers.insert(FORWARDED_FOR, HeaderValue::from_bytes(b"\xff").unwrap());
        assert_eq!(at(&headers), behind("10.0.0.1"));
        assert!(!behind("10.0.0.1").is_within(&trusted) && known("10.0.0.1").is_within(&trusted));
    }

    #[test]
    fn an_address_is_read_in_every_form_that_proxies_write() {
        for (text, is) in [
            ("198.51.100.1:8443", "198.51.100.1"),
            ("[2001:db8::5]:8443", "2001:db8::5"),
            ("[2001:db8::5]", "2001:db8::5"),
            ("::ffff:198.51.100.1", "198.51.100.1"),
            ("[::ffff:198.51.100.1]:1", "198.51.100.1"),
        ] {
            assert_eq!(origin("10.0.0.1", &[text]), known(is), "{text}");
        }
    }
}
