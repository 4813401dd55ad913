//! X-addresses: an account and its destination tag in one mistake-proof text.
//!
//! They are for people. The ledger's own protocol knows only the classic form, so an X-address is
//! taken apart where it enters and never travels further.

use crate::address::{AccountId, BadAddress, base58check_decode, base58check_encode};
use crate::text::serde_as_text;
use std::fmt;
use std::str::FromStr;

/// Which networks an X-address is meant for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum XNetwork {
    /// The main network; the text begins with `X`.
    Main,
    /// Any test network; the text begins with `T`.
    Test,
}

impl XNetwork {
    /// The kind that the network with this identifier is of: 0 is the main one.
    #[must_use]
    pub const fn of(network_id: u32) -> Self {
        match network_id {
            0 => Self::Main,
            _ => Self::Test,
        }
    }
}

/// An account, perhaps a tag, and the kind of network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct XAddress {
    /// The account.
    pub account: AccountId,
    /// The tag; zero is a tag, and `None` says that the recipient wants none.
    pub tag: Option<u32>,
    /// The networks it may be used on.
    pub network: XNetwork,
}

const PREFIX_MAIN: [u8; 2] = [0x05, 0x44];
const PREFIX_TEST: [u8; 2] = [0x04, 0x93];
const PAYLOAD_LEN: usize = 31;

impl fmt::Display for XAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut payload = [0_u8; PAYLOAD_LEN];
        payload[..2].copy_from_slice(match self.network {
            XNetwork::Main => &PREFIX_MAIN,
            XNetwork::Test => &PREFIX_TEST,
        });
        payload[2..22].copy_from_slice(&self.account.0);
        if let Some(tag) = self.tag {
            payload[22] = 1;
            payload[23..27].copy_from_slice(&tag.to_le_bytes());
        }
        f.write_str(&base58check_encode(&payload))
    }
}

impl FromStr for XAddress {
    type Err = BadAddress;
    fn from_str(text: &str) -> Result<Self, BadAddress> {
        let payload: [u8; PAYLOAD_LEN] = base58check_decode(text)?
            .try_into()
            .map_err(|_| BadAddress::NotAnAccount)?;
        let [p0, p1, body @ ..] = payload;
        let network = match [p0, p1] {
            PREFIX_MAIN => XNetwork::Main,
            PREFIX_TEST => XNetwork::Test,
            _ => return Err(BadAddress::NotAnAccount),
        };
        let mut id = [0; 20];
        id.copy_from_slice(&body[..20]);
        let tag = match body[20..] {
            [0, 0, 0, 0, 0, 0, 0, 0, 0] => None,
            [1, a, b, c, d, 0, 0, 0, 0] => Some(u32::from_le_bytes([a, b, c, d])),
            _ => return Err(BadAddress::NotAnAccount),
        };
        Ok(Self {
            account: AccountId(id),
            tag,
            network,
        })
    }
}

serde_as_text!(XAddress);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn tag_zero_and_no_tag_are_two_addresses() {
        let with_zero: XAddress = "XVsDGoTLWkAKoJgBfyGiCsrXdQNTs6ujjc2d6Faj7Bm2NWZ"
            .parse()
            .unwrap();
        assert_eq!(with_zero.tag, Some(0));
        assert_eq!(with_zero.network, XNetwork::Main);
        let without = XAddress {
            tag: None,
            ..with_zero
        };
        assert_ne!(without.to_string(), with_zero.to_string());
        assert_eq!(without.to_string().parse(), Ok(without));
    }

    proptest! {
        #[test]
        fn an_x_address_survives_its_text_form(id: [u8; 20], tag: Option<u32>, main: bool) {
            let network = if main { XNetwork::Main } else { XNetwork::Test };
            let address = XAddress { account: AccountId(id), tag, network };
            let text = address.to_string();
            prop_assert_eq!(text.parse::<XAddress>(), Ok(address));
            prop_assert_eq!(text.starts_with(if main { 'X' } else { 'T' }), true);
            prop_assert_eq!(text.parse::<AccountId>(), Err(BadAddress::NotAnAccount));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text: String) {
            let _ = text.parse::<XAddress>();
        }
    }
}
