//! A NOR flash in memory whose power fails at a write or erase, and ESP-IDF's bootloader with rollback.

use minerva_ota::flash::{Flash, FlashError, RECORD_SECTORS, Region, SECTOR, Slot};
use minerva_ota::select::{self, Entry, State};
use minerva_ota::sign::sha256;

/// What of the operation was done when the power failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Nothing.
    Before,
    /// So many quarters of it, and of a byte half its bits.
    Torn(usize),
    /// All, but nobody was told.
    After,
}

impl Cut {
    /// Every kind.
    pub const ALL: [Self; 5] = [
        Self::Before,
        Self::Torn(1),
        Self::Torn(2),
        Self::Torn(3),
        Self::After,
    ];
}

/// The flash of one device.
#[derive(Clone)]
pub struct Chip {
    slots: [Vec<u8>; 2],
    select: Vec<u8>,
    records: Vec<u8>,
    /// Writes and erases so far.
    pub operations: usize,
    /// At which of them the power fails, and how.
    pub cut: Option<(usize, Cut)>,
    /// The power failed; nothing works until `power_on`.
    pub dead: bool,
}

fn index(slot: Slot) -> usize {
    usize::from(slot == Slot::B)
}

impl Chip {
    /// A flash as `image` was written to it by USB, to be started from `slot`.
    pub fn new(slot_bytes: usize, slot: Slot, image: &[u8]) -> Self {
        let sector = usize::try_from(SECTOR).unwrap();
        let mut chip = Self {
            slots: [vec![0xff; slot_bytes], vec![0xff; slot_bytes]],
            select: vec![0xff; 2 * sector],
            records: vec![0xff; usize::try_from(RECORD_SECTORS).unwrap() * sector],
            operations: 0,
            cut: None,
            dead: false,
        };
        chip.slots[index(slot)][..image.len()].copy_from_slice(image);
        if slot == Slot::B {
            let entry = Entry {
                sequence: 2,
                state: State::Valid,
            };
            chip.select[..32].copy_from_slice(&entry.pack());
        }
        chip
    }

    /// Erase, and write `bytes` from a sector's beginning on, as it is done by USB.
    #[allow(dead_code, reason = "not what the power cuts themselves need")]
    pub fn put(&mut self, region: Region, at: u32, bytes: &[u8]) {
        let sector = usize::try_from(SECTOR).unwrap();
        for (at, piece) in (at..).step_by(sector).zip(bytes.chunks(sector)) {
            let mut piece = piece.to_vec();
            piece.resize(piece.len().next_multiple_of(4), 0xff);
            self.erase(region, at).unwrap();
            self.write(region, at, &piece).unwrap();
        }
    }

    fn part(&mut self, region: Region) -> &mut Vec<u8> {
        match region {
            Region::Slot(slot) => &mut self.slots[index(slot)],
            Region::Select => &mut self.select,
            Region::Records => &mut self.records,
        }
    }

    /// The image in a slot, when the bootloader would take it: its length, its bytes, its own checksum.
    pub fn image(&self, slot: Slot) -> Option<&[u8]> {
        let bytes = &self.slots[index(slot)];
        let size = bytes.strip_prefix(b"IMG!")?.first_chunk::<4>()?;
        let image = bytes.get(..usize::try_from(u32::from_le_bytes(*size)).ok()?)?;
        let (body, sum) = image.split_last_chunk::<32>()?;
        (sha256(body) == *sum).then_some(image)
    }

    /// The operation that begins now: what of it is done, and whether the power is gone afterwards.
    fn operate(&mut self) -> Option<Cut> {
        let now = self.operations;
        self.operations += 1;
        let (_, cut) = self.cut.filter(|(at, _)| *at == now)?;
        self.dead = true;
        Some(cut)
    }

    /// The power is back: the slot that the bootloader starts. `None`: there is none, or the power failed again.
    pub fn power_on(&mut self) -> Option<Slot> {
        self.dead = false;
        let mut entries = select::entries(self).ok()?;
        for (at, entry) in entries.iter_mut().enumerate() {
            if let Some(entry) = entry.as_mut().filter(|entry| entry.state == State::Pending) {
                entry.state = State::Aborted;
                select::write(self, at, *entry).ok()?;
            }
        }
        let best = entries
            .into_iter()
            .enumerate()
            .filter_map(|(at, entry)| {
                entry
                    .filter(|entry| entry.may_start())
                    .map(|entry| (at, entry))
            })
            .max_by_key(|(_, entry)| entry.sequence);
        let chosen = best.map_or(Slot::A, |(_, entry)| entry.slot());
        if let Some((at, entry)) = best.filter(|(_, entry)| entry.state == State::New) {
            let state = State::Pending;
            select::write(self, at, Entry { state, ..entry }).ok()?;
        }
        if self.image(chosen).is_some() {
            return Some(chosen);
        }
        let other = chosen.other();
        self.image(other)?;
        let sequence = if other == Slot::A { 1 } else { 2 };
        select::write(
            self,
            0,
            Entry {
                sequence,
                state: State::Valid,
            },
        )
        .ok()?;
        self.erase(Region::Select, SECTOR).ok()?;
        Some(other)
    }
}

impl Flash for Chip {
    fn size(&mut self, region: Region) -> u32 {
        self.part(region).len().try_into().unwrap()
    }

    fn read(&mut self, region: Region, at: u32, bytes: &mut [u8]) -> Result<(), FlashError> {
        if self.dead {
            return Err(FlashError);
        }
        let at = usize::try_from(at).unwrap();
        bytes.copy_from_slice(
            self.part(region)
                .get(at..at + bytes.len())
                .ok_or(FlashError)?,
        );
        Ok(())
    }

    fn write(&mut self, region: Region, at: u32, bytes: &[u8]) -> Result<(), FlashError> {
        if self.dead {
            return Err(FlashError);
        }
        assert!(
            at.is_multiple_of(4) && bytes.len().is_multiple_of(4),
            "not whole words"
        );
        let cut = self.operate();
        let at = usize::try_from(at).unwrap();
        let to = self
            .part(region)
            .get_mut(at..at + bytes.len())
            .ok_or(FlashError)?;
        assert!(
            to.iter().all(|byte| *byte == 0xff),
            "written without having been erased"
        );
        let done = match cut {
            Some(Cut::Before) => 0,
            Some(Cut::Torn(quarters)) => bytes.len() * quarters / 4,
            Some(Cut::After) | None => bytes.len(),
        };
        to[..done].copy_from_slice(&bytes[..done]);
        if matches!(cut, Some(Cut::Torn(_))) {
            to[done] = bytes[done] | 0x0f;
        }
        if cut.is_some() {
            Err(FlashError)
        } else {
            Ok(())
        }
    }

    fn erase(&mut self, region: Region, at: u32) -> Result<(), FlashError> {
        if self.dead {
            return Err(FlashError);
        }
        assert!(at.is_multiple_of(SECTOR), "no sector");
        let cut = self.operate();
        let at = usize::try_from(at).unwrap();
        let sector = usize::try_from(SECTOR).unwrap();
        let to = self
            .part(region)
            .get_mut(at..at + sector)
            .ok_or(FlashError)?;
        match cut {
            Some(Cut::Before) => {}
            // Cells rise together: some bytes are erased already, of others some bits, of others none.
            Some(Cut::Torn(quarters)) => {
                for (i, byte) in to.iter_mut().enumerate() {
                    *byte |= match (i * 7 + quarters) % 4 {
                        n if n < quarters => 0xff,
                        n if n == quarters => 0x5a,
                        _ => 0,
                    };
                }
            }
            Some(Cut::After) | None => to.fill(0xff),
        }
        if cut.is_some() {
            Err(FlashError)
        } else {
            Ok(())
        }
    }
}
