//! Messages of the device.

use super::{FromDevice, Scratch};
use crate::error::{Code, WireError};

/// Decode.
///
/// # Errors
/// Always for now.
pub fn decode_from_device<'a>(
    _data: &'a [u8],
    _scratch: &'a mut Scratch,
) -> Result<FromDevice<'a>, WireError> {
    Err(WireError::new(Code::Internal, format_args!("not yet")))
}

/// Encode.
///
/// # Errors
/// Always for now.
pub fn encode_from_device(_message: &FromDevice<'_>, _out: &mut [u8]) -> Result<usize, WireError> {
    Err(WireError::new(Code::Internal, format_args!("not yet")))
}
