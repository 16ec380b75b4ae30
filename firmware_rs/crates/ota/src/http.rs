//! HTTP/1.1 as the client of one server needs it: a request's bytes out, an answer's bytes in.
//!
//! No redirect is followed, no encoding asked for, and nothing is read beyond the bounds: a header of 4096 bytes, a body
//! of the limit or exactly the range that was asked for.

mod answer;
mod pace;
mod text;

use core::fmt::{self, Write};

pub use answer::{Answer, MAX_HEAD};
pub use pace::Pace;
pub use text::content_range;

/// A range of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The first byte.
    pub first: u64,
    /// The last byte.
    pub last: u64,
    /// Bytes of the file.
    pub total: u64,
}

/// Write the head of a request to `out`: it is followed by `body_size` bytes of JSON where there are any.
///
/// # Errors
///
/// When `out` is full.
#[expect(clippy::too_many_arguments, reason = "the parts of a request")]
pub fn request(
    out: &mut impl Write,
    method: &str,
    host: &str,
    port: u16,
    path: &str,
    token: &str,
    body_size: Option<usize>,
    range: Option<Range>,
) -> fmt::Result {
    let (open, close) = if host.contains(':') {
        ("[", "]")
    } else {
        ("", "")
    };
    write!(
        out,
        "{method} {path} HTTP/1.1\r\nHost: {open}{host}{close}:{port}\r\n"
    )?;
    write!(out, "Authorization: TargetToken {token}\r\n")?;
    match range {
        Some(range) => write!(
            out,
            "Accept: */*\r\nRange: bytes={}-{}\r\n",
            range.first, range.last
        )?,
        None => write!(out, "Accept: application/json, */*\r\n")?,
    }
    if let Some(size) = body_size {
        write!(
            out,
            "Content-Type: application/json\r\nContent-Length: {size}\r\n"
        )?;
    }
    write!(out, "\r\n")
}
