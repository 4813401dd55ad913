//! Networks as operators write them: `10.0.0.0/8`, or one address.
//!
//! Shared by the configuration and the command line, so that both read the same text alike. A network
//! of IPv4 addresses that was written in IPv6 is that of the IPv4 addresses, because addresses are
//! compared in that form.

use ipnet::{IpNet, Ipv4Net};
use std::net::{IpAddr, Ipv6Addr};

/// Bits of an IPv6 address before the IPv4 address that it holds.
const MAPPED_BITS: u8 = 96;

/// Reads a network, or one address.
///
/// # Errors
/// What it must be.
pub fn network(text: &str) -> Result<IpNet, String> {
    text.parse::<IpNet>()
        .map(|network| network.trunc())
        .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
        .map(canonical)
        .map_err(|_| "must be a network such as 10.0.0.0/8, or an address".to_owned())
}

/// Whether `address` is in one of `networks`; `::ffff:10.1.2.3` is `10.1.2.3`.
#[must_use]
pub fn holds(networks: &[IpNet], address: IpAddr) -> bool {
    let address = address.to_canonical();
    networks.iter().any(|network| network.contains(&address))
}

fn canonical(network: IpNet) -> IpNet {
    let IpNet::V6(mapped) = network else {
        return network;
    };
    let bits = mapped.prefix_len().checked_sub(MAPPED_BITS);
    let address = Ipv6Addr::to_ipv4_mapped(&mapped.addr());
    bits.zip(address)
        .and_then(|(bits, address)| Ipv4Net::new(address, bits).ok())
        .map_or(network, IpNet::V4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_read_strictly_and_in_one_form() {
        let read = |text: &str| network(text).unwrap().to_string();
        assert_eq!(read("10.1.2.3/8"), "10.0.0.0/8");
        assert_eq!(read("::1"), "::1/128");
        assert_eq!(read("::ffff:10.1.2.3/104"), "10.0.0.0/8");
        assert_eq!(read("::ffff:10.1.2.3"), "10.1.2.3/32");
        assert_eq!(read("::/0"), "::/0");
        for bad in [
            "",
            "10.0.0.0/33",
            "ten",
            "10.0.0.0/",
            "::1/129",
            " 10.0.0.1",
        ] {
            assert!(network(bad).is_err(), "{bad:?}");
        }
        let nets = [network("10.0.0.0/8").unwrap()];
        assert!(holds(&nets, "::ffff:10.9.9.9".parse().unwrap()));
        assert!(
            !holds(&nets, "11.0.0.1".parse().unwrap()) && !holds(&[], "10.0.0.1".parse().unwrap())
        );
    }
}
