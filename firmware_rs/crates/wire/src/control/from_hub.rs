//! Messages of the hub.

use super::{FromHub, Scratch};
use crate::error::{Code, WireError};

/// Decode.
///
/// # Errors
/// Always for now.
pub fn decode_from_hub<'a>(
    _data: &'a [u8],
    _scratch: &'a mut Scratch,
) -> Result<FromHub<'a>, WireError> {
    Err(WireError::new(Code::Internal, format_args!("not yet")))
}

/// Encode.
///
/// # Errors
/// Always for now.
pub fn encode_from_hub(_message: &FromHub<'_>, _out: &mut [u8]) -> Result<usize, WireError> {
    Err(WireError::new(Code::Internal, format_args!("not yet")))
}
