//! From the microphone's 32-bit slots to 16 bits at a useful level.
//!
//! A MEMS microphone is quiet: an INMP441 gives speech at 60 dB SPL at -60 dBFS, 23 LSB RMS in 16 bits. So the 24 bits
//! it has are kept through the high-pass filter and the board's gain, and rounded to 16 only then. Bit for bit as
//! `condition` of `device/minerva/dsp.py`.

/// The least gain a board may ask for.
pub const MIN_GAIN_DB: f32 = -12.0;

/// The largest gain a board may ask for.
pub const MAX_GAIN_DB: f32 = 48.0;

/// Corner of the high-pass: 16000 / (2 pi 2^6) = 40 Hz, below any voice.
const DC_SHIFT: u32 = 6;

/// High-pass, gain and saturation; one for each microphone.
#[derive(Clone, Debug)]
pub struct Conditioner {
    factor: i32,
    limit: i32,
    dc: i32,
    primed: bool,
}

impl Conditioner {
    /// A filter that has heard nothing. `gain_db` is cut to [`MIN_GAIN_DB`] ... [`MAX_GAIN_DB`]; not a number is 0 dB.
    #[must_use]
    pub fn new(gain_db: f32) -> Self {
        let factor = gain_factor(gain_db);
        Self {
            factor,
            // |y| is cut to where y * factor just fills 31 bits, so that the product cannot wrap.
            limit: 0x3FFF_0000 / factor,
            dc: 0,
            primed: false,
        }
    }

    /// Left-justified 24-bit samples -> int16, as many as the shorter of the two has; returns how many.
    pub fn process(&mut self, slots: &[i32], out: &mut [i16]) -> usize {
        for (&slot, sample) in slots.iter().zip(out.iter_mut()) {
            *sample = self.next(slot);
        }
        slots.len().min(out.len())
    }

    /// Forget what was heard: the next sample is taken for the DC offset.
    pub const fn reset(&mut self) {
        self.dc = 0;
        self.primed = false;
    }

    fn next(&mut self, slot: i32) -> i16 {
        let x = slot >> 8; // the slot's last byte is empty
        if !self.primed {
            self.dc = x << DC_SHIFT;
            self.primed = true;
        }
        let y = x.wrapping_sub(self.dc >> DC_SHIFT);
        self.dc = self.dc.wrapping_add(y);
        let y = y.clamp(-self.limit, self.limit);
        let y = y.wrapping_mul(self.factor).wrapping_add(0x4000) >> 15;
        y.clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16
    }
}

/// Gain in dB -> 128 for each unit of 16-bit gain, half to even as Python rounds.
fn gain_factor(gain_db: f32) -> i32 {
    let gain_db = if gain_db.is_nan() {
        0.0
    } else {
        gain_db.clamp(MIN_GAIN_DB, MAX_GAIN_DB)
    };
    libm::rint(128.0 * libm::pow(10.0, f64::from(gain_db) / 20.0)) as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gain_is_what_python_makes_of_it() {
        let expected = [
            (-12.0, 32),
            (0.0, 128),
            (6.0, 255),
            (24.0, 2029),
            (48.0, 32152),
        ];
        for (gain_db, factor) in expected {
            assert_eq!(gain_factor(gain_db), factor, "{gain_db} dB");
        }
        assert_eq!(gain_factor(f32::NAN), 128);
        assert_eq!(gain_factor(f32::INFINITY), gain_factor(48.0));
    }

    #[test]
    fn a_constant_offset_is_silence_from_the_first_sample() {
        let mut out = [1; 64];
        assert_eq!(
            Conditioner::new(24.0).process(&[0x1234_5600; 64], &mut out),
            64
        );
        assert_eq!(out, [0; 64]);
    }

    #[test]
    fn full_scale_neither_wraps_nor_falls_short() {
        for gain_db in [0.0, 24.0, 48.0] {
            let mut out = [0; 3];
            Conditioner::new(gain_db).process(&[0, i32::MAX, i32::MIN], &mut out);
            assert!(out[1] >= 32760 && out[2] <= -32760, "{gain_db} dB: {out:?}");
        }
    }

    #[test]
    fn pieces_give_what_the_whole_gives() {
        let slots: [i32; 100] = core::array::from_fn(|n| (n as i32).wrapping_mul(0x1357_9BDF));
        let (mut whole, mut pieces) = ([0; 100], [0; 100]);
        Conditioner::new(12.0).process(&slots, &mut whole);
        let mut conditioner = Conditioner::new(12.0);
        for (slots, out) in slots.chunks(7).zip(pieces.chunks_mut(7)) {
            conditioner.process(slots, out);
        }
        assert_eq!(whole, pieces);
    }
}
