//! An answer's bytes, taken piece by piece: header, body or chunks.

use core::fmt;

use heapless::Vec;

use super::Range;
use super::text::{SPACE, content_range, field, lines, number, trim};
use crate::{Code, Refusal, error::Trouble};

/// Bytes of an answer's header; hawkBit's have some 600.
pub const MAX_HEAD: usize = 4096;
const MAX_CHUNK_LINE: usize = 64; // a size in hex digits, and perhaps an extension

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Head,
    Body,
    ChunkSize,
    Chunk,
    ChunkEnd,
    Trailers,
    Done,
}

/// One answer. Without a range any 2xx status but 206 is one; with it only 206 with exactly that range is.
#[derive(Debug)]
pub struct Answer {
    state: State,
    head: Vec<u8, MAX_HEAD>,
    /// Bytes that headers may still have, those of interim answers included.
    room: usize,
    wanted: Option<Range>,
    limit: u64,
    size: u64,
    left: u64,
    keep: bool,
}

fn bad(text: fmt::Arguments<'_>) -> Trouble {
    Refusal::new(Code::BadAnswer, text).into()
}

fn bad_range(text: fmt::Arguments<'_>) -> Trouble {
    Refusal::new(Code::BadRange, text).into()
}

/// What the fields of a header say.
#[derive(Default)]
struct Fields {
    length: Option<u64>,
    chunked: bool,
    place: Option<Range>,
}

impl Answer {
    /// An answer whose body has at most `limit` bytes, or is exactly the range `wanted`.
    #[must_use]
    pub fn new(limit: usize, wanted: Option<Range>) -> Self {
        let limit = match wanted {
            Some(range) => range.last.saturating_sub(range.first).saturating_add(1),
            None => u64::try_from(limit).unwrap_or(u64::MAX),
        };
        Self {
            state: State::Head,
            head: Vec::new(),
            room: MAX_HEAD,
            wanted,
            limit,
            size: 0,
            left: 0,
            keep: true,
        }
    }

    /// Whether it is complete.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Whether the connection can take another request, once it is complete.
    #[must_use]
    pub const fn keeps(&self) -> bool {
        self.keep
    }

    /// Take from the front of `data` what belongs to it; a piece of the body, or nothing when all was taken, or it is
    /// done.
    ///
    /// # Errors
    ///
    /// `bad_answer`, `bad_range`, `too_long`; those of a server that may answer otherwise later are passing.
    pub fn feed<'d>(&mut self, data: &mut &'d [u8]) -> Result<Option<&'d [u8]>, Trouble> {
        while !data.is_empty() {
            match self.state {
                State::Done => break,
                State::Body | State::Chunk => {
                    let take = usize::try_from(self.left)
                        .unwrap_or(usize::MAX)
                        .min(data.len());
                    let (piece, rest) = data.split_at_checked(take).unwrap_or_default();
                    *data = rest;
                    let taken = u64::try_from(take).unwrap_or_default();
                    self.size = self.size.saturating_add(taken);
                    self.left = self.left.saturating_sub(taken);
                    if self.left == 0 {
                        self.state = if self.state == State::Chunk {
                            State::ChunkEnd
                        } else {
                            State::Done
                        };
                    }
                    return Ok(Some(piece));
                }
                State::Head => self.feed_head(data)?,
                State::ChunkSize | State::ChunkEnd | State::Trailers => self.feed_line(data)?,
            }
        }
        Ok(None)
    }

    fn feed_head(&mut self, data: &mut &[u8]) -> Result<(), Trouble> {
        while let Some((first, rest)) = data.split_first() {
            *data = rest;
            if self.head.len() >= self.room || self.head.push(*first).is_err() {
                let why = format_args!("the answer's header exceeds {MAX_HEAD} bytes");
                return Err(Refusal::new(Code::TooLong, why).into());
            }
            if self.head.ends_with(b"\r\n\r\n") {
                let head = core::mem::take(&mut self.head);
                self.room = self.room.saturating_sub(head.len());
                return self
                    .read_head(head.get(..head.len().saturating_sub(4)).unwrap_or_default());
            }
        }
        Ok(())
    }

    fn read_head(&mut self, head: &[u8]) -> Result<(), Trouble> {
        let mut lines =
            lines(head).ok_or_else(|| bad(format_args!("a line end that is half of one")))?;
        let first = lines.next().unwrap_or_default();
        let mut words = first.splitn(3, |c| *c == b' ');
        let version = words.next().unwrap_or_default();
        let status = words
            .next()
            .filter(|word| word.len() == 3)
            .and_then(|word| number(word, 10));
        let (Some(status), b"HTTP/1.1" | b"HTTP/1.0") = (status, version) else {
            return Err(bad(format_args!("this is not HTTP/1.1")));
        };
        self.keep = version == b"HTTP/1.1";
        match status {
            101 => return Err(bad(format_args!("101: another protocol was not asked for"))),
            100..200 => return Ok(()), // an interim answer; the one that counts follows
            _ => {}
        }
        let mut fields = Fields::default();
        for line in lines {
            self.read_field(line, &mut fields)?;
        }
        self.check_status(status, fields.place)?;
        self.begin_body(status, &fields)
    }

    fn read_field(&mut self, line: &[u8], fields: &mut Fields) -> Result<(), Trouble> {
        let (name, value) =
            field(line).ok_or_else(|| bad(format_args!("a line of the header is none")))?;
        let is = |text: &str| name.eq_ignore_ascii_case(text.as_bytes());
        if is("content-length") {
            let length = number(value, 10)
                .ok_or_else(|| bad(format_args!("Content-Length is no number")))?;
            if fields
                .length
                .replace(length)
                .is_some_and(|before| before != length)
            {
                return Err(bad(format_args!("two different Content-Length")));
            }
        } else if is("transfer-encoding") {
            fields.chunked = true;
            if !value.eq_ignore_ascii_case(b"chunked") {
                return Err(bad(format_args!("a Transfer-Encoding other than chunked")));
            }
        } else if is("content-encoding") && !value.eq_ignore_ascii_case(b"identity") {
            return Err(bad(format_args!("a Content-Encoding was not asked for")));
        } else if is("content-range") {
            fields.place = content_range(value);
        } else if is("connection") {
            self.keep &= !value
                .windows(5)
                .any(|word| word.eq_ignore_ascii_case(b"close"));
        }
        Ok(())
    }

    fn check_status(&self, status: u64, place: Option<Range>) -> Result<(), Trouble> {
        if matches!(status, 401 | 403 | 429) || status >= 500 {
            // A token, too, may be put right.
            return Err(Trouble::passing(
                Code::BadAnswer,
                format_args!("the update server answers {status}"),
            ));
        }
        match (self.wanted, status) {
            (Some(_), 200 | 416) => Err(bad_range(format_args!(
                "{status} where a range was asked for"
            ))),
            (Some(wanted), 206) if place == Some(wanted) => Ok(()),
            (Some(_), 206) => Err(bad_range(format_args!(
                "another Content-Range than was asked for"
            ))),
            (_, 300..400) => Err(bad(format_args!("{status}: a redirect is not followed"))),
            (None, 200..=205 | 207..=299) => Ok(()),
            _ => Err(bad(format_args!("the update server answers {status}"))),
        }
    }

    fn begin_body(&mut self, status: u64, fields: &Fields) -> Result<(), Trouble> {
        if fields.chunked && fields.length.is_some() {
            return Err(bad(format_args!("both Content-Length and chunks")));
        }
        match fields.length {
            Some(length) if self.wanted.is_some() && length != self.limit => {
                let why = format_args!("{length} bytes for a range of {}", self.limit);
                return Err(bad_range(why));
            }
            _ if status == 204 => self.state = State::Done,
            _ if fields.chunked => self.state = State::ChunkSize,
            None => return Err(bad(format_args!("neither Content-Length nor chunks"))),
            Some(length) => {
                self.check_limit(length)?;
                self.left = length;
                self.state = if length == 0 {
                    State::Done
                } else {
                    State::Body
                };
            }
        }
        Ok(())
    }

    fn check_limit(&self, more: u64) -> Result<(), Trouble> {
        let size = self.size.saturating_add(more);
        if size <= self.limit {
            return Ok(());
        }
        let code = if self.wanted.is_some() {
            Code::BadRange
        } else {
            Code::TooLong
        };
        let why = format_args!("a body of {size} bytes; at most {} are read", self.limit);
        Err(Refusal::new(code, why).into())
    }

    fn feed_line(&mut self, data: &mut &[u8]) -> Result<(), Trouble> {
        let limit = if self.state == State::Trailers {
            MAX_HEAD
        } else {
            MAX_CHUNK_LINE
        };
        while let Some((first, rest)) = data.split_first() {
            *data = rest;
            let pushed = self.head.push(*first).is_ok();
            if *first == b'\n' && pushed {
                let line = core::mem::take(&mut self.head);
                return self.read_line(trim(&line, b" \t\r\n"));
            }
            if !pushed || self.head.len() >= limit {
                let why = format_args!("a chunk's line exceeds {limit} bytes");
                return Err(Refusal::new(Code::TooLong, why).into());
            }
        }
        Ok(())
    }

    fn read_line(&mut self, line: &[u8]) -> Result<(), Trouble> {
        match self.state {
            State::ChunkEnd if line.is_empty() => self.state = State::ChunkSize,
            State::ChunkEnd => return Err(bad(format_args!("a chunk is longer than it says"))),
            State::ChunkSize => {
                let digits = line.split(|c| *c == b';').next().unwrap_or_default();
                let size = number(trim(digits, SPACE), 16)
                    .ok_or_else(|| bad(format_args!("a chunk's size is no number")))?;
                self.check_limit(size)?;
                self.left = size;
                self.state = if size == 0 {
                    State::Trailers
                } else {
                    State::Chunk
                };
                if size == 0 && self.wanted.is_some() && self.size != self.limit {
                    return Err(bad_range(format_args!(
                        "{} bytes for a range of {}",
                        self.size, self.limit
                    )));
                }
            }
            _ if line.is_empty() => self.state = State::Done,
            _ => return Err(bad(format_args!("trailers after the chunks"))),
        }
        Ok(())
    }
}
