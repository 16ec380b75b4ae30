//! Who may hear what: privacy modes, the ceiling and mute, decided on the device.
//!
//! The hub may make a device more private at any time. Only the button or USB may raise it above its ceiling or
//! end a mute that was made at the button; nothing that comes over the link can.

use core::fmt;

use crate::error::{Code, WireError};

/// Modes from most to least private.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    /// Nothing leaves the device, nothing is captured.
    Mute,
    /// Levels and recognised sounds.
    Events,
    /// Those, and log-mel features.
    Features,
    /// Levels, events and audio while the gate is open.
    Speech,
    /// Levels, events and all audio.
    Full,
}

impl Mode {
    /// Every mode, most private first.
    pub const ALL: [Self; 5] = [
        Self::Mute,
        Self::Events,
        Self::Features,
        Self::Speech,
        Self::Full,
    ];

    /// As it stands in messages and settings.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mute => "mute",
            Self::Events => "events",
            Self::Features => "features",
            Self::Speech => "speech",
            Self::Full => "full",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whether the device is muted, and who did it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Muted {
    /// Not at all.
    Off,
    /// By the hub, which may end it.
    Hub,
    /// At the button, and only there it ends.
    Button,
}

impl Muted {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Off, Self::Hub, Self::Button];

    /// As it stands in messages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Hub => "hub",
            Self::Button => "button",
        }
    }
}

impl fmt::Display for Muted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A set of modes: those a device has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Modes([bool; 5]);

impl Modes {
    /// All five.
    pub const ALL: Self = Self([true; 5]);
    /// Those of a device that computes no features.
    pub const WITHOUT_FEATURES: Self = Self([true, true, false, true, true]);

    /// Whether `mode` is one of them.
    #[must_use]
    pub fn has(self, mode: Mode) -> bool {
        self.iter().any(|one| one == mode)
    }

    /// The modes of the set, most private first.
    pub fn iter(self) -> impl Iterator<Item = Mode> {
        Mode::ALL
            .into_iter()
            .zip(self.0)
            .filter_map(|(mode, has)| has.then_some(mode))
    }
}

/// What an order of the hub did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Whether the state is another now.
    pub changed: bool,
    /// What to answer, where the order was not followed as it stood; not fatal.
    pub refusal: Option<WireError>,
}

/// The device's privacy state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Privacy {
    ceiling: Mode,
    modes: Modes,
    mode: Mode,
    muted: Muted,
}

impl Privacy {
    /// A device that has `modes`, at `mode` as far as its ceiling and its modes allow.
    #[must_use]
    pub fn new(ceiling: Mode, modes: Modes, mode: Mode, muted: Muted) -> Self {
        let mut privacy = Self {
            ceiling,
            modes,
            mode: Mode::Mute,
            muted,
        };
        privacy.mode = privacy.nearest(mode);
        privacy
    }

    /// The least private mode that this device has, at most as open as `mode` and the ceiling.
    fn nearest(&self, mode: Mode) -> Mode {
        let limit = mode.min(self.ceiling);
        self.modes
            .iter()
            .take_while(|candidate| *candidate <= limit)
            .last()
            .unwrap_or(Mode::Mute)
    }

    /// The most open mode the owner allowed.
    #[must_use]
    pub fn ceiling(&self) -> Mode {
        self.ceiling
    }

    /// The modes this device has.
    #[must_use]
    pub fn modes(&self) -> Modes {
        self.modes
    }

    /// The mode as chosen, whether muted or not.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Whether and by whom the device is muted.
    #[must_use]
    pub fn muted(&self) -> Muted {
        self.muted
    }

    /// The mode in force now, mute included.
    #[must_use]
    pub fn effective(&self) -> Mode {
        match self.muted {
            Muted::Off => self.mode,
            Muted::Hub | Muted::Button => Mode::Mute,
        }
    }

    /// The hub asks for a mode: set as far as allowed.
    pub fn ask(&mut self, mode: Mode) -> Outcome {
        let before = self.mode;
        if mode > self.ceiling {
            // An order to open up is refused whole: a device never becomes more open by a request it refuses.
            let refusal = WireError::new(
                Code::AboveCeiling,
                format_args!(
                    "mode {mode} is above this device's ceiling {}; only its button or USB raises that",
                    self.ceiling
                ),
            );
            return Outcome {
                changed: false,
                refusal: Some(refusal),
            };
        }
        self.mode = self.nearest(mode);
        let refusal = (self.mode != mode).then(|| {
            WireError::new(
                Code::UnsupportedMode,
                format_args!(
                    "this device has no mode {mode}; it takes the next more private one, {}",
                    self.mode
                ),
            )
        });
        Outcome {
            changed: self.mode != before,
            refusal,
        }
    }

    /// The hub mutes, or ends its own mute.
    pub fn hub_mute(&mut self, on: bool) -> Outcome {
        let before = self.muted;
        let mut refusal = None;
        match (self.muted, on) {
            (Muted::Button, true) => {}
            (Muted::Button, false) => {
                refusal = Some(WireError::new(
                    Code::MutedAtButton,
                    format_args!("muted at the device's button; only the button ends it"),
                ));
            }
            (Muted::Off | Muted::Hub, true) => self.muted = Muted::Hub,
            (Muted::Off | Muted::Hub, false) => self.muted = Muted::Off,
        }
        Outcome {
            changed: self.muted != before,
            refusal,
        }
    }

    /// The button was pressed: only a mute of the button itself ends, anything else becomes one.
    ///
    /// So a press in the moment in which the hub mutes too can never open the microphone.
    pub fn button(&mut self) -> Muted {
        self.muted = match self.muted {
            Muted::Button => Muted::Off,
            Muted::Off | Muted::Hub => Muted::Button,
        };
        self.muted
    }

    /// Whether audio may leave the device now; in `speech` only while the gate is open.
    #[must_use]
    pub fn allows_audio(&self) -> bool {
        matches!(self.effective(), Mode::Speech | Mode::Full)
    }

    /// Whether features may leave the device now.
    #[must_use]
    pub fn allows_features(&self) -> bool {
        self.effective() == Mode::Features
    }

    /// Whether levels and events may leave the device now.
    #[must_use]
    pub fn allows_events(&self) -> bool {
        self.effective() != Mode::Mute
    }
}
