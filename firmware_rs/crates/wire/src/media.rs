//! Media packets: a header of twelve bytes, little-endian, and one to ten frames.

use crate::error::{Code, WireError};

/// Samples a second.
pub const SAMPLE_RATE: u32 = 16_000;
/// Milliseconds of a frame of audio.
pub const FRAME_MS: u32 = 20;
/// Samples of a frame of audio.
pub const FRAME_SAMPLES: usize = 320;
/// Milliseconds from one frame of `logmel_u8` to the next.
pub const HOP_MS: u32 = 10;
/// Bytes of a frame of `logmel_u8`.
pub const MEL_BANDS: usize = 64;
/// Frames of a packet: 200 ms of audio; longer packets would only add delay.
pub const MAX_FRAMES: u8 = 10;
/// Frames of a packet when nobody asks for another number.
pub const DEFAULT_FRAMES: u8 = 3;
/// Bytes of a header.
pub const HEADER: usize = 12;
/// Bytes of an ADPCM packet before its samples: predictor, step index, zero.
pub const ADPCM_STATE: usize = 4;
/// Bytes of a packet: ten frames of 16-bit audio.
pub const MAX_MEDIA: usize = HEADER + 10 * FRAME_SAMPLES * 2;

/// Flag: first packet after the gate opened, or after a discontinuity of time.
pub const BEGINS: u8 = 1;
/// Flag: the gate closes after this packet.
pub const ENDS: u8 = 2;
const FLAGS: u8 = BEGINS | ENDS;

/// What the payload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// 16-bit samples.
    PcmS16le = 1,
    /// Four bits a sample, after the state before the first of them.
    ImaAdpcm = 2,
    /// 64 bands of one byte each 10 ms.
    LogmelU8 = 3,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::PcmS16le, Self::ImaAdpcm, Self::LogmelU8];

    /// As it stands in messages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PcmS16le => "pcm_s16le",
            Self::ImaAdpcm => "ima_adpcm",
            Self::LogmelU8 => "logmel_u8",
        }
    }

    /// Whether this is audio; `logmel_u8` is features.
    #[must_use]
    pub const fn is_audio(self) -> bool {
        !matches!(self, Self::LogmelU8)
    }

    const fn byte(self) -> u8 {
        match self {
            Self::PcmS16le => 1,
            Self::ImaAdpcm => 2,
            Self::LogmelU8 => 3,
        }
    }

    fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.byte() == byte)
    }
}

impl core::fmt::Display for Kind {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What stands before a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// What the payload is.
    pub kind: Kind,
    /// [`BEGINS`], [`ENDS`] or both.
    pub flags: u8,
    /// 0 is the microphone.
    pub stream: u8,
    /// 1 to [`MAX_FRAMES`].
    pub frames: u8,
    /// Counts packets of this boot and stream; wraps.
    pub seq: u32,
    /// Device time of the first sample, modulo 2^32.
    pub time_ms: u32,
}

impl Header {
    /// The twelve bytes, unchecked: for a ring that fills a packet in place.
    #[must_use]
    pub const fn to_bytes(&self) -> [u8; HEADER] {
        let [s0, s1, s2, s3] = self.seq.to_le_bytes();
        let [t0, t1, t2, t3] = self.time_ms.to_le_bytes();
        [
            self.kind.byte(),
            self.flags,
            self.stream,
            self.frames,
            s0,
            s1,
            s2,
            s3,
            t0,
            t1,
            t2,
            t3,
        ]
    }

    /// How long the packet sounds.
    #[must_use]
    pub fn duration_ms(&self) -> u32 {
        duration_ms(self.kind, self.frames)
    }
}

/// Bytes of payload in a packet of `frames` frames.
#[must_use]
pub fn payload_size(kind: Kind, frames: u8) -> usize {
    // At most 255 x 640 + 4: nothing here saturates.
    let frames = usize::from(frames);
    match kind {
        Kind::PcmS16le => frames.saturating_mul(FRAME_SAMPLES * 2),
        Kind::ImaAdpcm => frames
            .saturating_mul(FRAME_SAMPLES / 2)
            .saturating_add(ADPCM_STATE),
        Kind::LogmelU8 => frames.saturating_mul(MEL_BANDS),
    }
}

/// How long a packet of `frames` frames sounds.
#[must_use]
pub fn duration_ms(kind: Kind, frames: u8) -> u32 {
    let frame_ms = if kind.is_audio() { FRAME_MS } else { HOP_MS };
    u32::from(frames).saturating_mul(frame_ms)
}

fn check(header: &Header, payload: usize) -> Result<(), WireError> {
    let Header {
        kind,
        flags,
        frames,
        ..
    } = *header;
    check_frames(frames)?;
    check_flags(flags)?;
    let want = payload_size(kind, frames);
    if payload == want {
        return Ok(());
    }
    Err(WireError::new(
        Code::BadMedia,
        format_args!("payload of {payload} bytes; {kind} with {frames} frames has {want}"),
    ))
}

fn check_frames(frames: u8) -> Result<(), WireError> {
    if (1..=MAX_FRAMES).contains(&frames) {
        return Ok(());
    }
    Err(WireError::new(
        Code::BadMedia,
        format_args!("{frames} frames in a packet; 1 to {MAX_FRAMES} are allowed"),
    ))
}

fn check_flags(flags: u8) -> Result<(), WireError> {
    if flags & !FLAGS == 0 {
        return Ok(());
    }
    Err(WireError::new(
        Code::BadMedia,
        format_args!("flags 0x{flags:02x}; only 0x{FLAGS:02x} are defined"),
    ))
}

/// Write one packet to the beginning of `out`; the bytes it has.
///
/// # Errors
///
/// `bad_media` when header and payload do not fit each other, `too_long` when `out` has no room.
pub fn encode(header: &Header, payload: &[u8], out: &mut [u8]) -> Result<usize, WireError> {
    check(header, payload.len())?;
    let size = HEADER.saturating_add(payload.len());
    let room = out.len();
    let Some((head, body)) = out
        .get_mut(..size)
        .and_then(|packet| packet.split_first_chunk_mut::<HEADER>())
    else {
        return Err(WireError::new(
            Code::TooLong,
            format_args!("packet of {size} bytes exceeds this side's buffer of {room}"),
        ));
    };
    *head = header.to_bytes();
    body.copy_from_slice(payload);
    Ok(size)
}

/// A packet as its header and payload.
///
/// # Errors
///
/// `too_long`, `bad_media` or `unknown_kind`, with what a peer sent and what is allowed.
pub fn decode(data: &[u8]) -> Result<(Header, &[u8]), WireError> {
    let size = data.len();
    if size > MAX_MEDIA {
        return Err(WireError::new(
            Code::TooLong,
            format_args!("packet of {size} bytes exceeds the {MAX_MEDIA}-byte limit"),
        ));
    }
    let Some((&head, payload)) = data.split_first_chunk::<HEADER>() else {
        return Err(WireError::new(
            Code::BadMedia,
            format_args!("packet of {size} bytes is shorter than its {HEADER}-byte header"),
        ));
    };
    let [kind, flags, stream, frames, s0, s1, s2, s3, t0, t1, t2, t3] = head;
    check_frames(frames)?;
    check_flags(flags)?;
    let Some(kind) = Kind::from_byte(kind) else {
        return Err(WireError::new(
            Code::UnknownKind,
            format_args!("media kind {kind} is not one of 1, 2, 3"),
        ));
    };
    let header = Header {
        kind,
        flags,
        stream,
        frames,
        seq: u32::from_le_bytes([s0, s1, s2, s3]),
        time_ms: u32::from_le_bytes([t0, t1, t2, t3]),
    };
    check(&header, payload.len())?;
    Ok((header, payload))
}

/// How far sequence number (or time) `a` is after `b`, modulo 2^32.
#[must_use]
pub const fn serial_diff(a: u32, b: u32) -> i32 {
    a.wrapping_sub(b).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serial_arithmetic() {
        for (a, b, want) in [
            (1, 0, 1),
            (0, 1, -1),
            (0, u32::MAX, 1),
            (u32::MAX, 0, -1),
            (1 << 30, (1 << 30) - 1, 1),
            (1 << 31, 0, i32::MIN),
            ((1 << 31) - 1, 0, i32::MAX),
        ] {
            assert_eq!(serial_diff(a, b), want, "{a} after {b}");
        }
    }

    #[test]
    fn our_own_faults_are_refused() {
        let header = Header {
            kind: Kind::LogmelU8,
            flags: 0,
            stream: 0,
            frames: 1,
            seq: 0,
            time_ms: 0,
        };
        let mut out = [0; 76];
        assert_eq!(encode(&header, &[7; 64], &mut out), Ok(76));
        let codes = [
            encode(&header, &[7; 63], &mut out),
            encode(
                &Header {
                    frames: 0,
                    ..header
                },
                &[],
                &mut out,
            ),
            encode(&Header { flags: 4, ..header }, &[7; 64], &mut out),
            encode(&header, &[7; 64], &mut out[..75]),
        ]
        .map(|result| result.unwrap_err().code);
        assert_eq!(
            codes,
            [
                Code::BadMedia,
                Code::BadMedia,
                Code::BadMedia,
                Code::TooLong
            ]
        );
    }
}
