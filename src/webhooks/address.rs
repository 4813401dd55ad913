//! Which addresses a webhook may be sent to. Pure: no name is resolved here.
//!
//! What is not known to be public is refused. Addresses that carry another one inside (mapped,
//! translated, tunnelled) are judged by what they carry, because that is where the packet ends up.
//! Two kinds are refused whatever an operator allows: those that are no receiver of anything, and
//! those at which clouds hand credentials to whoever asks.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What an address is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Anybody's, on the public internet.
    Public,
    /// Of this machine or of a private network: an operator may allow it.
    Private,
    /// Never a receiver.
    Never(&'static str),
}

const METADATA: Reach = Reach::Never("an address of cloud metadata");

/// Where machines of the large clouds are told their credentials, outside the link-local range.
const METADATA_V4: [Ipv4Addr; 3] = [
    Ipv4Addr::new(100, 100, 100, 200),
    Ipv4Addr::new(168, 63, 129, 16),
    Ipv4Addr::new(192, 0, 0, 192),
];
const METADATA_V6: [Ipv6Addr; 2] = [
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
    Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
];

/// Judges an address.
#[must_use]
pub fn reach(address: IpAddr) -> Reach {
    match address {
        IpAddr::V4(address) => reach_v4(address),
        IpAddr::V6(address) => reach_v6(address),
    }
}

fn reach_v4(address: Ipv4Addr) -> Reach {
    if METADATA_V4.contains(&address) {
        return METADATA;
    }
    match address.octets() {
        [0, ..] => Reach::Never("an unspecified address"),
        [10, ..] | [127, ..] | [192, 168, ..] => Reach::Private,
        [172, b, ..] if b & 0xF0 == 16 => Reach::Private,
        // Carrier-grade translation, and the range for benchmarks that some containers live in.
        [100, b, ..] if b & 0xC0 == 64 => Reach::Private,
        [198, b, ..] if b & 0xFE == 18 => Reach::Private,
        [169, 254, ..] => Reach::Never("a link-local address"),
        [192, 0, 0, _] | [192, 88, 99, _] => Reach::Never("an address of a protocol"),
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => {
            Reach::Never("an address of documentation")
        }
        [a, ..] if a >= 240 => Reach::Never("a reserved address"),
        [a, ..] if a >= 224 => Reach::Never("a multicast address"),
        _ => Reach::Public,
    }
}

fn reach_v6(address: Ipv6Addr) -> Reach {
    if METADATA_V6.contains(&address) {
        return METADATA;
    }
    if address.is_loopback() {
        return Reach::Private;
    }
    let parts = address.segments();
    let last = v4(parts[6], parts[7]);
    match parts {
        // ::ffff:a.b.c.d is the IPv4 address itself; the older mapping ::ffff:0:a.b.c.d is alike.
        [0, 0, 0, 0, 0, 0xFFFF, ..] | [0, 0, 0, 0, 0xFFFF, 0, ..] => reach_v4(last),
        [0, 0, 0, 0, 0, 0, 0, 0] => Reach::Never("an unspecified address"),
        [0, 0, 0, 0, 0, 0, ..] => worse(Reach::Never("an IPv4-compatible address"), reach_v4(last)),
        // Translation to IPv4: the well-known prefix reaches what it carries, the local one a network
        // of the operator's own.
        [0x64, 0xFF9B, 0, 0, 0, 0, ..] => reach_v4(last),
        [0x64, 0xFF9B, 1, ..] => worse(Reach::Private, reach_v4(last)),
        [0x2002, high, low, ..] => reach_v4(v4(high, low)),
        [0x2001, 0, ..] => Reach::Never("an address of a Teredo tunnel"),
        [0x2001, 2, 0, ..] => Reach::Private,
        [0x2001, b, ..] if b & 0xFFE0 == 0 || b & 0xFFF0 == 0x10 || b & 0xFFF0 == 0x20 => {
            Reach::Never("an address of a protocol")
        }
        [0x2001, 0xDB8, ..] => Reach::Never("an address of documentation"),
        [0x3FFF, b, ..] if b & 0xF000 == 0 => Reach::Never("an address of documentation"),
        [a, ..] if a & 0xFE00 == 0xFC00 => Reach::Private,
        [a, ..] if a & 0xFFC0 == 0xFEC0 => Reach::Private,
        [a, ..] if a & 0xFFC0 == 0xFE80 => Reach::Never("a link-local address"),
        [a, ..] if a & 0xFF00 == 0xFF00 => Reach::Never("a multicast address"),
        // ISATAP carries an IPv4 address behind this mark of its interface.
        [a, _, _, _, 0 | 0x200, 0x5EFE, ..] if a & 0xE000 == 0x2000 => reach_v4(last),
        [a, ..] if a & 0xE000 == 0x2000 => Reach::Public,
        _ => Reach::Never("a reserved address"),
    }
}

/// The verdict that lets less through.
const fn worse(a: Reach, b: Reach) -> Reach {
    match (a, b) {
        (Reach::Never(_), _) | (Reach::Private, Reach::Public | Reach::Private) => a,
        (Reach::Private | Reach::Public, _) => b,
    }
}

const fn v4(high: u16, low: u16) -> Ipv4Addr {
    let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
    Ipv4Addr::new(a, b, c, d)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(text: &str) -> Reach {
        reach(text.parse().unwrap())
    }

    #[test]
    fn public_addresses_are_public_in_every_form() {
        for text in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.1",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2606:4700:4700::1111",
            "2a00:1450::1",
            "::ffff:1.1.1.1",
            "64:ff9b::1.1.1.1",
            "2002:101:101::1",
        ] {
            assert_eq!(of(text), Reach::Public, "{text}");
        }
    }

    #[test]
    fn private_addresses_are_private_in_every_form() {
        for text in [
            "10.0.0.1",
            "127.0.0.1",
            "127.255.255.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "100.64.0.1",
            "100.127.255.255",
            "198.18.0.1",
            "198.19.255.255",
            "::1",
            "fc00::1",
            "fdff::1",
            "fec0::1",
            "2001:2::1",
            "::ffff:10.0.0.1",
            "::ffff:7f00:1",
            "::ffff:0:127.0.0.1",
            "64:ff9b::10.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1.1.1.1",
            "2002:7f00:1::1",
            "2002:a00:1::1",
            "2a00:1450::5efe:10.0.0.1",
            "2a00:1450::200:5efe:127.0.0.1",
        ] {
            assert_eq!(of(text), Reach::Private, "{text}");
        }
    }

    #[test]
    fn what_is_no_receiver_is_refused_in_every_form() {
        for text in [
            "0.0.0.0",
            "0.1.2.3",
            "169.254.169.254",
            "169.254.0.1",
            "168.63.129.16",
            "100.100.100.200",
            "192.0.0.1",
            "192.0.0.192",
            "192.0.2.1",
            "192.88.99.1",
            "198.51.100.1",
            "203.0.113.9",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::127.0.0.1",
            "::1.1.1.1",
            "::ffff:169.254.169.254",
            "::ffff:0:169.254.169.254",
            "64:ff9b::169.254.169.254",
            "64:ff9b:1::169.254.169.254",
            "2002:a9fe:a9fe::1",
            "2001::1",
            "2001:0:4136:e378:8000:63bf:3fff:fdd2",
            "2001:10::1",
            "2001:20::1",
            "2001:db8::1",
            "3fff::1",
            "fe80::1",
            "ff02::1",
            "100::1",
            "5f00::1",
            "4000::1",
            "fd00:ec2::254",
            "fd20:ce::254",
            "2a00:1450::5efe:169.254.169.254",
        ] {
            assert!(
                matches!(of(text), Reach::Never(_)),
                "{text}: {:?}",
                of(text)
            );
        }
    }

    proptest! {
        #[test]
        fn a_mapped_or_translated_address_is_never_more_than_what_it_carries(bits: u32) {
            let inner = Ipv4Addr::from(bits);
            let [a, b, c, d] = inner.octets();
            let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
            let inner = reach_v4(inner);
            for outer in [
                [0, 0, 0, 0, 0, 0xFFFF, high, low],
                [0, 0, 0, 0, 0xFFFF, 0, high, low],
                [0x64, 0xFF9B, 0, 0, 0, 0, high, low],
                [0x2002, high, low, 0, 0, 0, 0, 1],
                [0x2A00, 0, 0, 0, 0, 0x5EFE, high, low],
            ] {
                let [a, b, c, d, e, f, g, h] = outer;
                prop_assert_eq!(reach_v6(Ipv6Addr::new(a, b, c, d, e, f, g, h)), inner);
            }
        }
    }
}
