//! The manifest of a release: what it is, for whom, and its files. Borrows its text.

use crate::fixed::Reader;
use crate::sign::{Hash, KeyId};
use crate::{Code, Refusal};

/// A device holds it in memory.
pub const MAX_BYTES: usize = 16384;
/// Of an application.
pub const MAX_FILES: usize = 128;
/// Bytes of one file of an application.
pub const MAX_FILE: u32 = 262_144;
/// Bytes of all files of an application: two slots fit the smallest flash, 4 MB.
pub const MAX_TOTAL: u32 = 1 << 20;
/// Bytes of an image: the largest flash on these boards.
pub const MAX_IMAGE: u32 = 16 << 20;
/// Boards of a release.
pub const MAX_BOARDS: usize = 16;
/// Keys that are named, keys of a key set, and signatures in a list.
pub const MAX_KEYS: usize = 8;
/// The highest security version.
pub const MAX_SECURITY: u32 = (1 << 31) - 1;
/// The last second of the year 9999.
pub const MAX_TIME: u64 = 253_402_300_799;
/// The one file of an image.
pub const IMAGE_PATH: &str = "firmware.bin";

const MAX_PATH: usize = 64;
const RESERVED: [&str; 2] = ["manifest.json", "manifest.sig"]; // a slot's own
const SOURCE: &str = "source";

/// Files of a slot, or a whole firmware.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Files of a slot of MicroPython.
    Application,
    /// A whole firmware.
    Image,
}

/// Which firmware.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// The MicroPython application.
    MicroPython,
    /// This firmware.
    Rust,
}

/// One file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct File<'a> {
    /// Where it lies in its slot.
    pub path: &'a str,
    /// Bytes.
    pub size: u32,
    /// SHA-256 of its bytes.
    pub sha256: Hash,
}

/// A checked manifest; fields named as its keys.
#[derive(Clone, Copy, Debug)]
pub struct Manifest<'a> {
    /// What the software is called.
    pub name: &'a str,
    /// For people.
    pub version: &'a str,
    /// A device refuses a lower one than it has found good.
    pub security_version: u32,
    /// Files or a whole firmware.
    pub kind: Kind,
    /// Which firmware.
    pub variant: Variant,
    /// What runs it.
    pub abi: &'a str,
    /// Seconds since 1970.
    pub created: u64,
    /// Seconds since 1970.
    pub expires: u64,
    /// Bytes in the bundle.
    pub total: u32,
    boards: Reader<'a>,
    keys: Reader<'a>,
    files: Reader<'a>,
}

/// What a device is, for which a release may be or not.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// Which firmware runs.
    pub variant: Variant,
    /// Its board.
    pub board: &'a str,
    /// Of applications the code it loads, of images its chip.
    pub abi: &'a str,
    /// Nothing lower is installed.
    pub security_version: u32,
    /// Seconds since 1970, once somebody has told it.
    pub utc_s: Option<u64>,
}

fn is_lower(c: u8) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit()
}

fn in_name(c: u8) -> bool {
    is_lower(c) || c == b'-'
}

fn in_word(c: u8) -> bool {
    is_lower(c) || c == b'_'
}

fn in_version(c: u8) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, b'.' | b'+' | b'-')
}

fn in_abi(c: u8) -> bool {
    is_lower(c) || matches!(c, b'.' | b'-')
}

fn in_path(c: u8) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, b'_' | b'.' | b'/' | b'-')
}

fn board<'a>(r: &mut Reader<'a>) -> Result<&'a str, Refusal> {
    r.text(32, in_word, Code::BadManifest)
}

fn key(r: &mut Reader<'_>) -> Result<KeyId, Refusal> {
    r.hex()
}

/// The items of a list whose text was checked.
fn items<'a, T>(
    mut list: Reader<'a>,
    read: fn(&mut Reader<'a>) -> Result<T, Refusal>,
) -> impl Iterator<Item = T> {
    let begun = list.begin(b'[').is_ok();
    core::iter::from_fn(move || {
        (begun && list.more() == Ok(true))
            .then(|| read(&mut list).ok())
            .flatten()
    })
}

/// Read a list of 1 to `most` items, none of them twice.
fn list<'a, T: PartialEq>(
    r: &mut Reader<'a>,
    most: usize,
    what: &str,
    read: fn(&mut Reader<'a>) -> Result<T, Refusal>,
) -> Result<Reader<'a>, Refusal> {
    let whole = *r;
    let mut count: usize = 0;
    r.begin(b'[')?;
    while r.more()? {
        let item = read(r)?;
        if items(whole, read).take(count).any(|before| before == item) {
            return Err(r.fail(format_args!("one of {what} is there twice")));
        }
        if count == most {
            return Err(r.fail(format_args!("more than {most} {what}")));
        }
        count = count.saturating_add(1);
    }
    if count == 0 {
        return Err(r.fail(format_args!("at least one of {what} is due")));
    }
    Ok(whole)
}

fn one_of<T: Copy>(r: &mut Reader<'_>, words: [(&str, T); 2]) -> Result<T, Refusal> {
    let word = r.text(32, |_| true, Code::BadManifest)?;
    let found = words.iter().find(|(name, _)| *name == word);
    found
        .map(|(_, value)| *value)
        .ok_or_else(|| r.fail(format_args!("neither of {} and {}", words[0].0, words[1].0)))
}

/// Whether a file of a slot may be called so: relative, nowhere up, no name that the slot itself uses.
fn is_path(path: &str) -> bool {
    !RESERVED.contains(&path)
        && !path.ends_with(".part")
        && path.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

/// Whether one is the folder of the other.
fn is_within(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder)
        .is_some_and(|rest| rest.starts_with('/'))
}

/// The path of the next file of a list; the rest of it is read by [`rest_of_file`].
fn path<'a>(r: &mut Reader<'a>) -> Result<&'a str, Refusal> {
    r.begin(b'[')?;
    r.item()?;
    r.text(MAX_PATH, in_path, Code::BadPath)
}

fn rest_of_file<'a>(
    r: &mut Reader<'a>,
    path: &'a str,
    least: u32,
    largest: u32,
) -> Result<File<'a>, Refusal> {
    r.item()?;
    let size = r.small(least, largest, Code::BadSize)?;
    r.item()?;
    let sha256 = r.hex()?;
    r.end(b']')?;
    Ok(File { path, size, sha256 })
}

fn file<'a>(r: &mut Reader<'a>) -> Result<File<'a>, Refusal> {
    let path = path(r)?;
    rest_of_file(r, path, 0, MAX_IMAGE)
}

/// Read the list of files; it and the sum of their sizes.
fn files<'a>(r: &mut Reader<'a>, kind: Kind) -> Result<(Reader<'a>, u32), Refusal> {
    let (most, least, largest) = match kind {
        Kind::Image => (1, 1, MAX_IMAGE),
        Kind::Application => (MAX_FILES, 0, MAX_FILE),
    };
    let whole = *r;
    let mut count: usize = 0;
    let mut total: u32 = 0;
    r.begin(b'[')?;
    while r.more()? {
        if count == most {
            return Err(r.fail(format_args!("more than {most} files")));
        }
        let path = path(r)?;
        if !is_path(path) || (kind == Kind::Image && path != IMAGE_PATH) {
            let why = format_args!("{path} is no path that a release may have");
            return Err(r.refuse(Code::BadPath, why));
        }
        for before in items(whole, file).take(count) {
            if before.path == path {
                return Err(r.refuse(Code::BadPath, format_args!("{path} is there twice")));
            }
            if is_within(path, before.path) || is_within(before.path, path) {
                let why = format_args!("{path}: something is a file and a folder");
                return Err(r.refuse(Code::BadPath, why));
            }
        }
        total = total.saturating_add(rest_of_file(r, path, least, largest)?.size);
        count = count.saturating_add(1);
    }
    if count == 0 {
        return Err(r.fail(format_args!("at least one file is due")));
    }
    Ok((whole, total))
}

impl<'a> Manifest<'a> {
    /// The bytes of manifest.json.
    ///
    /// # Errors
    ///
    /// `too_long`, `unknown_format`, `bad_manifest`, `bad_path`, `bad_size`.
    pub fn parse(data: &'a [u8]) -> Result<Self, Refusal> {
        if data.len() > MAX_BYTES {
            return Err(Refusal::new(
                Code::TooLong,
                format_args!(
                    "manifest.json has {} bytes; at most {MAX_BYTES} are read",
                    data.len()
                ),
            ));
        }
        let bad = Code::BadManifest;
        let mut reader = Reader::new(data, bad);
        let r = &mut reader;
        r.open()?;
        r.key("name")?;
        let name = r.text(32, in_name, bad)?;
        r.key("version")?;
        let version = r.text(32, in_version, bad)?;
        r.key("security_version")?;
        let security_version = r.small(0, MAX_SECURITY, bad)?;
        r.key("kind")?;
        let kind = one_of(
            r,
            [("application", Kind::Application), ("image", Kind::Image)],
        )?;
        r.key("variant")?;
        let variant = one_of(
            r,
            [
                ("micropython", Variant::MicroPython),
                ("rust", Variant::Rust),
            ],
        )?;
        if kind == Kind::Application && variant != Variant::MicroPython {
            return Err(r.fail(format_args!(
                "an application is for micropython; rust has images only"
            )));
        }
        r.key("boards")?;
        let boards = list(r, MAX_BOARDS, "boards", board)?;
        r.key("abi")?;
        let abi = r.text(32, in_abi, bad)?;
        r.key("created")?;
        let created = r.number(0, MAX_TIME, bad)?;
        r.key("expires")?;
        let expires = r.number(created.saturating_add(1), MAX_TIME, bad)?;
        r.key("keys")?;
        let keys = list(r, MAX_KEYS, "keys", key)?;
        r.key("files")?;
        let (files, total) = files(r, kind)?;
        if kind == Kind::Application && total > MAX_TOTAL {
            let why = format_args!("the files have {total} bytes; at most {MAX_TOTAL} are taken");
            return Err(r.refuse(Code::BadSize, why));
        }
        r.finish()?;
        Ok(Self {
            name,
            version,
            security_version,
            kind,
            variant,
            abi,
            created,
            expires,
            total,
            boards,
            keys,
            files,
        })
    }

    /// The boards that it is for, 1 to 16.
    pub fn boards(&self) -> impl Iterator<Item = &'a str> {
        items(self.boards, board)
    }

    /// The ids of those who are to sign it, 1 to 8.
    pub fn keys(&self) -> impl Iterator<Item = KeyId> {
        items(self.keys, key)
    }

    /// Its files with where each begins in the bundle, in that order.
    pub fn files(&self) -> impl Iterator<Item = (u32, File<'a>)> {
        items(self.files, file).scan(0_u32, |end, file| {
            let begin = *end;
            *end = end.saturating_add(file.size);
            Some((begin, file))
        })
    }

    /// Whether it is for this device and this time.
    ///
    /// # Errors
    ///
    /// `wrong_variant`, `wrong_board`, `wrong_abi`, `lower_security_version`, `expired`, in this order.
    pub fn check_for(&self, target: &Target<'_>) -> Result<(), Refusal> {
        if self.variant != target.variant {
            return Err(Refusal::new(
                Code::WrongVariant,
                format_args!("it is for {:?}; this is {:?}", self.variant, target.variant),
            ));
        }
        if !self.boards().any(|board| board == target.board) {
            return Err(Refusal::new(
                Code::WrongBoard,
                format_args!("it is not for the board {}", target.board),
            ));
        }
        if self.abi != target.abi && (self.kind == Kind::Image || self.abi != SOURCE) {
            return Err(Refusal::new(
                Code::WrongAbi,
                format_args!("it is made for {}; this takes {}", self.abi, target.abi),
            ));
        }
        if self.security_version < target.security_version {
            return Err(Refusal::new(
                Code::LowerSecurityVersion,
                format_args!(
                    "its security version is {}; here it is {}",
                    self.security_version, target.security_version
                ),
            ));
        }
        match target.utc_s {
            Some(now) if now >= self.expires => Err(Refusal::new(
                Code::Expired,
                format_args!("it expired at {}; now it is {now}", self.expires),
            )),
            _ => Ok(()),
        }
    }
}
