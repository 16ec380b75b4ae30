//! The spectrum of 400 windowed samples, zero-padded to 512: a complex FFT of 256 points, radix 4, in place.

use crate::math::sqrt;
use crate::tables::{hann, turn};

/// Samples of the window.
pub(crate) const WINDOW: usize = 400;

/// Complex points; also the number of the spectrum's last bin, at 8 kHz.
pub(crate) const POINTS: usize = 256;

type Complex = [f32; 2];

/// Three twiddle factors of each butterfly.
type Twiddles = [Complex; 3];

/// The window, halved: what separates the two real halves of a complex spectrum gives it back.
static HANN: [f32; WINDOW] = hann(0.5);

/// Where each complex sample goes: its number with the base-4 digits reversed.
static PLACE: [u8; POINTS] = places();

static TWIDDLES_16: [Twiddles; 4] = twiddles();
static TWIDDLES_64: [Twiddles; 16] = twiddles();
static TWIDDLES_256: [Twiddles; 64] = twiddles();

/// exp(-2 pi i k / 512) for k = 1 ... 128.
static SPLIT: [Complex; POINTS / 2] = split();

/// The working memory of one spectrum, 2 kB.
#[derive(Clone, Debug)]
pub(crate) struct Spectrum {
    bins: [Complex; POINTS],
}

impl Spectrum {
    pub(crate) const fn new() -> Self {
        Self {
            bins: [[0.0; 2]; POINTS],
        }
    }

    /// The magnitudes of bins 1 to 255 of `samples`, each followed by a number without meaning; bin 0 is not set.
    #[inline]
    pub(crate) fn magnitudes(&mut self, samples: &[i16; WINDOW]) -> &[Complex; POINTS] {
        self.transform(samples);
        let (low, high) = self.bins.split_at_mut(POINTS / 2);
        if let ([_, low @ ..], Some((centre, high))) = (low, high.split_first_mut()) {
            let mut twiddles = SPLIT.iter();
            for ((bin, mirrored), twiddle) in
                low.iter_mut().zip(high.iter_mut().rev()).zip(&mut twiddles)
            {
                let (power, mirrored_power) = separate(*bin, *mirrored, *twiddle);
                bin[0] = sqrt(power);
                mirrored[0] = sqrt(mirrored_power);
            }
            if let Some(twiddle) = twiddles.next() {
                centre[0] = sqrt(separate(*centre, *centre, *twiddle).0);
            }
        }
        &self.bins
    }

    /// The magnitudes of bin 0 and of bin 256, which share a complex number, and so are not among the others.
    pub(crate) fn edges(&mut self, samples: &[i16; WINDOW]) -> (f32, f32) {
        self.transform(samples);
        let [re, im] = self.bins[0];
        (2.0 * (re + im).abs(), 2.0 * (re - im).abs())
    }

    fn transform(&mut self, samples: &[i16; WINDOW]) {
        self.bins = [[0.0; 2]; POINTS];
        for ((pair, window), &place) in samples
            .chunks_exact(2)
            .zip(HANN.chunks_exact(2))
            .zip(&PLACE)
        {
            let bin = self.bins.get_mut(usize::from(place));
            if let ([even, odd], [w_even, w_odd], Some(bin)) = (pair, window, bin) {
                *bin = [f32::from(*even) * w_even, f32::from(*odd) * w_odd];
            }
        }
        for group in self.bins.chunks_exact_mut(4) {
            if let [a, b, c, d] = group {
                butterfly(a, b, c, d, [*b, *c, *d]);
            }
        }
        stage(&mut self.bins, &TWIDDLES_16);
        stage(&mut self.bins, &TWIDDLES_64);
        stage(&mut self.bins, &TWIDDLES_256);
    }
}

/// Butterflies over groups of four times as many points as there are twiddles.
#[inline]
fn stage<const SPAN: usize>(bins: &mut [Complex; POINTS], twiddles: &[Twiddles; SPAN]) {
    for group in bins.chunks_exact_mut(4 * SPAN) {
        let (a, rest) = group.split_at_mut(SPAN);
        let (b, rest) = rest.split_at_mut(SPAN);
        let (c, d) = rest.split_at_mut(SPAN);
        for ((((a, b), c), d), [w1, w2, w3]) in a.iter_mut().zip(b).zip(c).zip(d).zip(twiddles) {
            let turned = [times(*b, *w1), times(*c, *w2), times(*d, *w3)];
            butterfly(a, b, c, d, turned);
        }
    }
}

/// The four-point transform of `a` and the three turned points, into all four.
#[inline(always)]
fn butterfly(
    a: &mut Complex,
    b: &mut Complex,
    c: &mut Complex,
    d: &mut Complex,
    turned: [Complex; 3],
) {
    let [p, q, r] = turned;
    let (even, odd) = ([a[0] + q[0], a[1] + q[1]], [a[0] - q[0], a[1] - q[1]]);
    let (sum, difference) = ([p[0] + r[0], p[1] + r[1]], [p[0] - r[0], p[1] - r[1]]);
    *a = [even[0] + sum[0], even[1] + sum[1]];
    *b = [odd[0] + difference[1], odd[1] - difference[0]];
    *c = [even[0] - sum[0], even[1] - sum[1]];
    *d = [odd[0] - difference[1], odd[1] + difference[0]];
}

#[inline(always)]
fn times(x: Complex, w: Complex) -> Complex {
    [x[0] * w[0] - x[1] * w[1], x[0] * w[1] + x[1] * w[0]]
}

/// The powers of bin k and bin 256 - k of the real signal, from those of the complex one.
#[inline(always)]
fn separate(bin: Complex, mirrored: Complex, twiddle: Complex) -> (f32, f32) {
    let even = [bin[0] + mirrored[0], bin[1] - mirrored[1]];
    let [t_re, t_im] = times([bin[0] - mirrored[0], bin[1] + mirrored[1]], twiddle);
    (
        square([even[0] + t_im, even[1] - t_re]),
        square([even[0] - t_im, even[1] + t_re]),
    )
}

#[inline(always)]
fn square(x: Complex) -> f32 {
    x[0] * x[0] + x[1] * x[1]
}

#[expect(
    clippy::indexing_slicing,
    reason = "the compiler runs it, and would stop there"
)]
const fn places() -> [u8; POINTS] {
    let mut places = [0; POINTS];
    let mut n = 0;
    while n < POINTS {
        places[n] = ((n & 3) << 6 | (n & 12) << 2 | (n & 48) >> 2 | n >> 6) as u8;
        n += 1;
    }
    places
}

#[expect(
    clippy::indexing_slicing,
    reason = "the compiler runs it, and would stop there"
)]
const fn twiddles<const SPAN: usize>() -> [Twiddles; SPAN] {
    let mut all = [[[0.0; 2]; 3]; SPAN];
    let mut j = 0;
    while j < SPAN {
        let mut m = 0;
        while m < 3 {
            all[j][m] = clockwise((m + 1) * j, 4 * SPAN);
            m += 1;
        }
        j += 1;
    }
    all
}

#[expect(
    clippy::indexing_slicing,
    reason = "the compiler runs it, and would stop there"
)]
const fn split() -> [Complex; POINTS / 2] {
    let mut all = [[0.0; 2]; POINTS / 2];
    let mut k = 1;
    while k <= POINTS / 2 {
        all[k - 1] = clockwise(k, 2 * POINTS);
        k += 1;
    }
    all
}

const fn clockwise(k: usize, n: usize) -> Complex {
    let (cos, sin) = turn(k, n);
    [cos as f32, -sin as f32]
}
