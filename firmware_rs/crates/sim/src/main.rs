//! `minerva-sim`: the device on a computer. Its microphone hears a WAV file; its hub is a real one.

mod clock;
mod control;
mod fleet;
mod microphone;
mod names;
mod network;
mod options;
mod state;
mod tls;

use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

use options::Wish;

/// Wrong options, settings or recording.
const BAD_INPUT: u8 = 2;

fn main() -> ExitCode {
    let options = match options::parse(std::env::args_os()) {
        Ok(Wish::Run(options)) => options,
        Ok(Wish::Say(text)) => return ended(io::stdout().write_all(text.as_bytes())),
        Err(problem) => return refused(&problem),
    };
    match fleet::Fleet::new(&options) {
        Ok(mut fleet) => ended(fleet.run()),
        Err(problem) => refused(&problem),
    }
}

fn refused(problem: &str) -> ExitCode {
    eprintln!("minerva-sim: {problem}");
    ExitCode::from(BAD_INPUT)
}

/// Nobody reads the log any more: that is an end like another.
fn ended(result: io::Result<()>) -> ExitCode {
    match result {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            eprintln!("minerva-sim: {error}");
            ExitCode::FAILURE
        }
        _ => ExitCode::SUCCESS,
    }
}
