//! Any JSON: encoding never panics, and what it writes decodes to JSON that encodes alike.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use xrpayd_codec::{decode, encode, with_classic_addresses};

fuzz_target!(|text: &[u8]| {
    let Ok(json) = serde_json::from_slice::<Value>(text) else {
        return;
    };
    let _ = with_classic_addresses(&json);
    if let Ok(blob) = encode(&json) {
        // A transaction above the size that servers take can be written but not read.
        if let Ok(printed) = decode(&blob) {
            assert_eq!(encode(&printed), Ok(blob));
        } else {
            assert!(blob.len() > 1024 * 1024);
        }
    }
});
