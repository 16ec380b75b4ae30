//! Ed25519 over a SHA-256, and the ids of keys.

use ed25519_dalek::{Signature, VerifyingKey};
use sha2::{Digest, Sha256};

/// SHA-256 of something.
pub type Hash = [u8; 32];
/// The first bytes of a public key's SHA-256.
pub type KeyId = [u8; 8];

const DOMAIN: usize = 14;
/// Before the hash of a manifest.
pub const MANIFEST_DOMAIN: [u8; DOMAIN] = *b"minerva-ota-v1";
/// Before the hash of a key set.
pub const KEYSET_DOMAIN: [u8; DOMAIN] = *b"minerva-key-v1";

/// SHA-256 of `data`.
#[must_use]
pub fn sha256(data: &[u8]) -> Hash {
    Sha256::digest(data).into()
}

/// The id of a public key.
#[must_use]
pub fn key_id(public: &[u8; 32]) -> KeyId {
    let hash = sha256(public);
    hash.first_chunk().copied().unwrap_or_default()
}

/// What is signed of `data`: 46 bytes, so that its SHA-512 is one block.
#[must_use]
pub fn signed_text(domain: [u8; DOMAIN], data: &[u8]) -> [u8; 46] {
    let mut out = [0; 46];
    let (head, tail) = out.split_at_mut(DOMAIN);
    head.copy_from_slice(&domain);
    tail.copy_from_slice(&sha256(data));
    out
}

/// Whether `signature` is that of `message` by `public`, as strictly as docs/ota.md wants it.
#[must_use]
pub fn verify(public: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
    let Ok(key) = VerifyingKey::from_bytes(public) else {
        return false;
    };
    key.verify_strict(message, &Signature::from_bytes(signature))
        .is_ok()
}
