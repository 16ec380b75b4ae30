//! Square root and logarithm of `f32` from IEEE operations alone, so that every target gives the same bits.

/// The square root of a finite number that is 0 or a normal one, within 1.2e-7 of its size.
#[inline]
#[must_use]
pub fn sqrt(x: f32) -> f32 {
    // 1/sqrt(x) by its exponent and two of Newton's steps; of 0 it is large and finite, and x times it is 0.
    let half = 0.5 * x;
    let mut y = f32::from_bits(0x5F37_5A86_u32.wrapping_sub(x.to_bits() >> 1));
    y *= 1.5 - half * y * y;
    y *= 1.5 - half * y * y;
    // A third is made on the root, where what is lost by rounding is put right.
    let root = x * y;
    root + 0.5 * y * (x - root * root)
}

/// The natural logarithm of a positive normal number, within one and a half units of the last place or 1e-7.
///
/// ln(2^k (1 + f)) = k ln 2 + 2 atanh(f / (2 + f)), with the polynomial of FreeBSD's `logf`.
#[inline]
#[must_use]
pub fn ln(x: f32) -> f32 {
    const SQRT_HALF: u32 = 0x3F35_04F3;
    // The bits are moved so that the exponent's field changes at sqrt(1/2), and f lies around 0.
    let moved = x.to_bits().wrapping_add(0x3F80_0000 - SQRT_HALF);
    let k = ((moved >> 23) as i32 - 127) as f32;
    let f = f32::from_bits((moved & 0x007F_FFFF) + SQRT_HALF) - 1.0;
    let s = f / (2.0 + f);
    let z = s * s;
    let series = z * (0.666_666_6 + z * (0.400_009_72 + z * (0.284_987_87 + z * 0.242_790_79)));
    let half_square = 0.5 * f * f;
    // ln 2 in two parts, the first with few enough bits for k times it to be exact.
    s * (half_square + series) + k * 9.058_001e-6 - half_square + f + k * 0.693_138_1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sweep() -> impl Iterator<Item = f32> {
        // Every exponent of 2^-60 ... 2^60, with mantissas that fall everywhere.
        (0..200_000_u32).map(|n| {
            let exponent = 67 + n % 121;
            f32::from_bits(exponent << 23 | n.wrapping_mul(2_654_435_761) & 0x007F_FFFF)
        })
    }

    #[test]
    fn roots() {
        for x in sweep() {
            let expected = libm::sqrt(f64::from(x));
            let error = (f64::from(sqrt(x)) - expected).abs() / expected;
            assert!(error < 1.2e-7, "{x}: {error}");
        }
        assert_eq!(sqrt(0.0), 0.0);
    }

    #[test]
    fn logarithms() {
        for x in sweep() {
            let expected = libm::log(f64::from(x));
            let error = (f64::from(ln(x)) - expected).abs();
            assert!(error <= 1e-7_f64.max(expected.abs() * 9e-8), "{x}: {error}");
        }
        assert_eq!(ln(1.0), 0.0);
    }
}
