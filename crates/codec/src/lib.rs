//! The XRP Ledger's binary codec, keys and signing: strict, and panic-free on any bytes.
//!
//! Transactions travel between two forms. The JSON form is the one ledger servers print; the
//! binary form is the one that is signed and hashed. [`encode`] and [`decode`] translate without
//! ever guessing: an unknown field, a value that would have to be rounded, a list out of order or
//! a byte too many is an error. `encode(decode(blob))` is always `blob`.
//!
//! Nothing here does I/O, reads a clock or draws entropy. Secrets live in [`Keypair`] alone, are
//! wiped when it is dropped, and are never printed.

mod account;
mod amount;
mod check;
mod decode;
mod encode;
mod error;
mod field;
mod hash;
pub mod keys;
mod number;
mod paths;
mod payment;
mod public_key;
mod reader;
pub mod sign;
mod table;
pub mod transaction;
pub mod tree;
mod xform;

pub use amount::Amount;
pub use check::{BadSignature, SignedBy, check_signature};
pub use decode::{decode, decode_object};
pub use encode::{encode, multisigning_bytes, signing_bytes};
pub use error::{CodecError, Problem};
pub use hash::{PREFIX_MULTISIGN, PREFIX_SIGN, PREFIX_TRANSACTION, sha512_half, transaction_hash};
pub use keys::{Algorithm, BadKey, BadSeed, Keypair, PublicKey, encode_seed};
pub use paths::{Path, PathStep};
pub use sign::{Signed, combine, multisign_one, sign};
pub use xform::with_classic_addresses;
