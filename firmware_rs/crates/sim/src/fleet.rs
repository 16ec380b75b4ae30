//! The devices, each polled when it asked to be or when its socket has news, all in one thread.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use minerva_device::settings::{self, Settings};
use minerva_device::{Device, Identity};
use mio::{Events, Poll, Token, Waker};

use crate::clock::SimClock;
use crate::control::{self, Command};
use crate::microphone::{self, Room, SimMicrophone};
use crate::names::Names;
use crate::network::SimNetwork;
use crate::options::{Options, Source};
use crate::state::StateFile;
use crate::tls::{Authorities, Trust};

/// A ring of 120 s of ADPCM, as the MicroPython application takes without a bound on its memory.
const RING_BYTES: usize = 1 << 20;
/// Devices at most: each has a socket, and the system's usual limit for those is 1024.
const MAX_DEVICES: usize = 1000;
/// Bytes of a file of settings at most.
const MAX_FILE: u64 = (MAX_DEVICES * (settings::MAX_BYTES + 1)) as u64;
/// As the device application's button: contacts bounce for some 10 ms.
const DEBOUNCE: Duration = Duration::from_millis(250);
const COMMANDS: Token = Token(usize::MAX);

/// A device and its world.
struct Unit {
    prefix: String,
    device: Device<'static>,
    microphone: SimMicrophone,
    network: SimNetwork,
    state: StateFile,
    pressed: Option<Instant>,
    due: Instant,
}

/// All devices.
pub struct Fleet {
    clock: SimClock,
    units: Vec<Unit>,
    poll: Poll,
    commands: Receiver<Command>,
}

impl Fleet {
    /// The devices that `options` describe, not yet switched on.
    ///
    /// # Errors
    ///
    /// A text for whoever started the program.
    pub fn new(options: &Options) -> Result<Self, String> {
        let all = read_settings(&options.source)?;
        let recording = microphone::load(&options.wav)?;
        let poll = Poll::new().map_err(|e| format!("the system gives no event queue: {e}"))?;
        let waker = Waker::new(poll.registry(), COMMANDS)
            .map_err(|e| format!("the system gives no waker: {e}"))?;
        let clock = SimClock::new(options.speed, options.boot_ms);
        let names = Names::default();
        let mut units = Vec::with_capacity(all.len());
        for (number, (settings, trust)) in all.iter().enumerate() {
            let alone = matches!(options.source, Source::One(_));
            let begin = if options.spread {
                recording.len() * number / all.len()
            } else {
                0
            };
            let room = Room {
                recording: recording.clone(),
                repeat: options.repeat,
                begin,
                spl: options.spl,
                lossless: options.lossless,
            };
            let registry = poll
                .registry()
                .try_clone()
                .map_err(|e| format!("{}: {e}", settings.device))?;
            let file = if alone {
                "state.json".to_string()
            } else {
                format!("state-{}.json", settings.device)
            };
            let ring = if settings.ring_bytes == 0 {
                RING_BYTES
            } else {
                settings.ring_bytes as usize
            };
            // Devices live as long as the program.
            let memory = vec![0; Device::memory_bytes(ring)].leak();
            let identity = Identity {
                board: "virtual",
                version: env!("CARGO_PKG_VERSION"),
                slot: "main",
                features: true,
                start_ms: options.boot_ms,
            };
            let device = Device::new(settings, identity, memory, random)
                .map_err(|e| format!("{}: {e}", settings.device))?;
            units.push(Unit {
                prefix: if alone {
                    String::new()
                } else {
                    format!("{}: ", settings.device)
                },
                device,
                microphone: SimMicrophone::new(clock, room),
                network: SimNetwork::new(
                    registry,
                    Token(number),
                    settings,
                    trust.clone(),
                    names.clone(),
                ),
                state: StateFile::open(options.folder.join(file)),
                pressed: None,
                due: Instant::now(),
            });
        }
        Ok(Self {
            clock,
            units,
            poll,
            commands: control::listen(Arc::new(waker)),
        })
    }

    /// Run until standard input says or has its end.
    ///
    /// # Errors
    ///
    /// When the system's event queue or the log fails.
    pub fn run(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        let mut heap: BinaryHeap<_> = (0..self.units.len())
            .map(|i| Reverse((self.units[i].due, i)))
            .collect();
        loop {
            let now = Instant::now();
            let wait = heap
                .peek()
                .map(|Reverse((due, _))| due.saturating_duration_since(now));
            match self.poll.poll(&mut events, wait) {
                Err(e) if e.kind() != io::ErrorKind::Interrupted => return Err(e),
                _ => {}
            }
            while let Ok(command) = self.commands.try_recv() {
                if !self.obey(&command)? {
                    return self.units.iter().try_for_each(Unit::sum_up);
                }
                for (number, unit) in self.units.iter_mut().enumerate() {
                    unit.due = Instant::now();
                    heap.push(Reverse((unit.due, number)));
                }
            }
            for event in &events {
                let Token(number) = event.token();
                if let Some(unit) = self.units.get_mut(number) {
                    unit.network.ready(event.is_readable(), event.is_writable());
                    unit.due = unit.poll(&self.clock)?;
                    heap.push(Reverse((unit.due, number)));
                }
            }
            // Those that were due when this round began: the sockets are asked again before any second turn.
            let now = Instant::now();
            while let Some(&Reverse((due, number))) = heap.peek()
                && due <= now
            {
                heap.pop();
                let unit = &mut self.units[number];
                if unit.due == due {
                    unit.due = unit.poll(&self.clock)?.max(now + Duration::from_micros(1));
                    heap.push(Reverse((unit.due, number)));
                }
            }
        }
    }

    /// Do what a command says; false when it was the last.
    fn obey(&mut self, command: &Command) -> io::Result<bool> {
        match command {
            Command::Quit => return Ok(false),
            Command::Press => {
                for unit in &mut self.units {
                    unit.press()?;
                }
            }
            Command::Wifi(up) => self
                .units
                .iter_mut()
                .for_each(|unit| unit.network.set_wifi(*up)),
            Command::Microphone(works) => {
                self.units
                    .iter_mut()
                    .for_each(|unit| unit.microphone.set_works(*works));
            }
            Command::Network(flows) => {
                self.units
                    .iter_mut()
                    .for_each(|unit| unit.network.set_flows(*flows));
                let takes = if *flows { "all" } else { "nothing" };
                writeln!(io::stdout(), "virtual board: the network takes {takes}")?;
            }
            Command::Unknown(line) => writeln!(
                io::stdout(),
                "virtual board: {line:?} is not one of quit, mic off, mic on, net flow, net stall, press, wifi down, wifi up"
            )?,
        }
        Ok(true)
    }
}

impl Unit {
    /// Poll the device and log what it says; when it wants to be polled again.
    fn poll(&mut self, clock: &SimClock) -> io::Result<Instant> {
        let wait_ms = self.device.poll(
            clock,
            &mut self.microphone,
            &mut self.network,
            &mut self.state,
        );
        self.log()?;
        Ok(Instant::now() + clock.real(wait_ms))
    }

    fn press(&mut self) -> io::Result<()> {
        if self.pressed.is_none_or(|at| at.elapsed() >= DEBOUNCE) {
            self.pressed = Some(Instant::now());
            self.device
                .press_button(&mut self.microphone, &mut self.state);
        }
        self.log()
    }

    /// What only shows at the end.
    fn sum_up(&self) -> io::Result<()> {
        match self.microphone.lost() {
            0 => Ok(()),
            lost => writeln!(
                io::stdout(),
                "{}virtual board: {lost} samples were not read in time",
                self.prefix
            ),
        }
    }

    fn log(&mut self) -> io::Result<()> {
        for line in self.microphone.take_said() {
            writeln!(io::stdout(), "{}{line}", self.prefix)?;
        }
        while let Some(note) = self.device.take_note() {
            writeln!(io::stdout(), "{}{note}", self.prefix)?;
        }
        Ok(())
    }
}

fn random() -> u64 {
    match getrandom::u64() {
        Ok(number) => number,
        // Without randomness there is no boot_id: no computer that runs this is without.
        Err(error) => {
            eprintln!("minerva-sim: the system gives no randomness: {error}");
            std::process::exit(1)
        }
    }
}

/// Each device's settings and, by TLS, whom it trusts.
fn read_settings(source: &Source) -> Result<Vec<(Settings, Option<Trust>)>, String> {
    let mut authorities = Authorities::default();
    match source {
        Source::One(path) => {
            let text = read(path, settings::MAX_BYTES as u64 + 1)?;
            let one =
                check(&text, &mut authorities).map_err(|e| format!("{}: {e}", path.display()))?;
            Ok(vec![one])
        }
        Source::Fleet(path) => {
            let text = read(path, MAX_FILE + 1)?;
            if text.len() as u64 > MAX_FILE {
                return Err(format!(
                    "{}: more than {MAX_FILE} bytes, which {MAX_DEVICES} devices have at most",
                    path.display()
                ));
            }
            let lines = text
                .split(|b| *b == b'\n')
                .enumerate()
                .filter(|(_, line)| !line.trim_ascii().is_empty());
            let all = lines
                .map(|(n, line)| {
                    check(line, &mut authorities)
                        .map_err(|e| format!("{}, line {}: {e}", path.display(), n + 1))
                })
                .collect::<Result<Vec<_>, _>>()?;
            if all.is_empty() || all.len() > MAX_DEVICES {
                return Err(format!(
                    "{}: {} devices; wanted 1 to {MAX_DEVICES}",
                    path.display(),
                    all.len()
                ));
            }
            let mut known = HashSet::new();
            match all
                .iter()
                .find(|(one, _)| !known.insert(one.device.as_str()))
            {
                // They would share what survives a restart, and the hub would end one for the other.
                Some((twice, _)) => Err(format!(
                    "{}: device {} stands in it twice",
                    path.display(),
                    twice.device
                )),
                None => Ok(all),
            }
        }
    }
}

/// A file, as much as one byte beyond what is allowed.
fn read(path: &Path, limit: u64) -> Result<Vec<u8>, String> {
    use std::io::Read;
    let mut text = Vec::new();
    fs::File::open(path)
        .and_then(|file| file.take(limit).read_to_end(&mut text))
        .map_err(|e| format!("{}: cannot be read ({e})", path.display()))?;
    Ok(text)
}

/// One device's settings; an error without the name of the file, which the caller knows.
fn check(text: &[u8], authorities: &mut Authorities) -> Result<(Settings, Option<Trust>), String> {
    let settings = settings::parse(text).map_err(|e| e.why().to_string())?;
    if settings.board != "virtual" {
        return Err(format!(
            "board is '{}'; minerva-sim is the board 'virtual'",
            settings.board
        ));
    }
    let trust = authorities.trust(&settings)?;
    Ok((settings, trust))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_told_by_the_name_of_the_file_and_the_line() {
        let folder = std::env::temp_dir().join(format!("minerva-sim-fleet-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("kitchen.json");
        let good =
            r#"{"version":1,"device":"a","board":"virtual","url":"ws://127.0.0.1:1/","token":"t"}"#;
        for (wrong, said) in [
            (good.replace("virtual", "xiao"), "board is 'xiao'"),
            (good.replace("\"t\"", "7"), "token is (not shown)"),
            (String::new(), "not JSON"),
        ] {
            fs::write(&path, &wrong).unwrap();
            let problem = read_settings(&Source::One(path.clone())).unwrap_err();
            assert!(
                problem.starts_with(&format!("{}: {said}", path.display())),
                "{problem}"
            );
            fs::write(&path, format!("{good}\n{}\n", wrong + "x")).unwrap();
            let problem = read_settings(&Source::Fleet(path.clone())).unwrap_err();
            assert!(
                problem.starts_with(&format!("{}, line 2: ", path.display())),
                "{problem}"
            );
            assert!(!problem.contains("settings.json"), "{problem}");
        }
        fs::remove_dir_all(&folder).unwrap();
    }
}
