//! Which servers hold play money: the public test networks by name. The network identifier that a
//! server reports is checked again when it is connected to.

/// Hosts, each with all that stands below it, that serve nothing but test networks.
const TEST_HOSTS: &[&str] = &[
    // Ripple's: s.altnet, s.devnet, faucets, clio, hooks and side chain networks.
    "rippletest.net",
    // XRPL Labs: the test network, its hooks, and Xahau's test network.
    "testnet.xrpl-labs.com",
    "xahau-test.net",
    "hooks-testnet-v3.xrpl-labs.com",
];

/// Words that mark a test network when they are a whole part of any label of the host, as in
/// `xrp-testnet.example.com` or `s.devnet.example.com`.
const TEST_WORDS: &[&str] = &["testnet", "altnet", "devnet", "rippletest", "hooktest"];

/// Identifiers of public test networks: Testnet, Devnet, and Xahau's test network.
const TEST_NETWORK_IDS: &[u32] = &[1, 2, 21_338];

/// Whether a host, in lower case, belongs to a test network.
pub(super) fn is_test_host(host: &str) -> bool {
    let below = |known: &&str| {
        host.strip_suffix(*known)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    TEST_HOSTS.iter().any(below)
        || host
            .split(['.', '-', '_'])
            .any(|word| TEST_WORDS.contains(&word.trim_end_matches(|c: char| c.is_ascii_digit())))
}

/// Whether an identifier is that of a public test network.
pub(super) fn is_test_network(id: u32) -> bool {
    TEST_NETWORK_IDS.contains(&id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_public_test_networks_are_known_and_the_main_one_is_not_among_them() {
        for host in [
            "s.altnet.rippletest.net",
            "s.devnet.rippletest.net",
            "clio.altnet.rippletest.net",
            "testnet.xrpl-labs.com",
            "xahau-test.net",
            "xrp-testnet.example.com",
            "devnet2.example.com",
        ] {
            assert!(is_test_host(host), "{host}");
        }
        for host in [
            "s1.ripple.com",
            "s2.ripple.com",
            "xrplcluster.com",
            "xrpl.ws",
            "rippletestify.example",
            "contestnetwork.example",
            "127.0.0.1",
        ] {
            assert!(!is_test_host(host), "{host}");
        }
        assert!(is_test_network(1) && is_test_network(2) && !is_test_network(0));
    }
}
