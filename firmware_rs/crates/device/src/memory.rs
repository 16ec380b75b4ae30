//! How a device divides the memory it is given.

use core::fmt;

use minerva_wire::media::{FRAME_SAMPLES, HEADER, MAX_MEDIA};

use crate::settings::MIN_RING;
use crate::websocket::{MAX_TEXT, ROOM};

/// 5.9 s of ADPCM, and what a chip without PSRAM can spare.
pub const STOCK_RING: usize = 49_152;
/// A packet beside a stock ring: 3 frames of PCM, or 10 of ADPCM.
const STOCK_PACKET: usize = HEADER + 3 * FRAME_SAMPLES * 2;
/// 480 ms of PCM; a sixth of a stock ring is that of ADPCM, or half of it in PCM.
const MAX_PRE_ROLL: usize = 16_384;
/// The longest text that a device sends is a hello, of some 1,100 bytes, and the longest request about 700.
const LEAST_OUT: usize = 2048;

/// The memory given is smaller than that of the smallest ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLittleMemory {
    /// Bytes given.
    pub given: usize,
    /// Bytes needed at least.
    pub least: usize,
}

impl fmt::Display for TooLittleMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { given, least } = self;
        write!(
            f,
            "{given} bytes of memory for ring and buffers; at least {least} are needed"
        )
    }
}

impl core::error::Error for TooLittleMemory {}

const fn most(a: usize, b: usize) -> usize {
    if a > b { a } else { b }
}

const fn least(a: usize, b: usize) -> usize {
    if a < b { a } else { b }
}

/// Bytes of each part but the ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sizes {
    message: usize,
    out: usize,
    payload: usize,
    pre_roll: usize,
}

impl Sizes {
    /// With packets of up to `packet` bytes; a share of `ring` for the pre-roll.
    const fn of(packet: usize, ring_share: usize) -> Self {
        Self {
            message: MAX_TEXT,
            out: most(packet, LEAST_OUT).saturating_add(ROOM),
            payload: packet.saturating_sub(HEADER),
            pre_roll: least(
                MAX_PRE_ROLL,
                most(ring_share, packet.saturating_mul(2).saturating_add(8)),
            ),
        }
    }

    const fn sum(self) -> usize {
        self.message
            .saturating_add(self.out)
            .saturating_add(self.payload)
            .saturating_add(self.pre_roll)
    }
}

/// Bytes of memory for a device whose ring has `ring_bytes`.
#[must_use]
pub const fn memory_bytes(ring_bytes: usize) -> usize {
    let packet = if ring_bytes <= STOCK_RING {
        STOCK_PACKET
    } else {
        MAX_MEDIA
    };
    ring_bytes.saturating_add(Sizes::of(packet, ring_bytes.div_ceil(6)).sum())
}

/// The parts.
#[derive(Debug)]
pub(crate) struct Memory<'a> {
    /// What came of a message.
    pub message: &'a mut [u8],
    /// A frame on its way.
    pub out: &'a mut [u8],
    /// Of the packet in the making.
    pub payload: &'a mut [u8],
    /// Packets that wait for the gate.
    pub pre_roll: &'a mut [u8],
    /// All that is left.
    pub ring: &'a mut [u8],
}

impl<'a> Memory<'a> {
    /// Divide `memory`: of `memory_bytes(n)` the ring gets at least `n`.
    ///
    /// # Errors
    ///
    /// When it is too small for a ring of [`MIN_RING`].
    pub fn divide(memory: &'a mut [u8]) -> Result<Self, TooLittleMemory> {
        let given = memory.len();
        let least = memory_bytes(usize::try_from(MIN_RING).unwrap_or(usize::MAX));
        let too_little = TooLittleMemory { given, least };
        if given < least {
            return Err(too_little);
        }
        let packet = if given < memory_bytes(STOCK_RING + 1) {
            STOCK_PACKET
        } else {
            MAX_MEDIA
        };
        let fixed = Sizes::of(packet, 0);
        let rest = given
            .saturating_sub(fixed.sum())
            .saturating_add(fixed.pre_roll);
        let sizes = Sizes::of(packet, rest / 7);
        let split = |rest: &'a mut [u8], size| rest.split_at_mut_checked(size).ok_or(too_little);
        let (message, rest) = split(memory, sizes.message)?;
        let (out, rest) = split(rest, sizes.out)?;
        let (payload, rest) = split(rest, sizes.payload)?;
        let (pre_roll, ring) = split(rest, sizes.pre_roll)?;
        Ok(Self {
            message,
            out,
            payload,
            pre_roll,
            ring,
        })
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec;

    #[test]
    fn a_ring_has_at_least_what_was_asked_for() {
        for ring in [
            8192,
            8193,
            20_000,
            STOCK_RING,
            STOCK_RING + 1,
            65_536,
            98_304,
            1 << 20,
        ] {
            let mut memory = vec![0; memory_bytes(ring)];
            let parts = Memory::divide(&mut memory).unwrap();
            assert!(parts.ring.len() >= ring, "{ring}: {}", parts.ring.len());
            let packet = parts.payload.len() + HEADER;
            assert!(parts.out.len() >= ROOM + packet && parts.pre_roll.len() > 2 * packet);
            assert_eq!(
                packet,
                if ring <= STOCK_RING {
                    STOCK_PACKET
                } else {
                    MAX_MEDIA
                }
            );
        }
    }

    #[test]
    fn too_little_is_refused() {
        let least = memory_bytes(8192);
        assert!(Memory::divide(&mut vec![0; least]).is_ok());
        let error = Memory::divide(&mut vec![0; least - 1]).unwrap_err();
        assert_eq!((error.given, error.least), (least - 1, least));
    }
}
