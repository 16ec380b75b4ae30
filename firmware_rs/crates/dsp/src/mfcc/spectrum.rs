//! The power spectrum of a frame in integers of 64 bits: a complex FFT of half as many points, radix 4, in place.
//!
//! A frame is scaled by its largest sample, so that what is lost lies as far below it as with `f64`, at every level. With
//! `f32` a band beside a pure tone would hold the tone's rounding: docs/decisions/0016 has the figures.

use crate::tables::turn;

/// Samples of the longest frame.
pub(super) const LONGEST: usize = 2048;

/// Samples of the shortest frame.
pub(super) const SHORTEST: usize = 128;

const QUARTER: usize = LONGEST / 4;

/// The exponent of 2^-63, far below what librosa takes for silence: quieter frames are not scaled.
const QUIETEST: i32 = 64;

/// The cosines of the first quarter of a turn.
static COSINES: [Factor; QUARTER + 1] = cosines();

/// Within 2^60, so that a sum of four fits.
type Complex = [i64; 2];

/// A number from -1 to 1: `high * 2^-30 + low * 2^-62`.
#[derive(Clone, Copy, Debug)]
struct Factor {
    high: i32,
    low: i32,
}

/// The working memory of a spectrum, 16 bytes for two samples.
#[derive(Clone, Debug)]
pub(super) struct Spectrum<const HALF: usize> {
    bins: [Complex; HALF],
}

impl<const HALF: usize> Spectrum<HALF> {
    pub(super) const fn new() -> Self {
        Self {
            bins: [[0; 2]; HALF],
        }
    }

    /// The powers of bins 1 to n/2 - 1 of n samples under a periodic Hann window, each as p * 4^e; returns e.
    ///
    /// n is a power of two from [`SHORTEST`] to [`LONGEST`], and at most twice `HALF`. A p is 0 or from 2^-64 to 2^60.
    #[inline]
    pub(super) fn powers(&mut self, samples: &[f32], mut out: impl FnMut(usize, f32)) -> i32 {
        let half = samples.len() / 2;
        let bins = self.bins.get_mut(..half).unwrap_or_default();
        let top = samples
            .iter()
            .map(|x| exponent(*x))
            .fold(QUIETEST, i32::max);
        window(samples, top, bins);
        transform(bins);
        let step = LONGEST / samples.len().max(1);
        let mut rest = bins.get(1..).unwrap_or_default();
        let mut k = 1;
        while let [bin, between @ .., mirrored] = rest {
            let (power, other) = separate(*bin, *mirrored, clockwise(k * step));
            out(k, power);
            out(half - k, other);
            rest = between;
            k += 1;
        }
        if let [centre] = rest {
            out(k, separate(*centre, *centre, clockwise(k * step)).0);
        }
        // One is 2^(top - 186) as a sample; the window, each doubling of the transform and `separate` halve it.
        top + half.trailing_zeros() as i32 - 152
    }
}

/// The field of a sample's exponent.
#[inline(always)]
const fn exponent(x: f32) -> i32 {
    (x.to_bits() >> 23 & 0xFF) as i32
}

/// A sample as an integer within 2^60, where the largest has the exponent `top`; 0 and denormal numbers are 0 or -1.
#[inline(always)]
fn integer(x: f32, top: i32) -> i64 {
    let mantissa = (x.to_bits() & 0x007F_FFFF | 1 << 23) as i32;
    let signed = if x.is_sign_negative() {
        -mantissa
    } else {
        mantissa
    };
    (i64::from(signed) << 36) >> (top - exponent(x)).min(63)
}

/// Half of each sample under the window; pairs go as complex numbers to the places with their number's bits reversed.
#[inline]
fn window(samples: &[f32], top: i32, bins: &mut [Complex]) {
    let spare = usize::BITS - bins.len().trailing_zeros();
    let step = LONGEST / samples.len().max(1);
    let windowed = |x: f32, at: usize| {
        let x = integer(x, top);
        (x >> 2) - product(x, cosine(at * step))
    };
    for (n, [even, odd]) in samples.as_chunks().0.iter().enumerate() {
        if let Some(bin) = bins.get_mut(n.reverse_bits() >> spare) {
            *bin = [windowed(*even, 2 * n), windowed(*odd, 2 * n + 1)];
        }
    }
}

/// The transform of points in the order of reversed bits, divided by their number.
#[inline]
fn transform(bins: &mut [Complex]) {
    let points = bins.len();
    let mut span = 1;
    if points.trailing_zeros() % 2 == 1 {
        for [a, b] in bins.as_chunks_mut().0 {
            let sum = [(a[0] + b[0]) >> 1, (a[1] + b[1]) >> 1];
            *b = [(a[0] - b[0]) >> 1, (a[1] - b[1]) >> 1];
            *a = sum;
        }
        span = 2;
    }
    while span < points {
        butterflies(bins, span, 0, |points| points.map(quarter));
        for at in 1..span {
            let step = LONGEST / 4 / span * at;
            let turns = [clockwise(step), clockwise(2 * step), clockwise(3 * step)];
            butterflies(bins, span, at, |[b, c, d]| {
                let [one, two, three] = turns;
                [times(b, one), times(c, two), times(d, three)]
            });
        }
        span *= 4;
    }
}

/// Number `at` of the `span` butterflies of each group; `turned` gives a quarter of its three points, turned.
#[inline(always)]
fn butterflies(
    bins: &mut [Complex],
    span: usize,
    at: usize,
    turned: impl Fn([Complex; 3]) -> [Complex; 3],
) {
    for group in bins.chunks_exact_mut(4 * span) {
        // Two bits reversed: of each four points the third is the second.
        let (a, rest) = group.split_at_mut(span);
        let (c, rest) = rest.split_at_mut(span);
        let (b, d) = rest.split_at_mut(span);
        let points = (a.get_mut(at), c.get_mut(at), b.get_mut(at), d.get_mut(at));
        if let (Some(first), Some(second), Some(third), Some(fourth)) = points {
            let (a, [b, c, d]) = (quarter(*first), turned([*third, *second, *fourth]));
            let (even, odd) = ([a[0] + c[0], a[1] + c[1]], [a[0] - c[0], a[1] - c[1]]);
            let (sum, difference) = ([b[0] + d[0], b[1] + d[1]], [b[0] - d[0], b[1] - d[1]]);
            *first = [even[0] + sum[0], even[1] + sum[1]];
            *second = [odd[0] + difference[1], odd[1] - difference[0]];
            *third = [even[0] - sum[0], even[1] - sum[1]];
            *fourth = [odd[0] - difference[1], odd[1] + difference[0]];
        }
    }
}

/// The powers of a bin and its mirror image of the real signal, from those of the complex one.
#[inline(always)]
fn separate(bin: Complex, mirrored: Complex, turn: [Factor; 2]) -> (f32, f32) {
    let [re, im] = quarter([bin[0] + mirrored[0], bin[1] - mirrored[1]]);
    let [t_re, t_im] = times([bin[0] - mirrored[0], bin[1] + mirrored[1]], turn);
    (power([re + t_im, im - t_re]), power([re - t_im, im + t_re]))
}

/// The square of a number's size, in units of 2^64.
#[inline(always)]
fn power(x: Complex) -> f32 {
    let [re, im] = x.map(|x| {
        let (high, low) = halves(x);
        high as f32 + low as f32 * (1.0 / 4_294_967_296.0)
    });
    re * re + im * im
}

#[inline(always)]
fn quarter(x: Complex) -> Complex {
    [x[0] >> 2, x[1] >> 2]
}

/// A quarter of the product.
#[inline(always)]
fn times([re, im]: Complex, [cos, sin]: [Factor; 2]) -> Complex {
    [
        product(re, cos) - product(im, sin),
        product(re, sin) + product(im, cos),
    ]
}

/// A quarter of the product, within 2.
#[inline(always)]
fn product(x: i64, factor: Factor) -> i64 {
    let (high, low) = halves(x);
    let cross = upper(high, factor.low) + upper(low, factor.high);
    i64::from(high) * i64::from(factor.high) + i64::from(cross)
}

#[inline(always)]
fn upper(a: i32, b: i32) -> i32 {
    ((i64::from(a) * i64::from(b)) >> 32) as i32
}

/// x = high * 2^32 + low, both with a sign.
#[inline(always)]
const fn halves(x: i64) -> (i32, i32) {
    (((x + (1 << 31)) >> 32) as i32, x as i32)
}

/// (cos, sin) of so many 2048ths of a turn, below three quarters, to the right.
#[inline(always)]
fn clockwise(at: usize) -> [Factor; 2] {
    // The sine is the cosine of a quarter less.
    [cosine(at), cosine(at.abs_diff(QUARTER)).negative()]
}

/// The cosine of so many 2048ths of a turn, below 2048.
#[inline(always)]
fn cosine(at: usize) -> Factor {
    let within = |at: usize| COSINES.get(at).copied().unwrap_or(Factor::ZERO);
    let at = at.min(LONGEST - at);
    if at <= QUARTER {
        within(at)
    } else {
        within(2 * QUARTER - at).negative()
    }
}

impl Factor {
    const ZERO: Self = Self { high: 0, low: 0 };

    #[inline(always)]
    const fn negative(self) -> Self {
        Self {
            high: -self.high,
            low: self.low.wrapping_neg(),
        }
    }
}

#[expect(
    clippy::indexing_slicing,
    reason = "the compiler runs it, and would stop there"
)]
const fn cosines() -> [Factor; QUARTER + 1] {
    let mut all = [Factor::ZERO; QUARTER + 1];
    let mut k = 0;
    while k <= QUARTER {
        let (high, low) = halves((turn(k, LONGEST).0 * (1_i64 << 62) as f64) as i64);
        all[k] = Factor { high, low };
        k += 1;
    }
    all
}
