//! The command line.

use std::ffi::OsString;
use std::fmt::Display;
use std::path::PathBuf;
use std::str::FromStr;

use lexopt::prelude::*;

/// An INMP441's overload point: -26 dBFS at 94 dB SPL. A WAV's full scale cannot stand for more.
pub const FULL_SCALE_SPL: f64 = 120.0;
/// The longest wait of a device, 2^32 ms, then takes 14 years: a time that a computer's clock can still name.
pub const MIN_SPEED: f64 = 0.01;
/// A thousand times real time is beyond what any computer keeps up with.
pub const MAX_SPEED: f64 = 1000.0;
/// As `time_ms` in docs/protocol.md.
const MAX_BOOT_MS: u64 = 1 << 53;

/// Shown by --help.
pub const HELP: &str = "\
minerva-sim: Minerva's device on a computer. Its microphone hears a WAV file, its hub is a real one.

Usage: minerva-sim --settings FILE --wav FILE [options]
       minerva-sim --fleet FILE --wav FILE [options]

  --settings FILE  settings.json of one device
  --fleet FILE     settings of many devices, one JSON object a line
  --wav FILE       what is to be heard: mono, 16 bits, 16 kHz
  --loop           begin again at its end; else the room falls silent
  --spread         with --loop and --fleet: each device begins at a place of its own
  --spl DB         what a full-scale sine in it stands for, in dB SPL (120)
  --speed X        how many times faster than real time, 0.01 to 1000 (1)
  --boot-ms MS     how long the device has been on (0)
  --lossless       a busy computer delays samples but loses none
  --folder FOLDER  where what survives a restart is kept (.)
  --help, --version

Lines on standard input: press, mic off, mic on, net stall, net flow, wifi down, wifi up, quit. It ends at the end of
standard input.
";

/// Where the settings come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// One device.
    One(PathBuf),
    /// One a line.
    Fleet(PathBuf),
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Wish {
    /// Show this text.
    Say(String),
    /// Run devices.
    Run(Options),
}

/// How devices are to run.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Who they are.
    pub source: Source,
    /// What they hear.
    pub wav: PathBuf,
    /// Again and again.
    pub repeat: bool,
    /// Each from a place of its own.
    pub spread: bool,
    /// dB SPL of full scale.
    pub spl: f64,
    /// Times real time.
    pub speed: f64,
    /// Device time at the start.
    pub boot_ms: u64,
    /// Late reading loses nothing.
    pub lossless: bool,
    /// For state.json.
    pub folder: PathBuf,
}

/// Read the command line.
///
/// # Errors
///
/// A text that names the option, its value and what is allowed.
pub fn parse(arguments: impl IntoIterator<Item = impl Into<OsString>>) -> Result<Wish, String> {
    read(lexopt::Parser::from_iter(arguments)).map_err(|e| e.to_string())
}

fn read(mut parser: lexopt::Parser) -> Result<Wish, lexopt::Error> {
    let mut source = None;
    let mut wav = None;
    let (mut repeat, mut spread, mut lossless) = (false, false, false);
    let (mut spl, mut speed, mut boot_ms) = (FULL_SCALE_SPL, 1.0, 0);
    let mut folder = PathBuf::from(".");
    while let Some(argument) = parser.next()? {
        match argument {
            Long("settings" | "fleet") if source.is_some() => {
                return Err("only one of --settings and --fleet, and it once".into());
            }
            Long("settings") => source = Some(Source::One(parser.value()?.into())),
            Long("fleet") => source = Some(Source::Fleet(parser.value()?.into())),
            Long("wav") => wav = Some(parser.value()?.into()),
            Long("loop") => repeat = true,
            Long("spread") => spread = true,
            Long("lossless") => lossless = true,
            Long("spl") => {
                let bound = "a number of at most 120, where an INMP441 overloads";
                spl = number(&mut parser, "--spl", bound, |db: &f64| {
                    *db <= FULL_SCALE_SPL
                })?;
            }
            Long("speed") => {
                let bound = "a number from 0.01 to 1000";
                speed = number(&mut parser, "--speed", bound, |x: &f64| {
                    (MIN_SPEED..=MAX_SPEED).contains(x)
                })?;
            }
            Long("boot-ms") => {
                let bound = "a whole number from 0 to 2^53";
                boot_ms = number(&mut parser, "--boot-ms", bound, |ms: &u64| {
                    *ms <= MAX_BOOT_MS
                })?;
            }
            Long("folder") => folder = parser.value()?.into(),
            Long("help") => return Ok(Wish::Say(HELP.to_string())),
            Long("version") => {
                return Ok(Wish::Say(format!(
                    "minerva-sim {}\n",
                    env!("CARGO_PKG_VERSION")
                )));
            }
            _ => return Err(argument.unexpected()),
        }
    }
    let source = source.ok_or("--settings or --fleet is missing; --help shows how to use it")?;
    if spread && !(repeat && matches!(source, Source::Fleet(_))) {
        return Err("--spread needs --loop and --fleet: a device elsewhere in the recording hears its beginning later".into());
    }
    let wav = wav.ok_or("--wav is missing; --help shows how to use it")?;
    Ok(Wish::Run(Options {
        source,
        wav,
        repeat,
        spread,
        spl,
        speed,
        boot_ms,
        lossless,
        folder,
    }))
}

fn number<T: FromStr + Display>(
    parser: &mut lexopt::Parser,
    name: &str,
    bound: &str,
    good: impl Fn(&T) -> bool,
) -> Result<T, lexopt::Error> {
    let text = parser.value()?.string()?;
    match text.parse::<T>() {
        Ok(value) if good(&value) => Ok(value),
        _ => Err(format!("{name} is {text}; it must be {bound}").into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(line: &str) -> String {
        parse(line.split_whitespace().map(str::to_string)).unwrap_err()
    }

    #[test]
    fn a_full_line() {
        let line = "minerva-sim --fleet f.jsonl --wav a.wav --loop --spread --spl 110.97 --speed 4 --boot-ms 7 \
                    --lossless --folder x";
        let Ok(Wish::Run(options)) = parse(line.split_whitespace().map(str::to_string)) else {
            panic!("not understood");
        };
        assert_eq!(options.source, Source::Fleet("f.jsonl".into()));
        assert_eq!(
            (options.spl, options.speed, options.boot_ms),
            (110.97, 4.0, 7)
        );
        assert!(options.repeat && options.spread && options.lossless);
        assert_eq!(options.folder, PathBuf::from("x"));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (line, said) in [
            (
                "s --settings a --wav b --speed 0",
                "--speed is 0; it must be",
            ),
            (
                "s --settings a --wav b --speed 1e-300",
                "--speed is 1e-300; it must be a number from 0.01 to 1000",
            ),
            ("s --settings a --wav b --speed 0.009", "0.01"),
            ("s --settings a --wav b --speed 1000.1", "1000"),
            ("s --settings a --wav b --speed inf", "--speed is inf"),
            ("s --settings a --wav b --speed nan", "--speed is nan"),
            ("s --settings a --wav b --spl 121", "at most 120"),
            ("s --settings a --wav b --spl NaN", "--spl is NaN"),
            ("s --settings a --wav b --boot-ms -1", "--boot-ms is -1"),
            ("s --settings a --wav b --boot-ms 9007199254740993", "2^53"),
            (
                "s --settings a --fleet b --wav c",
                "only one of --settings and --fleet, and it once",
            ),
            ("s --settings a --wav b --spread", "--spread needs"),
            ("s --settings a --wav b --lop", "--lop"),
            ("s --settings a", "--wav is missing"),
            ("s --wav a", "--settings or --fleet is missing"),
            ("s --settings", "missing argument"),
        ] {
            let problem = error(line);
            assert!(problem.contains(said), "{line}: {problem}");
        }
    }
}
