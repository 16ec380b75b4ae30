//! What the program plays, made by `material/make.py`.

/// Two seconds of 16-bit mono at 16 kHz, little-endian: silence, speech, hiss, tones, a clipped wave, a click.
const CLIP: &[u8] = include_bytes!("../material/clip.s16");
/// The protocol's vectors: `side` u8, size u16, bytes, code's length u8, code; see [`vectors`].
const VECTORS: &[u8] = include_bytes!("../material/vectors.bin");

/// Bytes of material in the image.
pub const BYTES: usize = CLIP.len() + VECTORS.len();

/// Copy the `into.len()` samples from `at` on; false when the clip ends before.
pub fn samples(at: usize, into: &mut [i16]) -> bool {
    let Some(bytes) = CLIP.get(at * 2..(at + into.len()) * 2) else {
        return false;
    };
    for (sample, pair) in into.iter_mut().zip(bytes.as_chunks::<2>().0) {
        *sample = i16::from_le_bytes(*pair);
    }
    true
}

/// One of the protocol's vectors.
pub struct Vector {
    /// `m` a media packet, `h` a text from the hub, `d` a text from a device.
    pub side: u8,
    /// What is sent.
    pub bytes: &'static [u8],
    /// The code it is refused with; empty when it is taken.
    pub refused: &'static [u8],
}

/// The vectors, in order.
pub fn vectors() -> impl Iterator<Item = Vector> {
    let mut rest = VECTORS;
    core::iter::from_fn(move || {
        let (&[side, low, high], after) = rest.split_first_chunk()?;
        let (bytes, after) =
            after.split_at_checked(usize::from(u16::from_le_bytes([low, high])))?;
        let (&length, after) = after.split_first()?;
        let (refused, after) = after.split_at_checked(usize::from(length))?;
        rest = after;
        Some(Vector {
            side,
            bytes,
            refused,
        })
    })
}
