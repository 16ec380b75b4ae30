//! What an update needs of the flash, and what is kept there in two copies.

use crate::{Code, Refusal};

/// Bytes that are erased at a time, to 0xff.
pub const SECTOR: u32 = 4096;

/// One of the two places for a firmware.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// `ota_0`.
    A,
    /// `ota_1`.
    B,
}

impl Slot {
    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    /// `a` or `b`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::A => "a",
            Self::B => "b",
        }
    }
}

/// A part of the flash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Region {
    /// A firmware.
    Slot(Slot),
    /// The bootloader's choice, two sectors.
    Select,
    /// What is known of updates, [`RECORD_SECTORS`] sectors.
    Records,
}

/// Sectors of [`Region::Records`]: boot record, release and key set, each twice.
pub const RECORD_SECTORS: u32 = 6;

/// The flash did not do it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlashError;

impl From<FlashError> for Refusal {
    fn from(_: FlashError) -> Self {
        Self::new(
            Code::NoSpace,
            format_args!("the flash cannot be read or written"),
        )
    }
}

/// A NOR flash in parts; every call returns when it is done.
pub trait Flash {
    /// Bytes of a part.
    fn size(&mut self, region: Region) -> u32;

    /// Fill `bytes` from `at` on.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or is not within the part.
    fn read(&mut self, region: Region, at: u32, bytes: &mut [u8]) -> Result<(), FlashError>;

    /// Write to where it was erased; `at` and the length are multiples of 4.
    ///
    /// # Errors
    ///
    /// When it cannot be written, or is not within the part.
    fn write(&mut self, region: Region, at: u32, bytes: &[u8]) -> Result<(), FlashError>;

    /// Erase the sector that begins at `at`.
    ///
    /// # Errors
    ///
    /// When it cannot be erased, or is none.
    fn erase(&mut self, region: Region, at: u32) -> Result<(), FlashError>;
}

/// CRC-32 as zlib's. Bit by bit: it is asked for some hundred bytes.
#[must_use]
pub fn crc32(bytes: &[u8]) -> u32 {
    crc32_from(u32::MAX, bytes)
}

/// CRC-32 begun with another value, not inverted before.
pub(crate) fn crc32_from(start: u32, bytes: &[u8]) -> u32 {
    let crc = bytes.iter().fold(start, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg())
        })
    });
    !crc
}

/// Bytes of the longest text that is kept in two copies, with what stands around it.
pub(crate) const MOST: usize = 320;
/// Magic, count and checksum.
pub(crate) const AROUND: usize = 12;

/// A text of `SIZE - 12` bytes kept in two sectors: `magic | u32 count | text | u32 CRC-32 of all before`.
///
/// The copy that is whole and has the higher count (which may wrap) counts; the other is the next to be written. So a
/// write that is cut short leaves the text as it was.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Copies<const SIZE: usize> {
    magic: [u8; 4],
    /// Of [`Region::Records`], the first of two.
    sector: u32,
    count: u32,
    newest: u32,
}

/// What two copies hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Held<const SIZE: usize> {
    /// The newest whole copy, with what stands around it.
    Text([u8; SIZE]),
    /// Never written.
    Nothing,
    /// There is something, and none is whole.
    Lost,
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// The count of a copy that is whole.
fn whole(magic: [u8; 4], copy: &[u8]) -> Option<u32> {
    let (body, sum) = copy.split_last_chunk::<4>()?;
    let fine = body.starts_with(&magic) && u32::from_le_bytes(*sum) == crc32(body);
    fine.then(|| word(body, 4))?
}

/// Which of two copies counts, and what it holds: the rule, without a flash.
pub(crate) fn newest<const SIZE: usize>(
    magic: [u8; 4],
    copies: &[Option<[u8; SIZE]>; 2],
) -> (Held<SIZE>, u32, u32) {
    let [first, second] = copies;
    let counts = copies.map(|copy| copy.and_then(|copy| whole(magic, &copy)));
    let (which, count, found) = match counts {
        [Some(a), Some(b)] if b.wrapping_sub(a) < 1 << 31 => (1, b, second),
        [Some(a), _] => (0, a, first),
        [None, Some(b)] => (1, b, second),
        [None, None] => (1, 0, &None),
    };
    let held = match found {
        Some(copy) => Held::Text(*copy),
        None if copies.iter().all(Option::is_none) => Held::Nothing,
        None => Held::Lost,
    };
    (held, which, count)
}

impl<const SIZE: usize> Copies<SIZE> {
    pub(crate) const fn new(magic: [u8; 4], sector: u32) -> Self {
        Self {
            magic,
            sector,
            count: 0,
            newest: 1,
        }
    }

    fn at(&self, copy: u32) -> u32 {
        self.sector.saturating_add(copy).saturating_mul(SECTOR)
    }

    /// What is held; a copy that was never written reads as 0xff.
    pub(crate) fn load<F: Flash>(&mut self, flash: &mut F) -> Result<Held<SIZE>, FlashError> {
        let mut copies = [None; 2];
        for (which, copy) in (0..).zip(&mut copies) {
            let mut bytes = [0; SIZE];
            flash.read(Region::Records, self.at(which), &mut bytes)?;
            *copy = bytes.iter().any(|b| *b != 0xff).then_some(bytes);
        }
        let (held, which, count) = newest(self.magic, &copies);
        (self.newest, self.count) = (which, count);
        Ok(held)
    }

    /// Replace the text, which `load` was asked for before; the one before stands until this one does.
    pub(crate) fn store<F: Flash>(&mut self, flash: &mut F, text: &[u8]) -> Result<(), FlashError> {
        let mut bytes = [0; SIZE];
        let count = self.count.wrapping_add(1);
        let (body, sum) = bytes.split_last_chunk_mut::<4>().ok_or(FlashError)?;
        let parts = [&self.magic[..], &count.to_le_bytes(), text];
        for (to, from) in body.iter_mut().zip(parts.into_iter().flatten()) {
            *to = *from;
        }
        *sum = crc32(body).to_le_bytes();
        let copy = self.newest ^ 1;
        let at = self.at(copy);
        flash.erase(Region::Records, at)?;
        flash.write(Region::Records, at, &bytes)?;
        let mut read = [0; SIZE];
        flash.read(Region::Records, at, &mut read)?;
        if read != bytes {
            return Err(FlashError);
        }
        (self.newest, self.count) = (copy, count);
        Ok(())
    }
}
