//! What somebody does to the devices, as lines on standard input.

use std::io::{self, BufRead, Read};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use mio::Waker;

/// Longer lines are no command.
const MAX_LINE: u64 = 64;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// The button of each device.
    Press,
    /// The Wi-Fi is there, or not.
    Wifi(bool),
    /// The microphone works, or gives nothing.
    Microphone(bool),
    /// The network takes what the devices say, or nothing.
    Network(bool),
    /// `quit`, or the end of the input: the program never outlives who started it.
    Quit,
    /// Anything else.
    Unknown(String),
}

impl Command {
    fn of(line: &str) -> Self {
        match line {
            "press" => Self::Press,
            "wifi up" => Self::Wifi(true),
            "wifi down" => Self::Wifi(false),
            "mic on" => Self::Microphone(true),
            "mic off" => Self::Microphone(false),
            "net flow" => Self::Network(true),
            "net stall" => Self::Network(false),
            "quit" => Self::Quit,
            other => Self::Unknown(other.to_string()),
        }
    }
}

/// Read standard input in a thread of its own; `waker` is told of each command.
pub fn listen(waker: Arc<Waker>) -> Receiver<Command> {
    let (sender, commands) = channel();
    thread::spawn(move || {
        read(io::stdin().lock(), &sender, || waker.wake().is_ok());
    });
    commands
}

fn read(mut input: impl BufRead, sender: &Sender<Command>, wake: impl Fn() -> bool) {
    loop {
        let mut line = Vec::new();
        let command = match input.by_ref().take(MAX_LINE).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => Command::Quit,
            Ok(_) => Command::of(String::from_utf8_lossy(&line).trim_end()),
        };
        let last = command == Command::Quit;
        if sender.send(command).is_err() || !wake() || last {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_commands_and_the_end_is_one() {
        let (sender, commands) = channel();
        let long = "x".repeat(64);
        let text = format!("press\nwifi down\r\nwifi up\n{long}{long}\n\nwifi");
        read(text.as_bytes(), &sender, || true);
        let got: Vec<_> = commands.try_iter().collect();
        let unknown = |s: &str| Command::Unknown(s.to_string());
        assert_eq!(
            got[..3],
            [Command::Press, Command::Wifi(false), Command::Wifi(true)]
        );
        assert_eq!(got[3..5], [unknown(&long), unknown(&long)]);
        assert_eq!(
            got[5..],
            [unknown(""), unknown(""), unknown("wifi"), Command::Quit]
        );
    }
}
