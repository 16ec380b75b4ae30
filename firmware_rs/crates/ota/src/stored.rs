//! What is kept of updates beside the boot record: the key set in force, and the release that fills a slot.
//!
//! ```text
//! key set   "MNVK" | u32 count | u32 version | u8 threshold | u8 keys | 2 x 0 | 8 x 32 keys | u32 CRC-32
//! release   "MNVR" | u32 count | u8 slot | u8 whole | 2 x 0 | u32 have | u32 size | u32 security version
//!           | 32 SHA-256 of the image | 32 of the manifest | u32 CRC-32
//! ```

use heapless::Vec;

use crate::flash::{AROUND, Copies, Flash, FlashError, Held, MOST, Slot};
use crate::keyset::{Key, KeySet};
use crate::manifest::MAX_KEYS;
use crate::sign::Hash;

const KEYS_BYTES: usize = AROUND + 8 + 32 * MAX_KEYS;
const RELEASE_BYTES: usize = AROUND + 16 + 64;
const _: () = assert!(KEYS_BYTES <= MOST && RELEASE_BYTES <= MOST);

/// The key set in force, once it was rotated; before, the settings' own counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keys(Copies<KEYS_BYTES>);

impl Keys {
    pub(crate) fn load<F: Flash>(flash: &mut F) -> Result<(Self, Option<KeySet>), FlashError> {
        let mut copies = Copies::new(*b"MNVK", 4);
        let set = match copies.load(flash)? {
            Held::Text(text) => unpack_keys(&text),
            Held::Nothing | Held::Lost => None,
        };
        Ok((Self(copies), set))
    }

    pub(crate) fn store<F: Flash>(
        &mut self,
        flash: &mut F,
        set: &KeySet,
    ) -> Result<(), FlashError> {
        let mut out: Vec<u8, KEYS_BYTES> = Vec::new();
        let count = u8::try_from(set.keys().count()).unwrap_or_default();
        let parts = [
            &set.version().to_le_bytes()[..],
            &[set.threshold(), count, 0, 0],
        ];
        let keys = set.keys().map(|(_, key)| &key[..]);
        for part in parts.into_iter().chain(keys) {
            out.extend_from_slice(part).map_err(|_| FlashError)?;
        }
        self.0.store(flash, &out)
    }
}

fn unpack_keys(copy: &[u8; KEYS_BYTES]) -> Option<KeySet> {
    let (version, rest) = copy.get(8..)?.split_first_chunk::<4>()?;
    let (head, rest) = rest.split_first_chunk::<4>()?;
    let [threshold, count, ..] = *head;
    let (keys, _) = rest.as_chunks::<32>();
    let keys: &[Key] = keys.get(..usize::from(count))?;
    KeySet::new(u32::from_le_bytes(*version), threshold, keys)
}

/// The release that fills a slot, or has filled it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Release {
    /// The slot that it is for.
    pub slot: Slot,
    /// All of it is there, and was read back.
    pub whole: bool,
    /// Bytes of it that are there at least, full sectors.
    pub have: u32,
    /// Bytes of the image.
    pub size: u32,
    /// Of its manifest.
    pub security_version: u32,
    /// SHA-256 of the image.
    pub image: Hash,
    /// SHA-256 of its manifest.
    pub manifest: Hash,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Releases(Copies<RELEASE_BYTES>);

impl Releases {
    pub(crate) fn load<F: Flash>(flash: &mut F) -> Result<(Self, Option<Release>), FlashError> {
        let mut copies = Copies::new(*b"MNVR", 2);
        let release = match copies.load(flash)? {
            Held::Text(text) => unpack_release(&text),
            Held::Nothing | Held::Lost => None,
        };
        Ok((Self(copies), release))
    }

    pub(crate) fn store<F: Flash>(
        &mut self,
        flash: &mut F,
        release: &Release,
    ) -> Result<(), FlashError> {
        let mut out: Vec<u8, RELEASE_BYTES> = Vec::new();
        let slot = u8::from(release.slot == Slot::B);
        let parts = [
            &[slot, u8::from(release.whole), 0, 0][..],
            &release.have.to_le_bytes(),
            &release.size.to_le_bytes(),
            &release.security_version.to_le_bytes(),
            &release.image,
            &release.manifest,
        ];
        for part in parts {
            out.extend_from_slice(part).map_err(|_| FlashError)?;
        }
        self.0.store(flash, &out)
    }
}

fn unpack_release(copy: &[u8; RELEASE_BYTES]) -> Option<Release> {
    let (head, rest) = copy.get(8..)?.split_first_chunk::<4>()?;
    let (numbers, rest) = rest.split_first_chunk::<12>()?;
    let (image, rest) = rest.split_first_chunk::<32>()?;
    let manifest = rest.first_chunk::<32>()?;
    let [slot, whole, ..] = *head;
    let (words, _) = numbers.as_chunks::<4>();
    let [have, size, security_version] = *words else {
        return None;
    };
    Some(Release {
        slot: if slot == 0 { Slot::A } else { Slot::B },
        whole: whole == 1,
        have: u32::from_le_bytes(have),
        size: u32::from_le_bytes(size),
        security_version: u32::from_le_bytes(security_version),
        image: *image,
        manifest: *manifest,
    })
}
