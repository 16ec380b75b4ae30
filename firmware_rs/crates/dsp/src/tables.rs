//! The functions that tables are computed with, by the compiler, in `f64`.

use core::f64::consts::{FRAC_PI_2, LN_2};

/// (cos, sin) of `k / n` turns, within 2e-16.
pub(crate) const fn turn(k: usize, n: usize) -> (f64, f64) {
    let quarters = 4 * (k % n);
    let (quadrant, rest) = (quarters / n, quarters % n);
    // Within the first quadrant, from whichever axis is nearer.
    let (cos, sin) = if 2 * rest <= n {
        small(rest as f64 / n as f64 * FRAC_PI_2)
    } else {
        let (cos, sin) = small((n - rest) as f64 / n as f64 * FRAC_PI_2);
        (sin, cos)
    };
    match quadrant {
        0 => (cos, sin),
        1 => (-sin, cos),
        2 => (-cos, -sin),
        _ => (sin, -cos),
    }
}

/// (cos, sin) of an angle up to pi/4, by their series.
const fn small(angle: f64) -> (f64, f64) {
    let square = angle * angle;
    let (mut cos, mut sin) = (1.0, 1.0);
    let mut n = 20.0;
    while n >= 2.0 {
        cos = 1.0 - square / (n * (n - 1.0)) * cos;
        sin = 1.0 - square / (n * (n + 1.0)) * sin;
        n -= 2.0;
    }
    (cos, angle * sin)
}

/// The natural logarithm of a positive normal number, within 2e-16 of its size.
pub(crate) const fn ln(x: f64) -> f64 {
    let mut exponent = ((x.to_bits() >> 52) as i32 - 1023) as f64;
    let mut mantissa = f64::from_bits((x.to_bits() & 0x000F_FFFF_FFFF_FFFF) | 1023 << 52);
    if mantissa > core::f64::consts::SQRT_2 {
        mantissa *= 0.5;
        exponent += 1.0;
    }
    let s = (mantissa - 1.0) / (mantissa + 1.0);
    let mut series = 0.0;
    let mut n = 25.0;
    while n >= 1.0 {
        series = series * s * s + 1.0 / n;
        n -= 2.0;
    }
    2.0 * s * series + exponent * LN_2
}

/// e to the power of a number between 0 and 4, within 1e-15 of its size.
pub(crate) const fn exp(x: f64) -> f64 {
    let mut sum = 1.0;
    let mut n = 40.0;
    while n >= 1.0 {
        sum = 1.0 + sum * x / n;
        n -= 1.0;
    }
    sum
}

/// The square root of a number between 1 and 1000, within 2e-15 of its size.
pub(crate) const fn sqrt(x: f64) -> f64 {
    exp(ln(x) / 2.0)
}

/// The periodic Hann window of `N` samples, times `scale`.
#[expect(
    clippy::indexing_slicing,
    reason = "the compiler runs it, and would stop there"
)]
pub(crate) const fn hann<const N: usize>(scale: f64) -> [f32; N] {
    let mut window = [0.0; N];
    let mut n = 0;
    while n < N {
        window[n] = (scale * (0.5 - 0.5 * turn(n, N).0)) as f32;
        n += 1;
    }
    window
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns() {
        for n in [7, 256, 400, 512] {
            for k in 0..n {
                let angle = core::f64::consts::TAU * k as f64 / n as f64;
                let (cos, sin) = turn(k + n, n);
                assert!(
                    (cos - libm::cos(angle)).abs() < 2e-15
                        && (sin - libm::sin(angle)).abs() < 2e-15,
                    "{k}/{n}"
                );
            }
        }
        assert_eq!(turn(128, 512), (0.0, 1.0));
    }

    #[test]
    fn logarithms() {
        for n in 1..10_000 {
            let x = f64::from(n) * 0.0123;
            assert!(
                (ln(x) - libm::log(x)).abs() < 1e-15 * (1.0 + libm::log(x).abs()),
                "{x}"
            );
        }
    }

    #[test]
    fn powers_of_e() {
        for n in 0..=400 {
            let x = f64::from(n) * 0.01;
            assert!((exp(x) / libm::exp(x) - 1.0).abs() < 1e-15, "{x}");
        }
    }

    #[test]
    fn roots() {
        for n in 1..=1000 {
            let x = f64::from(n);
            assert!((sqrt(x) / libm::sqrt(x) - 1.0).abs() < 2e-15, "{x}");
        }
    }

    #[test]
    fn the_window_is_hann_and_periodic() {
        let window = hann::<400>(1.0);
        assert_eq!((window[0], window[200]), (0.0, 1.0));
        assert_eq!(window[1], window[399]);
    }
}
