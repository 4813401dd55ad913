//! Root hashes of the ledger's trees of transactions.
//!
//! The hash of a transaction *set* seeds the order in which a ledger applies it, so the model orders
//! transactions exactly as rippled does. Owns nothing.

use xrpayd_codec::sha512_half;

/// One leaf: its key and the hash of its node.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Leaf {
    pub(crate) key: [u8; 32],
    pub(crate) hash: [u8; 32],
}

/// The root of the tree that holds `leaves`; sorts them by key. An empty tree hashes to zero.
pub(crate) fn root(leaves: &mut [Leaf]) -> [u8; 32] {
    leaves.sort_unstable_by_key(|leaf| leaf.key);
    if leaves.is_empty() {
        [0; 32]
    } else {
        inner(leaves, 0)
    }
}

fn nibble(key: &[u8; 32], depth: usize) -> usize {
    let byte = key[depth / 2];
    usize::from(if depth.is_multiple_of(2) {
        byte >> 4
    } else {
        byte & 15
    })
}

fn inner(leaves: &[Leaf], depth: usize) -> [u8; 32] {
    let mut bytes = [0_u8; 4 + 16 * 32];
    bytes[..4].copy_from_slice(b"MIN\0");
    let mut rest = leaves;
    while let Some(first) = rest.first() {
        let branch = nibble(&first.key, depth);
        let count = rest
            .iter()
            .take_while(|leaf| nibble(&leaf.key, depth) == branch)
            .count();
        let (group, after) = rest.split_at(count);
        let hash = if count == 1 {
            first.hash
        } else {
            inner(group, depth + 1)
        };
        bytes[4 + branch * 32..][..32].copy_from_slice(&hash);
        rest = after;
    }
    sha512_half(&[&bytes])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes32(hex_text: &str) -> [u8; 32] {
        hex::decode(hex_text).unwrap().try_into().unwrap()
    }

    /// Ledger 4 of the recorded server holds one transaction.
    #[test]
    fn the_tree_of_a_recorded_ledger_has_the_recorded_hash() {
        let blob = hex::decode("12000022000000002400000001201B0000001861400000001DCD650068400000000000000A73210330E7FC9D56BB25D6893BA3F317AE5BCF33B3291BD63DB32654A313222F7FD02074463044022075824C0B0C3DFEAA7949D3229F7F40384FE0921D5031FF0DF1C6AF6E0B86D97202207001204F4A713CF074652226A7773663AF4EFB7427067650E61EF33AAE20AAC28114B5F762798A53D543A014CAF8B297CFF8F2F937E8831446991E4F24F4407D02284A52C321EE53106A5C02").unwrap();
        let meta = hex::decode("201C00000000F8E5110061562B6AC232AA4C4BE41BF49D2459FA4A0347E1B543A4C92FCEE0821C0201E2E9A8E6240000000162416345785D8A0000E1E7220000000024000000022D0000000062416345783FBC9AF68114B5F762798A53D543A014CAF8B297CFF8F2F937E8E1E1E311006156A35CE913258524FD692722A2A901DD2F1B7CA15BB8B4271F622823C91E5E7A70E8240000000462400000001DCD6500811446991E4F24F4407D02284A52C321EE53106A5C02E1E1F1031000").unwrap();
        let leaf = super::super::chain::transaction_leaf(
            xrpayd_codec::transaction_hash(&blob),
            &blob,
            &meta,
        );
        let recorded = "506108E8DB943A92CA9EF5F412428E54ECFC5B9394E31EABED2E096667082B75";
        assert_eq!(root(&mut [leaf]), bytes32(recorded));
    }
}
