//! Currency codes of issued tokens, and the display that cannot be made to lie.
//!
//! A code is 20 bytes on the ledger. The familiar three letters are only one layout of them, and
//! many other byte strings contain the same three letters in the same place. A code is therefore
//! shown as three letters exactly when every other byte is zero, and as 40 hex digits otherwise.

use crate::text::serde_as_text;
use std::fmt;
use std::str::FromStr;

/// The 20 bytes of a token's currency code. Never XRP: XRP is not a token.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 20]);

/// Why a text is not a currency code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadCurrency {
    /// Neither three permitted characters nor 40 hex digits.
    #[error("must be three characters such as \"USD\", or 40 hex digits")]
    NotACode,
    /// `XRP`, which no token may be called.
    #[error("XRP is not a token; leave out currency and issuer")]
    Xrp,
    /// Hex whose first byte is zero is reserved for three-letter codes and cannot be named in hex.
    #[error("hex codes must not begin with 00; write the three letters instead")]
    ReservedHex,
}

/// RLUSD as the ledger writes it, which people call by its five letters.
pub const RLUSD: &str = "524C555344000000000000000000000000000000";

const LETTERS_AT: usize = 12;
const SYMBOLS: &[u8] = b"?!@#$%^&*<>(){}[]|";

const fn is_zero(bytes: &[u8; 20]) -> bool {
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] != 0 {
            return false;
        }
        at += 1;
    }
    true
}

impl Currency {
    /// The code with exactly these bytes, or `None` for the twenty zeros that mean XRP.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 20]) -> Option<Self> {
        if is_zero(&bytes) {
            None
        } else {
            Some(Self(bytes))
        }
    }

    /// The bytes as the ledger holds them.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; 20] {
        &self.0
    }

    /// Reads any code that the ledger itself may print, including codes nobody should be asked to
    /// pay in, so that foreign transactions can be read and written back without a loss.
    ///
    /// # Errors
    /// Says why the text is not a code. `XRP` is refused here too.
    pub fn from_ledger_text(text: &str) -> Result<Self, BadCurrency> {
        match text.as_bytes() {
            b"XRP" => Err(BadCurrency::Xrp),
            [a, b, c] if [a, b, c].iter().all(|&&l| is_letter(l)) => {
                let mut bytes = [0; 20];
                bytes[LETTERS_AT..LETTERS_AT + 3].copy_from_slice(&[*a, *b, *c]);
                Ok(Self(bytes))
            }
            digits if digits.len() == 40 => {
                let mut bytes = [0; 20];
                crate::token::read_hex(text, &mut bytes).ok_or(BadCurrency::NotACode)?;
                Self::from_bytes(bytes).ok_or(BadCurrency::Xrp)
            }
            _ => Err(BadCurrency::NotACode),
        }
    }

    fn letters(&self) -> Option<&str> {
        let letters = &self.0[LETTERS_AT..LETTERS_AT + 3];
        let elsewhere = self.0[..LETTERS_AT].iter().chain(&self.0[LETTERS_AT + 3..]);
        let plain = elsewhere.into_iter().all(|&b| b == 0)
            && letters.iter().all(|&l| is_letter(l))
            && letters != b"XRP";
        if plain {
            std::str::from_utf8(letters).ok()
        } else {
            None
        }
    }
}

const fn is_letter(c: u8) -> bool {
    if c.is_ascii_alphanumeric() {
        return true;
    }
    let mut at = 0;
    while at < SYMBOLS.len() {
        if SYMBOLS[at] == c {
            return true;
        }
        at += 1;
    }
    false
}

impl FromStr for Currency {
    type Err = BadCurrency;
    /// Reads a code as a person may name it: three characters, or hex that does not pose as them.
    fn from_str(text: &str) -> Result<Self, BadCurrency> {
        let code = Self::from_ledger_text(text)?;
        if text.len() == 40 && code.0[0] == 0 {
            return Err(BadCurrency::ReservedHex);
        }
        Ok(code)
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.letters() {
            Some(letters) => f.write_str(letters),
            None => self.0.iter().try_for_each(|byte| write!(f, "{byte:02X}")),
        }
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

serde_as_text!(Currency);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_code_that_only_looks_like_three_letters_is_shown_in_hex() {
        let usd: Currency = "USD".parse().unwrap();
        assert_eq!(usd.to_string(), "USD");
        for spoof in [
            "0158415500000000000000005553440000000001",
            "0000000000000000000000005553440000000001",
            "0000000000000000000100005553440000000000",
            "0000000000000000000000005852500000000000",
        ] {
            let code = Currency::from_ledger_text(spoof).unwrap();
            assert_eq!(code.to_string(), spoof);
            assert_ne!(code, usd);
        }
    }

    #[test]
    fn a_person_cannot_name_a_reserved_code() {
        let hex = "0000000000000000000000005553440000000000";
        assert_eq!(hex.parse::<Currency>(), Err(BadCurrency::ReservedHex));
        assert_eq!("XRP".parse::<Currency>(), Err(BadCurrency::Xrp));
        assert_eq!("0".repeat(40).parse::<Currency>(), Err(BadCurrency::Xrp));
        for text in ["", "US", "USDT", "U D", "€", "abé", &"Z".repeat(40)] {
            assert_eq!(text.parse::<Currency>(), Err(BadCurrency::NotACode));
        }
        assert!(
            "524c555344000000000000000000000000000000"
                .parse::<Currency>()
                .is_ok()
        );
    }

    proptest! {
        #[test]
        fn a_code_survives_its_text_form(bytes: [u8; 20]) {
            if let Some(code) = Currency::from_bytes(bytes) {
                prop_assert_eq!(Currency::from_ledger_text(&code.to_string()), Ok(code));
            }
        }

        #[test]
        fn no_text_makes_the_parser_panic(text: String) {
            let _ = text.parse::<Currency>();
        }
    }
}
