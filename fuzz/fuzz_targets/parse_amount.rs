//! Any text: amounts, values and currencies read it exactly or refuse it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use xrpayd_core::currency::Currency;
use xrpayd_core::money::Drops;
use xrpayd_core::mpt::{MptIssuanceId, MptValue};
use xrpayd_core::token::TokenValue;

fuzz_target!(|text: &str| {
    if let Ok(value) = text.parse::<TokenValue>() {
        assert_eq!(value.to_string().parse(), Ok(value));
        assert_eq!(value.to_plain().parse(), Ok(value));
        assert_eq!(TokenValue::from_bits(value.to_bits()), Some(value));
    }
    if let Ok(drops) = Drops::from_xrp(text) {
        assert_eq!(Drops::from_xrp(&drops.to_xrp()), Ok(drops));
    }
    if let Ok(code) = Currency::from_ledger_text(text) {
        assert_eq!(Currency::from_ledger_text(&code.to_string()), Ok(code));
    }
    let _ = text.parse::<MptValue>();
    let _ = text.parse::<MptIssuanceId>();
});
