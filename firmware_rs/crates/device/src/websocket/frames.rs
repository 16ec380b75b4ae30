//! Outgoing frames: header, mask, payload in place.

use core::ops::Range;

use super::WebSocketError;

/// Bytes that an outgoing frame's header needs before its payload: 2, a 16-bit size, the mask.
pub const ROOM: usize = 8;
/// Bytes of a control frame's payload at most (RFC 6455, 5.5).
pub const MAX_CONTROL: usize = 125;

/// Kinds of frames that a device sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Opcode {
    /// A control message.
    Text = 1,
    /// A media packet.
    Binary = 2,
    /// Good-bye.
    Close = 8,
    /// Are you there?
    Ping = 9,
    /// The answer to it.
    Pong = 10,
}

/// Frame the payload in `buffer[ROOM..ROOM + size]` in place, masked; the bytes to send are `buffer[range]`.
///
/// # Errors
///
/// `FrameTooLong`; nothing was changed.
pub fn frame(
    buffer: &mut [u8],
    opcode: Opcode,
    size: usize,
    mask: [u8; 4],
) -> Result<Range<usize>, WebSocketError> {
    let limit = buffer.len().saturating_sub(ROOM).min(usize::from(u16::MAX));
    let too_long = WebSocketError::FrameTooLong { size, limit };
    let end = ROOM.saturating_add(size);
    let (Ok(short), Some(used)) = (u16::try_from(size), buffer.get_mut(..end)) else {
        return Err(too_long);
    };
    let Some((header, payload)) = used.split_first_chunk_mut::<ROOM>() else {
        return Err(too_long);
    };
    for (byte, key) in payload.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= key;
    }
    let first = 0x80 | opcode as u8;
    let [m0, m1, m2, m3] = mask;
    Ok(match u8::try_from(size) {
        Ok(tiny @ ..126) => {
            *header = [0, 0, first, 0x80 | tiny, m0, m1, m2, m3];
            2..end
        }
        _ => {
            let [high, low] = short.to_be_bytes();
            *header = [first, 0x80 | 126, high, low, m0, m1, m2, m3];
            0..end
        }
    })
}

/// Like [`frame`], with a payload from elsewhere.
///
/// # Errors
///
/// `FrameTooLong`.
pub fn frame_of(
    buffer: &mut [u8],
    opcode: Opcode,
    payload: &[u8],
    mask: [u8; 4],
) -> Result<Range<usize>, WebSocketError> {
    let end = ROOM.saturating_add(payload.len());
    if let Some(place) = buffer.get_mut(ROOM..end) {
        place.copy_from_slice(payload); // of the same length: that is how `place` was taken
    }
    frame(buffer, opcode, payload.len(), mask)
}

/// A close frame with `code` and as much of `reason` as fits.
///
/// # Errors
///
/// `FrameTooLong`.
pub fn close_frame(
    buffer: &mut [u8],
    code: u16,
    reason: &str,
    mask: [u8; 4],
) -> Result<Range<usize>, WebSocketError> {
    let mut payload = [0; MAX_CONTROL];
    let end = reason.floor_char_boundary(MAX_CONTROL - 2);
    let mut size = 0;
    let bytes = code.to_be_bytes();
    for (place, byte) in payload
        .iter_mut()
        .zip(bytes.iter().chain(reason.as_bytes().iter().take(end)))
    {
        *place = *byte;
        size = usize::saturating_add(size, 1);
    }
    frame_of(
        buffer,
        Opcode::Close,
        payload.get(..size).unwrap_or_default(),
        mask,
    )
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;

    #[test]
    fn a_close_frame_takes_what_fits_of_its_reason() {
        let mut out = [0; 256];
        let range = close_frame(&mut out, 1008, &"ä".repeat(100), [0; 4]).unwrap();
        let frame = &out[range];
        // Two bytes of the code, and 61 characters of two bytes: one more would be 126.
        assert_eq!(frame[..8], [0x88, 0x80 | 124, 0, 0, 0, 0, 3, 0xF0]);
        assert_eq!(
            core::str::from_utf8(&frame[8..]),
            Ok("ä".repeat(61).as_str())
        );
    }
}
