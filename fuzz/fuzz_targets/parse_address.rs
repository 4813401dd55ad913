//! Any text: addresses, seeds, keys and identifiers read it or refuse it, and print what they read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use xrpayd_codec::{Keypair, PublicKey};
use xrpayd_core::address::AccountId;
use xrpayd_core::ids::{PaymentId, TxHash};
use xrpayd_core::xaddress::XAddress;

fuzz_target!(|text: &str| {
    if let Ok(account) = text.parse::<AccountId>() {
        assert_eq!(account.to_string(), text);
    }
    if let Ok(address) = text.parse::<XAddress>() {
        assert_eq!(address.to_string(), text);
    }
    if let Ok(key) = text.parse::<PublicKey>() {
        assert!(key.to_string().eq_ignore_ascii_case(text));
    }
    let _ = Keypair::from_seed(text);
    let _ = text.parse::<TxHash>();
    let _ = text.parse::<PaymentId>();
});
