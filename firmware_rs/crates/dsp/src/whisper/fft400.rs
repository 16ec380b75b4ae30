//! The power spectrum of 400 real samples, as 16 times 25 points: eight frames at a time.
//!
//! With n = 25 a + b and k = k1 + 16 k2: sixteen-point transforms of real samples over a, a turn by b k1 / 400, and
//! transforms of 25 points over b. Of k1 only 0 to 8 are needed, the others mirror them.
#![allow(
    clippy::indexing_slicing,
    reason = "for hosts, where a panic is an exception"
)]

use super::lanes::{Complex, Lanes};
use crate::tables::turn;

/// Samples of a frame.
pub(super) const FRAME: usize = 400;

/// Powers of a frame: from 0 Hz to half the sample rate.
pub(super) const BINS: usize = FRAME / 2 + 1;

const ROWS: usize = 9;
const COLUMNS: usize = 25;

/// The working memory of a transform, 14 kB.
#[derive(Clone, Debug)]
pub(super) struct Rows {
    rows: [[Complex; COLUMNS]; ROWS],
    between: [[Complex; 5]; 5],
}

impl Rows {
    pub(super) const fn new() -> Self {
        Self {
            rows: [[Complex::ZERO; COLUMNS]; ROWS],
            between: [[Complex::ZERO; 5]; 5],
        }
    }
}

/// exp(-2 pi i b k1 / 400), by b; k1 from 1 on.
static TURNS: [[[f32; 2]; ROWS - 1]; COLUMNS] = turns();

/// exp(-2 pi i d e / 25), by d.
static FIFTHS: [[[f32; 2]; 5]; 5] = fifths();

/// Windowed samples, given by their number -> the power of each bin.
#[inline(always)]
pub(super) fn powers(
    sample: impl Fn(usize) -> Lanes,
    Rows { rows, between }: &mut Rows,
    powers: &mut [Lanes; BINS],
) {
    for (b, turns) in TURNS.iter().enumerate() {
        let mut x = [Lanes::ZERO; 16];
        for (a, x) in x.iter_mut().enumerate() {
            *x = sample(COLUMNS * a + b);
        }
        let (first, between, last) = real16(&x);
        rows[0][b] = Complex::new(first, Lanes::ZERO);
        for ((row, y), turn) in rows[1..].iter_mut().zip(between).zip(turns) {
            row[b] = y * *turn;
        }
        let [re, im] = turns[ROWS - 2];
        rows[ROWS - 1][b] = Complex::new(last * re, last * im);
    }
    for (k1, row) in rows.iter().enumerate() {
        complex25(row, between, |k2, y| {
            let k = k1 + 16 * k2;
            powers[k.min(FRAME - k)] = y.power();
        });
    }
}

/// Bins 0 and 2, which are real, and bin 1.
#[inline(always)]
fn real4(x: [Lanes; 4]) -> (Lanes, Complex, Lanes) {
    let (even, odd) = (x[0] + x[2], x[1] + x[3]);
    (
        even + odd,
        Complex::new(x[0] - x[2], x[3] - x[1]),
        even - odd,
    )
}

/// Bins 0 and 4, which are real, and bins 1 to 3 between them.
#[inline(always)]
fn real8(x: [Lanes; 8]) -> (Lanes, [Complex; 3], Lanes) {
    const HALF: f32 = core::f32::consts::FRAC_1_SQRT_2;
    let (e0, e1, e2) = real4([x[0], x[2], x[4], x[6]]);
    let (o0, o1, o2) = real4([x[1], x[3], x[5], x[7]]);
    let turned = Complex::new(o1.re + o1.im, o1.im - o1.re) * HALF;
    (
        e0 + o0,
        [e1 + turned, Complex::new(e2, -o2), (e1 - turned).conj()],
        e0 - o0,
    )
}

/// Bins 0 and 8, which are real, and bins 1 to 7 between them.
#[inline(always)]
fn real16(x: &[Lanes; 16]) -> (Lanes, [Complex; ROWS - 2], Lanes) {
    const TURN: [f32; 2] = clockwise(1, 16);
    const THIRD: [f32; 2] = clockwise(3, 16);
    const HALF: f32 = core::f32::consts::FRAC_1_SQRT_2;
    let (e0, [e1, e2, e3], e4) = real8([x[0], x[2], x[4], x[6], x[8], x[10], x[12], x[14]]);
    let (o0, [o1, o2, o3], o4) = real8([x[1], x[3], x[5], x[7], x[9], x[11], x[13], x[15]]);
    let (t1, t3) = (o1 * TURN, o3 * THIRD);
    let t2 = Complex::new(o2.re + o2.im, o2.im - o2.re) * HALF;
    let (low, high) = (
        [e1 + t1, e2 + t2, e3 + t3],
        [e3 - t3, e2 - t2, e1 - t1].map(Complex::conj),
    );
    let between = [
        low[0],
        low[1],
        low[2],
        Complex::new(e4, -o4),
        high[0],
        high[1],
        high[2],
    ];
    (e0 + o0, between, e0 - o0)
}

#[inline(always)]
fn complex5(x: [Complex; 5]) -> [Complex; 5] {
    const COS: [f32; 2] = [turn(1, 5).0 as f32, turn(2, 5).0 as f32];
    const SIN: [f32; 2] = [turn(1, 5).1 as f32, turn(2, 5).1 as f32];
    let (outer, inner) = (x[1] + x[4], x[2] + x[3]);
    let (across, along) = (x[1] - x[4], x[2] - x[3]);
    let near = x[0] + outer * COS[0] + inner * COS[1];
    let far = x[0] + outer * COS[1] + inner * COS[0];
    // These two are still to be turned by -i, which their signs below do.
    let (p, q) = (
        across * SIN[0] + along * SIN[1],
        across * SIN[1] - along * SIN[0],
    );
    [
        x[0] + outer + inner,
        Complex::new(near.re + p.im, near.im - p.re),
        Complex::new(far.re + q.im, far.im - q.re),
        Complex::new(far.re - q.im, far.im + q.re),
        Complex::new(near.re - p.im, near.im + p.re),
    ]
}

/// As five times five points; each bin goes to `out` with its number.
///
/// Two loops, with what lies between them in memory: all at once needs more registers than there are.
#[inline(always)]
fn complex25(
    x: &[Complex; COLUMNS],
    between: &mut [[Complex; 5]; 5],
    mut out: impl FnMut(usize, Complex),
) {
    for (d, [w0, w1, w2, w3, w4]) in FIFTHS.iter().enumerate() {
        let [y0, y1, y2, y3, y4] = complex5([x[d], x[5 + d], x[10 + d], x[15 + d], x[20 + d]]);
        between[0][d] = y0 * *w0;
        between[1][d] = y1 * *w1;
        between[2][d] = y2 * *w2;
        between[3][d] = y3 * *w3;
        between[4][d] = y4 * *w4;
    }
    for (e, row) in between.iter().enumerate() {
        let [y0, y1, y2, y3, y4] = complex5(*row);
        out(e, y0);
        out(e + 5, y1);
        out(e + 10, y2);
        out(e + 15, y3);
        out(e + 20, y4);
    }
}

const fn turns() -> [[[f32; 2]; ROWS - 1]; COLUMNS] {
    let mut all = [[[0.0; 2]; ROWS - 1]; COLUMNS];
    let mut b = 0;
    while b < COLUMNS {
        let mut k1 = 1;
        while k1 < ROWS {
            all[b][k1 - 1] = clockwise(b * k1, FRAME);
            k1 += 1;
        }
        b += 1;
    }
    all
}

const fn fifths() -> [[[f32; 2]; 5]; 5] {
    let mut all = [[[0.0; 2]; 5]; 5];
    let mut d = 0;
    while d < 5 {
        let mut e = 0;
        while e < 5 {
            all[d][e] = clockwise(d * e, COLUMNS);
            e += 1;
        }
        d += 1;
    }
    all
}

const fn clockwise(k: usize, n: usize) -> [f32; 2] {
    let (cos, sin) = turn(k, n);
    [cos as f32, -sin as f32]
}
