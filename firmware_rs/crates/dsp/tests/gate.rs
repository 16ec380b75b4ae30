//! The gate's rules: what opens it, how long it stays open, what closes it, what it forgets.

use minerva_dsp::gate::{Gate, HANGOVER_FRAMES, TRANSIENT_FRAMES};
use proptest::prelude::*;

/// A room whose sound is given by its level and the bands; noise flutters by a generator.
struct Room {
    gate: Gate,
    state: u32,
}

const QUIET_CDB: i32 = -6000;
const QUIET_STEP: u8 = 60;

impl Room {
    fn new() -> Self {
        let mut room = Self {
            gate: Gate::new(),
            state: 1,
        };
        room.noise(0, 500);
        room
    }

    fn flutter(&mut self, most: u8) -> u8 {
        self.state = self
            .state
            .wrapping_mul(1_664_525)
            .wrapping_add(1_013_904_223);
        (self.state >> 24) as u8 % (2 * most + 1)
    }

    /// A hop: each band at its step, with the flutter that noise has.
    fn hop(&mut self, step: impl Fn(usize) -> u8) -> [u8; 64] {
        core::array::from_fn(|band| step(band) + self.flutter(6))
    }

    fn frame(&mut self, level_cdb: i32, step: impl Fn(usize) -> u8) -> bool {
        let hops = [self.hop(&step), self.hop(&step)];
        let level = level_cdb + 10 * i32::from(self.flutter(10)) - 100;
        self.gate.frame(level, &hops)
    }

    /// Noise that many dB over the quiet -> in how many frames the gate was open.
    fn noise(&mut self, over_db: u8, frames: u32) -> u32 {
        let step = QUIET_STEP + (f32::from(over_db) * 2.45) as u8;
        let level = QUIET_CDB + 100 * i32::from(over_db);
        (0..frames)
            .map(|_| u32::from(self.frame(level, |_| step)))
            .sum()
    }

    /// A tone in two bands, 25 dB over them; the level rises by `over_db`.
    fn tone(&mut self, over_db: u8, frames: u32) -> u32 {
        let level = QUIET_CDB + 100 * i32::from(over_db);
        (0..frames)
            .map(|_| {
                let band = |b| {
                    if b == 47 || b == 48 {
                        QUIET_STEP + 61
                    } else {
                        QUIET_STEP
                    }
                };
                u32::from(self.frame(level, band))
            })
            .sum()
    }
}

#[test]
fn steady_noise_never_opens_it_at_any_level() {
    for step in [0_u8, 20, 60, 120, 200, 240] {
        let mut room = Room {
            gate: Gate::new(),
            state: 7,
        };
        let level = -8600 + 41 * i32::from(step);
        let open = (0..1500).filter(|_| room.frame(level, |_| step)).count();
        assert_eq!(open, 0, "step {step}");
    }
}

#[test]
fn a_transient_of_12_db_opens_it_at_once_for_two_seconds() {
    let mut room = Room::new();
    assert_eq!(room.noise(14, 1), 1);
    assert!(room.gate.transient());
    let open = room.noise(0, 300);
    assert!(
        (TRANSIENT_FRAMES - 1..=TRANSIENT_FRAMES).contains(&open),
        "{open}"
    );
}

#[test]
fn a_click_below_12_db_does_not_open_it() {
    let mut room = Room::new();
    assert_eq!(room.noise(10, 1), 0);
    assert_eq!(room.noise(0, 100), 0);
}

#[test]
fn a_rise_of_10_db_opens_it_within_60_ms_and_for_a_second() {
    let mut room = Room::new();
    assert_eq!(room.noise(11, 3), 1);
    assert!((45..=55).contains(&room.noise(0, 300)));
}

#[test]
fn a_tone_in_the_noise_opens_it_within_100_ms() {
    let mut room = Room::new();
    let open = room.tone(3, 10);
    assert!(open >= 6, "{open}");
}

#[test]
fn a_fan_that_starts_is_heard_and_then_no_more() {
    let mut room = Room::new();
    assert!(room.noise(15, 50) >= 45);
    room.noise(15, 200);
    assert_eq!(room.noise(15, 1500), 0);
    // It stops, and the old quiet is known again at once.
    room.noise(0, 150);
    assert_eq!(room.noise(14, 1), 1);
}

#[test]
fn drums_use_up_the_allowance_and_something_louder_is_heard_over_them() {
    let mut room = Room::new();
    let mut open = 0;
    for _ in 0..60 {
        open += room.noise(20, 2) + room.noise(0, 28);
    }
    assert!((140..=400).contains(&open), "{open} of 1800");
    assert!(!room.gate.open());
    assert_eq!(room.noise(30, 1), 1);
    // A quiet while gives the allowance back.
    room.noise(0, 600);
    assert_eq!(room.noise(20, 1), 1);
}

#[test]
fn notes_that_are_held_use_up_the_allowance_and_beeps_as_often_do_not() {
    let open = |frames, each| {
        let mut room = Room::new();
        (0..20)
            .map(|_| room.tone(3, frames) + room.noise(0, each - frames))
            .sum::<u32>()
    };
    assert!((140..=200).contains(&open(30, 150)), "{}", open(30, 150));
    assert!(open(8, 150) > 900, "{}", open(8, 150));
    // With a pause of more than 2 s after each they are no habit.
    assert!(open(30, 200) > 1300, "{}", open(30, 200));
}

#[test]
fn a_tone_that_warbles_between_bands_opens_it() {
    let mut room = Room::new();
    let mut open = 0;
    for at in 0..20 {
        let on = if at % 3 == 0 { 40 } else { 47 };
        open += u32::from(room.frame(QUIET_CDB + 300, |b| {
            if b == on { QUIET_STEP + 61 } else { QUIET_STEP }
        }));
    }
    assert!(open >= 8, "{open} of 20");
}

#[test]
fn crashes_now_and_then_are_all_heard() {
    let mut room = Room::new();
    for n in 0..30 {
        assert!(room.noise(20, 10) == 10, "crash {n}");
        room.noise(0, 240);
    }
}

#[test]
fn without_features_the_level_decides() {
    let mut gate = Gate::new();
    for _ in 0..300 {
        assert!(!gate.frame(QUIET_CDB, &[]));
    }
    assert!(!gate.frame(QUIET_CDB + 700, &[]));
    assert!(!gate.frame(QUIET_CDB + 700, &[]));
    assert!(gate.frame(QUIET_CDB + 700, &[]));
    let open = (0..300).filter(|_| gate.frame(QUIET_CDB, &[])).count();
    assert_eq!(open as u32, HANGOVER_FRAMES - 1);
    assert!(gate.frame(QUIET_CDB + 1200, &[]) && gate.transient());
}

#[test]
fn features_that_stop_coming_do_not_keep_it_open() {
    let mut room = Room::new();
    room.noise(20, 3);
    assert!(room.gate.open());
    for _ in 0..300 {
        room.gate.frame(QUIET_CDB, &[]);
    }
    assert!(!room.gate.open());
}

#[test]
fn reset_forgets_the_room() {
    let mut room = Room::new();
    room.noise(30, 20);
    room.gate.reset();
    assert!(!room.gate.open() && !room.gate.transient());
    assert_eq!(room.gate.floor_cdb(), -8400);
    assert_eq!(room.noise(0, 300), 0);
}

#[test]
fn its_state_is_small() {
    assert!(size_of::<Gate>() < 2048, "{}", size_of::<Gate>());
}

fn sound() -> impl Strategy<Value = Vec<(i32, Vec<[u8; 64]>)>> {
    let hop = prop_oneof![
        any::<u8>().prop_map(|step| [step; 64]),
        prop::array::uniform32(any::<[u8; 2]>())
            .prop_map(|pairs| core::array::from_fn(|band| pairs[band / 2][band % 2])),
    ];
    let frame = (
        prop_oneof![-12_000_i32..100, any::<i32>()],
        prop::collection::vec(hop, 0..=20),
    );
    prop::collection::vec(frame, 0..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn no_input_makes_it_panic_and_silence_closes_it(sound in sound()) {
        let mut gate = Gate::new();
        for (level, hops) in &sound {
            gate.frame(*level, hops);
        }
        // The last sound leaves the network's memory in 1.3 s, then the hangover or the transient ends.
        for _ in 0..64 + 1 + TRANSIENT_FRAMES.max(HANGOVER_FRAMES) {
            gate.frame(-12_000, &[[2; 64]; 2]);
        }
        prop_assert!(!gate.open());
    }
}
