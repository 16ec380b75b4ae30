//! The codec for programs: lines in, lines out. The contract tests compare it with Python's.
//!
//! A line is `device`, `hub` or `media`, and the frame in hex. The answer is `ok` and the frame as it is written anew, in
//! hex, or the code of the error.

use std::io::{self, BufRead, Write};

use minerva_wire::control::{
    MAX_TEXT, SCRATCH, decode_from_device, decode_from_hub, encode_from_device, encode_from_hub,
};
use minerva_wire::media::{self, MAX_MEDIA};
use minerva_wire::{Code, WireError};

fn anew(what: &str, frame: &[u8]) -> Result<Vec<u8>, WireError> {
    let mut scratch = SCRATCH;
    let mut out = [0; MAX_MEDIA];
    let size = match what {
        "device" => encode_from_device(
            &decode_from_device(frame, &mut scratch)?,
            &mut out[..MAX_TEXT],
        ),
        "hub" => encode_from_hub(&decode_from_hub(frame, &mut scratch)?, &mut out[..MAX_TEXT]),
        "media" => media::decode(frame)
            .and_then(|(header, payload)| media::encode(&header, payload, &mut out)),
        _ => Err(WireError::new(
            Code::Internal,
            format_args!("{what} is not device, hub or media"),
        )),
    }?;
    Ok(out[..size].to_vec())
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    text.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

fn main() -> io::Result<()> {
    let mut out = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let line = line?;
        let (what, hex) = line.split_once(' ').unwrap_or((&line, ""));
        let Some(frame) = unhex(hex) else {
            return Err(io::Error::other(format!("not hex: {hex}")));
        };
        match anew(what, &frame) {
            Ok(bytes) => {
                let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                writeln!(out, "ok {hex}")?;
            }
            Err(error) => writeln!(out, "{}", error.code)?,
        }
    }
    Ok(())
}
