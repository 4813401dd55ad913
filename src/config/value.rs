//! How one value is read: strict, exact, and without ever quoting what might be a secret.
//!
//! Values are read one by one rather than by a derived `Deserialize` of the whole, for that stops at
//! the first error and quotes the offending text.

use super::schema::{KeyAlgorithm, LogFormat, LogLevel, Pooler};
use super::secrets::SecretRef;
use crate::cidr;
use base64::Engine as _;
use figment::value::Value;
use ipnet::IpNet;
use std::net::SocketAddr;
use std::time::Duration;
use xrpayd_core::address::AccountId;
use xrpayd_core::amount::Asset;
use xrpayd_core::currency::RLUSD;
use xrpayd_core::money::Drops;
use xrpayd_core::rollout::Ratio;

/// A type that a setting can have.
pub(super) trait FromValue: Sized {
    /// Reads the value.
    ///
    /// # Errors
    /// A phrase that follows the setting's name: "must be …".
    fn from_value(value: &Value) -> Result<Self, String>;
}

pub(super) fn text<'a>(value: &'a Value, what: &str) -> Result<&'a str, String> {
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

/// Networks and addresses, each by its text.
impl FromValue for Vec<IpNet> {
    fn from_value(value: &Value) -> Result<Self, String> {
        let network = |text: &String| cidr::network(text).map_err(|bad| format!("each {bad}"));
        let texts = Vec::<String>::from_value(value)?;
        texts.iter().map(network).collect()
    }
}

/// Assets, each by its text.
impl FromValue for Vec<Asset> {
    fn from_value(value: &Value) -> Result<Self, String> {
        let asset = |text: &String| {
            let text = match text.strip_prefix("RLUSD.") {
                Some(issuer) => format!("{RLUSD}.{issuer}"),
                None => text.clone(),
            };
            text.parse::<Asset>().map_err(|bad| format!("each {bad}"))
        };
        Vec::<String>::from_value(value)?
            .iter()
            .map(asset)
            .collect()
    }
}

/// The SHA-256 of a key that a server may show.
impl FromValue for Vec<[u8; 32]> {
    fn from_value(value: &Value) -> Result<Self, String> {
        let bad = || "must be SHA-256s, each as 64 hexadecimal digits or in base64".to_owned();
        let pin = |text: &String| {
            let bytes = hex::decode(text).ok().or_else(|| {
                let base64 = base64::engine::general_purpose::STANDARD;
                base64.decode(text).ok()
            });
            bytes
                .and_then(|bytes| bytes.try_into().ok())
                .ok_or_else(bad)
        };
        Vec::<String>::from_value(value)?.iter().map(pin).collect()
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

impl FromValue for Vec<Duration> {
    fn from_value(value: &Value) -> Result<Self, String> {
        let texts = Vec::<String>::from_value(value)
            .map_err(|_| "must be a list of durations such as [\"5s\", \"2m\"]".to_owned())?;
        texts.iter().map(|text| duration(text)).collect()
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
choice!(Pooler);

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

    proptest! {
        #[test]
        fn no_text_makes_a_reader_panic(text: String) {
            let _ = duration(&text);
            let _ = read::<Ratio>(text);
        }

        #[test]
        fn a_duration_survives_its_text(ms in 0_u64..DURATION_MS_MAX) {
            let value = Duration::from_millis(ms);
            prop_assert_eq!(duration(&duration_text(value)), Ok(value));
        }
    }
}
