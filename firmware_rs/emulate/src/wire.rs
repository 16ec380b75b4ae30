//! The protocol's vectors through the codec.

use minerva_wire::control::{self, MAX_TEXT, SCRATCH};
use minerva_wire::{WireError, media};

use crate::material::{self, Vector};
use crate::report::{self, Hash};

/// Every vector: whether it is taken or refused as it says, and a hash of what it was taken for.
pub fn run() {
    let mut hash = Hash::new();
    let (mut vectors, mut wrong) = (0, 0);
    for vector in material::vectors() {
        vectors += 1;
        wrong += usize::from(!replay(&vector, &mut hash));
    }
    hash.report("wire.hash");
    report::number("wire.vectors", vectors);
    report::number("wire.wrong", wrong);
}

fn replay(vector: &Vector, hash: &mut Hash) -> bool {
    let outcome = match vector.side {
        b'm' => packet(vector, hash),
        b'h' => from_hub(vector, hash),
        b'd' => from_device(vector, hash),
        _ => return false,
    };
    match outcome {
        Ok(same) => same && vector.refused.is_empty(),
        Err(error) => {
            hash.add(error.message.as_bytes());
            vector.refused == error.code.as_str().as_bytes()
        }
    }
}

/// Taken, and the same bytes when packed again.
fn packet(vector: &Vector, hash: &mut Hash) -> Result<bool, WireError> {
    let (header, payload) = media::decode(vector.bytes)?;
    let mut again = [0; media::MAX_MEDIA];
    let size = media::encode(&header, payload, &mut again)?;
    hash.add(&again[..size]);
    hash.add(&header.duration_ms().to_le_bytes());
    Ok(again[..size] == *vector.bytes)
}

/// Taken, and the same message when what it is written as is read again.
fn from_hub(vector: &Vector, hash: &mut Hash) -> Result<bool, WireError> {
    let (mut first, mut second, mut text) = (SCRATCH, SCRATCH, [0; MAX_TEXT]);
    let message = control::decode_from_hub(vector.bytes, &mut first)?;
    let size = control::encode_from_hub(&message, &mut text)?;
    hash.add(&text[..size]);
    Ok(control::decode_from_hub(&text[..size], &mut second)? == message)
}

/// As [`from_hub`].
fn from_device(vector: &Vector, hash: &mut Hash) -> Result<bool, WireError> {
    let (mut first, mut second, mut text) = (SCRATCH, SCRATCH, [0; MAX_TEXT]);
    let message = control::decode_from_device(vector.bytes, &mut first)?;
    let size = control::encode_from_device(&message, &mut text)?;
    hash.add(&text[..size]);
    Ok(control::decode_from_device(&text[..size], &mut second)? == message)
}
