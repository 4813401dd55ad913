//! Any bytes: decoding never panics, and what it accepts is written back byte for byte.
#![no_main]

use libfuzzer_sys::fuzz_target;
use xrpayd_codec::{check_signature, decode, encode};

fuzz_target!(|blob: &[u8]| {
    let _ = check_signature(blob);
    if let Ok(tx) = decode(blob) {
        assert_eq!(encode(&tx).as_deref(), Ok(blob));
    }
});
