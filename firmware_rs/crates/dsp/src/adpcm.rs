//! IMA-ADPCM, four bits a sample, bit for bit as Python's `audioop` makes and reads it.
//!
//! The first sample of a pair is in the high nibble.

/// Where a coder stands: what it expects, and how wide its steps are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// The last sample as the other side hears it.
    pub predictor: i16,
    /// Which of the 89 step sizes is next; one above 88 is taken for 88.
    pub index: u8,
}

const LAST: u8 = 88;

const STEPS: [u16; LAST as usize + 1] = [
    7, 8, 9, 10, 11, 12, 13, 14, 16, 17, 19, 21, 23, 25, 28, 31, 34, 37, 41, 45, 50, 55, 60, 66,
    73, 80, 88, 97, 107, 118, 130, 143, 157, 173, 190, 209, 230, 253, 279, 307, 337, 371, 408, 449,
    494, 544, 598, 658, 724, 796, 876, 963, 1060, 1166, 1282, 1411, 1552, 1707, 1878, 2066, 2272,
    2499, 2749, 3024, 3327, 3660, 4026, 4428, 4871, 5358, 5894, 6484, 7132, 7845, 8630, 9493,
    10442, 11487, 12635, 13899, 15289, 16818, 18500, 20350, 22385, 24623, 27086, 29794, 32767,
];

/// Samples -> a byte for each pair, as many as `out` has room for; returns how many. An odd last sample is left out.
pub fn encode(state: &mut State, pcm: &[i16], out: &mut [u8]) -> usize {
    let mut written = 0;
    for (pair, byte) in pcm.chunks_exact(2).zip(out) {
        *byte = pair
            .iter()
            .fold(0, |byte, &sample| byte << 4 | state.encode(sample));
        written += 1;
    }
    written
}

/// Bytes -> two samples each, as many as `out` has room for; returns how many samples.
pub fn decode(state: &mut State, coded: &[u8], out: &mut [i16]) -> usize {
    let mut written = 0;
    for (&byte, pair) in coded.iter().zip(out.chunks_exact_mut(2)) {
        for (sample, code) in pair.iter_mut().zip([byte >> 4, byte & 15]) {
            *sample = state.decode(code);
        }
        written += 2;
    }
    written
}

impl State {
    fn step(self) -> i32 {
        STEPS
            .get(usize::from(self.index))
            .copied()
            .map_or(32767, i32::from)
    }

    fn encode(&mut self, sample: i16) -> u8 {
        let mut rest = i32::from(sample) - i32::from(self.predictor);
        let mut code = 0;
        if rest < 0 {
            code = 8;
            rest = -rest;
        }
        let mut step = self.step();
        for bit in [4, 2, 1] {
            if rest >= step {
                code |= bit;
                rest -= step;
            }
            step >>= 1;
        }
        self.decode(code);
        code
    }

    fn decode(&mut self, code: u8) -> i16 {
        let step = self.step();
        let mut change = step >> 3;
        for (bit, shift) in [(4, 0), (2, 1), (1, 2)] {
            if code & bit != 0 {
                change += step >> shift;
            }
        }
        let next = i32::from(self.predictor) + if code & 8 == 0 { change } else { -change };
        self.predictor = next.clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16;
        self.index = match code & 7 {
            small @ 4..=7 => self.index.saturating_add((small - 3) * 2).min(LAST),
            _ => self.index.min(LAST).saturating_sub(1),
        };
        self.predictor
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From `audioop.lin2adpcm(struct.pack("<8h", ...), 2, None)`.
    #[test]
    fn eight_samples_by_audioop() {
        let mut state = State::default();
        let mut out = [0; 4];
        assert_eq!(
            encode(
                &mut state,
                &[0, 100, -100, 1000, -1000, 32767, -32768, 5],
                &mut out
            ),
            4
        );
        assert_eq!(out, AUDIOOP);
        let mut back = [0; 8];
        let mut other = State::default();
        assert_eq!(decode(&mut other, &out, &mut back), 8);
        assert_eq!(state, other);
        assert_eq!(back, DECODED);
    }

    const AUDIOOP: [u8; 4] = [7, 247, 247, 242];
    const DECODED: [i16; 8] = [0, 11, -19, 44, -92, 201, -430, 22];

    #[test]
    fn an_index_from_nowhere_is_the_last() {
        let mut state = State {
            predictor: 0,
            index: 255,
        };
        decode(&mut state, &[0x00], &mut [0; 2]);
        assert_eq!(state.index, 86);
    }

    #[test]
    fn what_has_no_room_is_left() {
        assert_eq!(encode(&mut State::default(), &[1, 2, 3], &mut [0; 8]), 1);
        assert_eq!(encode(&mut State::default(), &[1; 8], &mut [0; 2]), 2);
        assert_eq!(decode(&mut State::default(), &[0; 8], &mut [0; 3]), 2);
    }
}
