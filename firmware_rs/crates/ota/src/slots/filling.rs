//! An image on its way into a slot: hashed as it comes, written by pages, restored after a restart.

use sha2::{Digest, Sha256};

use crate::flash::{Flash, FlashError, Region, SECTOR, Slot};
use crate::sign::Hash;
use crate::stored::Release;
use crate::{Code, Refusal};

/// Bytes that are written, hashed or read back at a time.
pub const PAGE: usize = 1024;

pub(super) const fn whole_sectors(bytes: u32) -> u32 {
    bytes & !SECTOR.wrapping_sub(1)
}

/// SHA-256 of the first `size` bytes of a slot.
pub(super) fn hash_of<F: Flash>(flash: &mut F, slot: Slot, size: u32) -> Result<Hash, FlashError> {
    let mut hash = Sha256::new();
    let mut at = 0;
    while at < size {
        at = at.saturating_add(hash_page(flash, slot, at, size, &mut hash)?);
    }
    Ok(hash.finalize().into())
}

/// Hash the page at `at`; its bytes.
fn hash_page<F: Flash>(
    flash: &mut F,
    slot: Slot,
    at: u32,
    end: u32,
    hash: &mut Sha256,
) -> Result<u32, FlashError> {
    let mut page = [0; PAGE];
    let size = usize::try_from(end.saturating_sub(at))
        .unwrap_or(PAGE)
        .min(PAGE);
    let page = page.get_mut(..size).ok_or(FlashError)?;
    flash.read(Region::Slot(slot), at, page)?;
    hash.update(&page);
    u32::try_from(size).map_err(|_| FlashError)
}

/// As chips want what they write.
#[derive(Clone, Debug)]
#[repr(align(4))]
pub(super) struct Page(pub(super) [u8; PAGE]);

/// An image on its way into a slot. It is hashed as it comes, page by page.
#[derive(Clone, Debug)]
pub struct Filling {
    pub(super) release: Release,
    pub(super) hash: Sha256,
    /// Bytes on the flash, full pages until the last.
    pub(super) have: u32,
    pub(super) page: Page,
    pub(super) used: usize,
}

impl Filling {
    /// Bytes that are there, in the flash or on the way.
    #[must_use]
    pub fn got(&self) -> u32 {
        self.have
            .saturating_add(u32::try_from(self.used).unwrap_or_default())
    }

    /// Bytes of the image.
    #[must_use]
    pub const fn wanted(&self) -> u32 {
        self.release.size
    }

    /// Whether all of it is on the flash.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        self.have == self.release.size
    }

    /// Hash the next page of what an earlier start left; false when there is no more. Before the first `write`.
    ///
    /// # Errors
    ///
    /// When the flash cannot be read.
    pub fn restore<F: Flash>(&mut self, flash: &mut F) -> Result<bool, FlashError> {
        if self.have >= self.release.have {
            return Ok(false);
        }
        let size = hash_page(
            flash,
            self.release.slot,
            self.have,
            self.release.have,
            &mut self.hash,
        )?;
        self.have = self.have.saturating_add(size);
        Ok(true)
    }

    /// The next bytes of the image.
    ///
    /// # Errors
    ///
    /// `bad_size` beyond its end, `bad_hash` at its end, `no_space`.
    pub fn write<F: Flash>(&mut self, flash: &mut F, mut bytes: &[u8]) -> Result<(), Refusal> {
        while !bytes.is_empty() {
            let left = self.release.size.saturating_sub(self.got());
            let room = self.page.0.get_mut(self.used..).unwrap_or_default();
            let take = room
                .len()
                .min(bytes.len())
                .min(usize::try_from(left).unwrap_or(PAGE));
            let Some((now, later)) = bytes.split_at_checked(take).filter(|_| take > 0) else {
                return Err(Refusal::new(
                    Code::BadSize,
                    format_args!("more than the image's {} bytes came", self.release.size),
                ));
            };
            for (to, from) in room.iter_mut().zip(now) {
                *to = *from;
            }
            self.used = self.used.saturating_add(take);
            bytes = later;
            if self.used == PAGE || self.got() == self.release.size {
                self.flush(flash)?;
            }
        }
        Ok(())
    }

    fn flush<F: Flash>(&mut self, flash: &mut F) -> Result<(), Refusal> {
        let region = Region::Slot(self.release.slot);
        if self.have.is_multiple_of(SECTOR) {
            flash.erase(region, self.have)?;
        }
        let page = self.page.0.get(..self.used).unwrap_or_default();
        self.hash.update(page);
        let size = u32::try_from(self.used).unwrap_or_default();
        // Writes are of whole words; what follows the image stays as it was erased.
        let padded = self.used.next_multiple_of(4);
        if let Some(rest) = self.page.0.get_mut(self.used..padded) {
            rest.fill(0xff);
        }
        flash.write(
            region,
            self.have,
            self.page.0.get(..padded).unwrap_or_default(),
        )?;
        self.have = self.have.saturating_add(size);
        self.used = 0;
        if !self.is_done() {
            return Ok(());
        }
        let hash: Hash = self.hash.clone().finalize().into();
        if hash != self.release.image {
            return Err(Refusal::new(
                Code::BadHash,
                format_args!("the image is not what the manifest says"),
            ));
        }
        Ok(())
    }
}
