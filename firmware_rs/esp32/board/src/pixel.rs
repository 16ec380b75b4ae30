//! A colour as the pulses that a WS2812 takes: 24 bits, green first, each a high and a low of some length.

/// Ticks of the clock that counts pulses, a second.
pub const TICKS_HZ: u32 = 20_000_000; // 50 ns

/// How long the line is high, then low, in ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pulse {
    /// Ticks high.
    pub high: u16,
    /// Ticks low.
    pub low: u16,
}

const ZERO: Pulse = Pulse { high: 8, low: 17 }; // 0.40 and 0.85 us
const ONE: Pulse = Pulse { high: 16, low: 9 }; // 0.80 and 0.45 us

/// The pulses of one pixel's colour (red, green, blue).
pub fn pulses(colour: (u8, u8, u8)) -> [Pulse; 24] {
    let (red, green, blue) = colour;
    let word = u32::from_be_bytes([0, green, red, blue]);
    let mut bit: u32 = 1 << 24;
    [(); 24].map(|()| {
        bit >>= 1;
        if word & bit == 0 { ZERO } else { ONE }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn green_goes_first_and_the_highest_bit_of_each() {
        let got = pulses((0x01, 0x80, 0xff)).map(|pulse| u32::from(pulse == ONE));
        let word = got.iter().fold(0, |word, bit| word << 1 | bit);
        assert_eq!(word, 0x80_01_ff);
    }

    #[test]
    fn pulses_are_what_the_data_sheet_allows() {
        let us = |ticks: u16| f64::from(ticks) * 1e6 / f64::from(TICKS_HZ);
        assert!((us(ZERO.high) - 0.4).abs() <= 0.15 && (us(ZERO.low) - 0.85).abs() <= 0.15);
        assert!((us(ONE.high) - 0.8).abs() <= 0.15 && (us(ONE.low) - 0.45).abs() <= 0.15);
    }
}
