//! What the light says. A state is a colour and a rhythm, so that either alone is enough to tell it.
//!
//! Nothing blinks faster than once a second.

/// The one state to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LightState {
    /// Nothing is known yet.
    Starting,
    /// No hub; what is heard waits in the ring.
    Offline,
    /// Ready, and nothing of what is heard goes out.
    Listening,
    /// Audio or features are on their way to the hub.
    Hearing,
    /// Nothing is captured.
    Muted,
    /// The hub refuses this device, or it is not the hub.
    Error,
}

/// How a state looks: the colour (red, green, blue), on for `on_ms`, then off for `off_ms`, never off when 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// Red, green and blue, 0 to 255.
    pub colour: (u8, u8, u8),
    /// Milliseconds on.
    pub on_ms: u32,
    /// Milliseconds off.
    pub off_ms: u32,
}

const fn pattern(colour: (u8, u8, u8), on_ms: u32, off_ms: u32) -> Pattern {
    Pattern {
        colour,
        on_ms,
        off_ms,
    }
}

/// What decides over the light.
#[derive(Clone, Copy, Debug, Default)]
pub struct Facts {
    /// A hub has answered once, or refused.
    pub started: bool,
    /// The last hub refused this device.
    pub failed: bool,
    /// Nothing is captured.
    pub muted: bool,
    /// The hub has said welcome.
    pub online: bool,
    /// Audio or features are on their way.
    pub hearing: bool,
}

impl LightState {
    /// That nothing is captured matters more to people than why the hub is away.
    pub const fn of(facts: Facts) -> Self {
        match facts {
            Facts { muted: true, .. } => Self::Muted,
            Facts { failed: true, .. } => Self::Error,
            Facts { started: false, .. } => Self::Starting,
            Facts { online: false, .. } => Self::Offline,
            Facts { hearing: true, .. } => Self::Hearing,
            _ => Self::Listening,
        }
    }

    /// How it looks.
    pub const fn pattern(self) -> Pattern {
        match self {
            Self::Starting => pattern((12, 12, 12), 1000, 1000),
            Self::Offline => pattern((24, 12, 0), 200, 2800),
            Self::Listening => pattern((0, 4, 0), 100, 5900),
            Self::Hearing => pattern((0, 24, 8), 1000, 0),
            Self::Muted => pattern((24, 0, 0), 1800, 200),
            Self::Error => pattern((24, 0, 12), 600, 600),
        }
    }

    /// Whether the light is on, `elapsed_ms` after the state began.
    pub const fn is_on(self, elapsed_ms: u32) -> bool {
        let Pattern { on_ms, off_ms, .. } = self.pattern();
        if off_ms == 0 {
            return true;
        }
        match elapsed_ms.checked_rem(on_ms.saturating_add(off_ms)) {
            Some(at) => at < on_ms,
            None => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [LightState; 6] = [
        LightState::Starting,
        LightState::Offline,
        LightState::Listening,
        LightState::Hearing,
        LightState::Muted,
        LightState::Error,
    ];

    fn state(bits: u8) -> LightState {
        LightState::of(Facts {
            started: bits & 1 != 0,
            failed: bits & 2 != 0,
            muted: bits & 4 != 0,
            online: bits & 8 != 0,
            hearing: bits & 16 != 0,
        })
    }

    #[test]
    fn muted_before_all_else_then_what_failed() {
        for bits in 0..32 {
            let want = match bits {
                b if b & 4 != 0 => LightState::Muted,
                b if b & 2 != 0 => LightState::Error,
                b if b & 1 == 0 => LightState::Starting,
                b if b & 8 == 0 => LightState::Offline,
                b if b & 16 != 0 => LightState::Hearing,
                _ => LightState::Listening,
            };
            assert_eq!(state(bits), want, "{bits:05b}");
        }
    }

    #[test]
    fn states_differ_in_colour_and_in_rhythm_and_none_flickers() {
        for (i, a) in ALL.iter().enumerate() {
            let p = a.pattern();
            assert!(p.off_ms == 0 || p.on_ms + p.off_ms >= 1000, "{a:?}");
            assert!(a.is_on(0));
            assert!(p.off_ms == 0 || !a.is_on(p.on_ms));
            for b in ALL.get(i + 1..).unwrap() {
                let q = b.pattern();
                assert_ne!(p.colour, q.colour);
                assert_ne!((p.on_ms, p.off_ms), (q.on_ms, q.off_ms));
            }
        }
    }
}
