//! A number of each of several frames at once: as many as one vector register has room for.

use core::ops::{Add, Mul, Neg, Sub};

#[cfg(not(target_feature = "avx"))]
use wide::f32x4 as Vector;
#[cfg(target_feature = "avx")]
use wide::f32x8 as Vector;

/// Frames that are computed together: 8 where the compiler may use AVX, else 4.
pub(super) const LANES: usize = size_of::<Vector>() / size_of::<f32>();

/// One number of each frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lanes(Vector);

/// A complex number of each frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Complex {
    pub(super) re: Lanes,
    pub(super) im: Lanes,
}

impl Lanes {
    pub(super) const ZERO: Self = Self(Vector::ZERO);

    #[inline(always)]
    pub(super) const fn new(numbers: [f32; LANES]) -> Self {
        Self(Vector::new(numbers))
    }

    #[inline(always)]
    pub(super) fn map(self, f: impl Fn(f32) -> f32) -> [f32; LANES] {
        self.0.to_array().map(f)
    }
}

impl Add for Lanes {
    type Output = Self;
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl Sub for Lanes {
    type Output = Self;
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

impl Mul for Lanes {
    type Output = Self;
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        Self(self.0 * other.0)
    }
}

impl Mul<f32> for Lanes {
    type Output = Self;
    #[inline(always)]
    fn mul(self, factor: f32) -> Self {
        Self(self.0 * Vector::splat(factor))
    }
}

impl Neg for Lanes {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        Self(-self.0)
    }
}

impl Complex {
    pub(super) const ZERO: Self = Self::new(Lanes::ZERO, Lanes::ZERO);

    #[inline(always)]
    pub(super) const fn new(re: Lanes, im: Lanes) -> Self {
        Self { re, im }
    }

    #[inline(always)]
    pub(super) fn conj(self) -> Self {
        Self::new(self.re, -self.im)
    }

    #[inline(always)]
    pub(super) fn power(self) -> Lanes {
        self.re * self.re + self.im * self.im
    }
}

impl Add for Complex {
    type Output = Self;
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Self::new(self.re + other.re, self.im + other.im)
    }
}

impl Sub for Complex {
    type Output = Self;
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Self::new(self.re - other.re, self.im - other.im)
    }
}

impl Mul<f32> for Complex {
    type Output = Self;
    #[inline(always)]
    fn mul(self, factor: f32) -> Self {
        Self::new(self.re * factor, self.im * factor)
    }
}

/// Times the same complex number (re, im) in all frames.
impl Mul<[f32; 2]> for Complex {
    type Output = Self;
    #[inline(always)]
    fn mul(self, [re, im]: [f32; 2]) -> Self {
        Self::new(self.re * re - self.im * im, self.re * im + self.im * re)
    }
}
