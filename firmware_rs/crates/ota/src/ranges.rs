//! What of a bundle is still to be fetched: the range to ask for next.
//!
//! A bundle is all files of a release one after the other; that of an image has one file.

/// A file of a bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Where it begins in the bundle.
    pub offset: u32,
    /// Its bytes.
    pub size: u32,
    /// Of them, those that are there.
    pub have: u32,
}

impl Missing {
    const fn begin(self) -> u32 {
        self.offset.saturating_add(self.have)
    }

    const fn end(self) -> u32 {
        self.offset.saturating_add(self.size)
    }
}

/// The first and last byte of the next request, at most `most` bytes; `None` when all is there.
///
/// What follows without a gap is asked for at once, whosever it is. Files overlap nowhere, and may come in any order.
pub fn next(files: impl Iterator<Item = Missing> + Clone, most: u32) -> Option<(u32, u32)> {
    let lacking = files.filter(|file| file.have < file.size);
    let first = lacking.clone().map(Missing::begin).min()?;
    let limit = first.saturating_add(most);
    let mut end = first;
    while end < limit
        && let Some(file) = lacking.clone().find(|file| file.begin() == end)
    {
        end = file.end();
    }
    Some((first, end.min(limit).saturating_sub(1)))
}
