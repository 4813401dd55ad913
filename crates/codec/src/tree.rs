//! The tree of a ledger's transactions, whose root stands in the ledger's header: with all of a
//! ledger's transactions at hand anyone can prove what it holds, and what it does not.

use crate::hash::sha512_half;
use crate::reader::put_prefixed;
use xrpayd_core::ids::TxHash;

/// One leaf: its key and the hash of its node.
#[derive(Debug, Clone, Copy)]
pub struct Leaf {
    /// The transaction's hash, or whatever names the leaf.
    pub key: [u8; 32],
    /// The hash of what the leaf holds.
    pub hash: [u8; 32],
}

/// The leaf of a validated transaction with its metadata; `None` where one is longer than any is.
#[must_use]
pub fn transaction_leaf(hash: TxHash, blob: &[u8], meta: &[u8]) -> Option<Leaf> {
    let mut bytes = Vec::with_capacity(blob.len() + meta.len() + 6);
    for part in [blob, meta] {
        put_prefixed(part, &mut bytes).ok()?;
    }
    Some(Leaf {
        key: hash.0,
        hash: sha512_half(&[b"SND\0", &bytes, &hash.0]),
    })
}

/// The root of the tree that holds `leaves`; sorts them by key. An empty tree hashes to zero.
#[must_use]
pub fn root(leaves: &mut [Leaf]) -> [u8; 32] {
    leaves.sort_unstable_by_key(|leaf| leaf.key);
    if leaves.is_empty() {
        [0; 32]
    } else {
        inner(leaves, 0)
    }
}

/// A ledger's hash, over its serialised header.
#[must_use]
pub fn ledger_hash(header: &[u8]) -> [u8; 32] {
    sha512_half(&[b"LWR\0", header])
}

/// Where the root of the transactions stands in a serialised header: after the index, the amount of
/// XRP and the parent's hash.
const TRANSACTION_ROOT_AT: usize = 4 + 8 + 32;

/// The root of the transactions that a serialised header names.
#[must_use]
pub fn transaction_root(header: &[u8]) -> Option<[u8; 32]> {
    let bytes = header.get(TRANSACTION_ROOT_AT..)?.get(..32)?;
    bytes.try_into().ok()
}

/// The ledger's index that a serialised header names.
#[must_use]
pub fn header_index(header: &[u8]) -> Option<u32> {
    header
        .first_chunk::<4>()
        .map(|bytes| u32::from_be_bytes(*bytes))
}

fn nibble(key: &[u8; 32], depth: usize) -> usize {
    let byte = key[depth / 2];
    usize::from(if depth.is_multiple_of(2) {
        byte >> 4
    } else {
        byte & 15
    })
}

/// The deepest level of a tree over 256-bit keys.
const DEPTH_MAX: usize = 63;

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
        // Two leaves with one key are no tree; the first stands for both, and no root comes true.
        let hash = if count == 1 || depth == DEPTH_MAX {
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
        let hash = crate::transaction_hash(&blob);
        let leaf = transaction_leaf(hash, &blob, &meta).unwrap();
        let recorded = "506108E8DB943A92CA9EF5F412428E54ECFC5B9394E31EABED2E096667082B75";
        assert_eq!(root(&mut [leaf]), bytes32(recorded));
    }
}
