//! How loud: hundredths of dBFS, bit for bit as `measure` and `amplitude_cdb` of `device/minerva/dsp.py`.

/// Level of a frame of digital silence: one LSB in one sample of 320. Below it there is nothing.
pub const SILENCE_CDB: i32 = -11536;

/// RMS of a frame of 320 samples in hundredths of dBFS; samples beyond 320 are not heard, missing ones are zeros.
#[must_use]
pub fn frame_cdb(frame: &[i16]) -> i32 {
    let squares: u64 = frame
        .iter()
        .take(crate::FRAME_SAMPLES)
        .map(|&x| u64::from(x.unsigned_abs()) * u64::from(x.unsigned_abs()))
        .sum();
    // log2 in Q10, by its leading 16 bits and a parabola (0.03 dB at worst)
    let Some(exponent) = squares.checked_ilog2() else {
        return SILENCE_CDB;
    };
    let high = (squares >> 16) as i32;
    let mantissa = if high >= 0x4000 {
        // What the reference keeps of a sum beyond 30 bits: its upper part.
        align(high)
    } else {
        align(squares as i32)
    };
    (((((exponent as i32) << 10) + fraction_q10(mantissa)) * 9633) >> 15) - 11536
}

/// The largest magnitude of the samples, 0 to 32767.
#[must_use]
pub fn peak(pcm: &[i16]) -> i32 {
    pcm.iter()
        .map(|&x| i32::from(x.unsigned_abs()).min(i32::from(i16::MAX)))
        .max()
        .unwrap_or(0)
}

/// Peak magnitude (0 to 32767) -> hundredths of dBFS; [`SILENCE_CDB`] of 0 and below.
#[must_use]
pub fn amplitude_cdb(amplitude: i32) -> i32 {
    if amplitude <= 0 {
        return SILENCE_CDB;
    }
    let amplitude = amplitude.min(i32::from(i16::MAX));
    let exponent = amplitude.ilog2() as i32;
    ((((exponent << 10) + fraction_q10(align(amplitude))) * 19266) >> 15) - 9031
}

/// A positive value -> its leading 16 bits, the first of them set.
const fn align(value: i32) -> i32 {
    let shift = value.leading_zeros() as i32 - 16;
    if shift >= 0 {
        value << shift
    } else {
        value >> -shift
    }
}

/// A mantissa of 16 bits, the first of them set -> its log2 less 15, in Q10.
const fn fraction_q10(mantissa: i32) -> i32 {
    let f = mantissa - 0x8000;
    (f + ((((f * (0x8000 - f)) >> 15) * 11263) >> 15)) >> 5
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_and_full_scale() {
        assert_eq!(frame_cdb(&[0; 320]), SILENCE_CDB);
        assert_eq!(frame_cdb(&[]), SILENCE_CDB);
        assert_eq!(frame_cdb(&[i16::MIN; 320]), -3); // by the parabola
        assert_eq!(amplitude_cdb(0), SILENCE_CDB);
        assert_eq!(amplitude_cdb(i32::MAX), amplitude_cdb(32767));
    }

    #[test]
    fn halving_takes_six_decibels() {
        for amplitude in [16384_i16, 8192, 64, 2] {
            let (whole, half) = (
                frame_cdb(&[amplitude; 320]),
                frame_cdb(&[amplitude / 2; 320]),
            );
            assert!(
                (whole - half - 602).abs() <= 1,
                "{amplitude}: {whole} {half}"
            );
            let (whole, half) = (
                amplitude_cdb(amplitude.into()),
                amplitude_cdb((amplitude / 2).into()),
            );
            assert!(
                (whole - half - 602).abs() <= 1,
                "{amplitude}: {whole} {half}"
            );
        }
    }

    #[test]
    fn the_peak_is_the_largest_magnitude_of_either_sign() {
        assert_eq!(peak(&[]), 0);
        assert_eq!(peak(&[3, -7, 5]), 7);
        assert_eq!(peak(&[i16::MIN]), 32767);
    }
}
