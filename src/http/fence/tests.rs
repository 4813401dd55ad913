//! Failures are slowed, nobody else is, and a flood of a million addresses changes neither.

use super::*;
use crate::clock::ManualClock;
use std::net::{Ipv4Addr, Ipv6Addr};
use xrpayd_core::ids::UnixMs;

const TEN: NonZeroU32 = NonZeroU32::new(10).unwrap();

fn fence() -> (Arc<ManualClock>, Fence) {
    let clock = Arc::new(ManualClock::new(UnixMs(0)));
    clock.advance(Duration::from_secs(5));
    let fence = Fence::new(Arc::clone(&clock) as Arc<dyn Clock>, TEN);
    (clock, fence)
}

fn v4(n: u32) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + n))
}

#[test]
fn an_address_that_fails_too_often_waits_for_its_next_token_and_no_longer() {
    let (clock, fence) = fence();
    for _ in 0..10 {
        fence.admit(v4(1), None, TEN).unwrap();
        fence.failed(v4(1), None, TEN).unwrap();
    }
    let wait = fence.admit(v4(1), None, TEN).unwrap_err();
    assert_eq!((wait.limit, wait.wait_ms), (10, 6_000));
    assert!(fence.failed(v4(1), None, TEN).is_err());
    fence.admit(v4(2), None, TEN).unwrap();
    clock.advance(Duration::from_millis(wait.wait_ms - 1));
    assert!(fence.admit(v4(1), None, TEN).is_err());
    clock.advance(Duration::from_millis(1));
    fence.admit(v4(1), None, TEN).unwrap();
    // Looking costs nothing.
    fence.admit(v4(1), None, TEN).unwrap();
    fence.failed(v4(1), None, TEN).unwrap();
    assert!(fence.admit(v4(1), None, TEN).is_err());
}

#[test]
fn a_key_that_was_right_passes_by_the_failures_of_its_neighbours_for_an_hour() {
    let (clock, fence) = fence();
    fence.proved("good");
    while fence.failed(v4(1), Some("guess"), TEN).is_ok() {}
    assert!(fence.admit(v4(1), None, TEN).is_err());
    assert!(fence.admit(v4(1), Some("cold"), TEN).is_err());
    fence.admit(v4(1), Some("good"), TEN).unwrap();
    clock.advance(PROVEN_FOR);
    while fence.failed(v4(1), Some("guess"), TEN).is_ok() {}
    assert!(fence.admit(v4(1), Some("good"), TEN).is_err());
}

#[test]
fn wrong_secrets_of_one_key_are_counted_wherever_they_come_from_and_never_lock_it() {
    let (_, fence) = fence();
    for n in 0..10 {
        fence.failed(v4(n), Some("known"), TEN).unwrap();
    }
    assert!(fence.failed(v4(11), Some("known"), TEN).is_err());
    assert!(fence.failed(v4(12), Some("other"), TEN).is_ok());
    fence.admit(v4(13), Some("known"), TEN).unwrap();
}

#[test]
fn one_network_of_ipv6_is_one_caller_and_loopback_is_somebody() {
    let (_, fence) = fence();
    let host =
        |network: u16, n: u16| IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, network, 0, 0, 0, n));
    for n in 0..10 {
        fence.failed(host(1, n), None, TEN).unwrap();
    }
    assert!(fence.admit(host(1, 99), None, TEN).is_err());
    fence.admit(host(2, 0), None, TEN).unwrap();
    let loopback = IpAddr::V6(Ipv6Addr::LOCALHOST);
    while fence.failed(loopback, None, TEN).is_ok() {}
    assert!(fence.admit(loopback, None, TEN).is_err());
    fence.admit(v4(1), None, TEN).unwrap();
}

#[test]
fn another_number_is_in_force_at_once() {
    let (_, fence) = fence();
    while fence.failed(v4(1), None, TEN).is_ok() {}
    let more = NonZeroU32::new(20).unwrap();
    for _ in 0..20 {
        fence.failed(v4(1), None, more).unwrap();
    }
    assert_eq!(fence.admit(v4(1), None, more).unwrap_err().limit, 20);
}

#[test]
fn a_million_callers_take_no_more_memory_than_one_and_push_nobody_out_to_his_advantage() {
    let (clock, fence) = fence();
    let culprit = v4(0xff_ffff);
    while fence.failed(culprit, None, TEN).is_ok() {}
    let before = fence.admit(culprit, None, TEN).unwrap_err();
    let fixed = Slots::with_room_for(ADDRESSES);
    assert_eq!(
        fixed.bytes() / ADDRESSES,
        17,
        "bytes for each address that is told apart"
    );
    let resident = resident_bytes();
    for n in 0..1_000_000 {
        // A flood that is too much for the slots is refused in part, for want of a better word.
        let _ = fence.failed(v4(n), None, TEN);
    }
    let grown = resident_bytes().saturating_sub(resident);
    // Other tests of this process take memory meanwhile; a record for each caller would take more.
    assert!(grown < 64 << 20, "a million callers took {grown} bytes");
    let after = fence.admit(culprit, None, TEN).unwrap_err();
    assert!(
        after.wait_ms >= before.wait_ms,
        "{after:?} after {before:?}"
    );
    // What the flood cost the others is over with its last token.
    clock.advance(Duration::from_secs(60));
    for n in 2_000_000..2_001_000 {
        fence.admit(v4(n), None, TEN).unwrap();
    }
    fence.admit(culprit, None, TEN).unwrap();
}

/// What of this process is in memory now.
fn resident_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    let kilobytes = line.split_whitespace().nth(1).unwrap();
    kilobytes.parse::<usize>().unwrap() * 1024
}
