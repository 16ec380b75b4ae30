//! Slaney's mel scale: linear below 1 kHz, logarithmic above.

use crate::tables::{exp, ln};

/// The highest frequency it is computed for.
pub(crate) const HIGHEST_HZ: u32 = 48_000;

const LINEAR_HZ: f64 = 200.0 / 3.0;
const BREAK_HZ: f64 = 1000.0;
const BREAK: f64 = BREAK_HZ / LINEAR_HZ;
const STEP: f64 = ln(6.4) / 27.0;

pub(crate) const fn mel(hz: f64) -> f64 {
    if hz < BREAK_HZ {
        hz / LINEAR_HZ
    } else {
        BREAK + ln(hz / BREAK_HZ) / STEP
    }
}

pub(crate) const fn hertz(mel: f64) -> f64 {
    if mel < BREAK {
        mel * LINEAR_HZ
    } else {
        BREAK_HZ * exp(STEP * (mel - BREAK))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        for hz in [0.0, 40.0, 999.9, 1000.0, 6400.0, f64::from(HIGHEST_HZ)] {
            assert!((hertz(mel(hz)) - hz).abs() <= 1e-12 * hz, "{hz}");
        }
        assert!((mel(1000.0) - 15.0).abs() < 1e-12);
        assert!((mel(6400.0) - 42.0).abs() < 1e-12);
    }
}
