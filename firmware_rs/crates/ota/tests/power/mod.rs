//! Power cuts at every write and erase of updates: the model, the scenarios, and the counts.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

pub mod chip;
pub mod world;

use chip::{Chip, Cut};
use minerva_ota::flash::Slot;
use world::{Fate, SLOT_BYTES, World, image, keyset, offer};

/// Starts after which a device that is not done never will be.
const MAX_STARTS: usize = 60;

/// What is tried.
#[derive(Clone)]
pub struct Scenario {
    /// Its name.
    pub name: &'static str,
    chip: Chip,
    world: World,
}

/// What came of the cut points of a scenario.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// Writes and erases without a cut.
    pub operations: usize,
    /// Cut points that were tried.
    pub points: usize,
    /// Of them, with another cut while the device recovered.
    pub twice: usize,
    /// No start, or no end of the update.
    pub bricked: usize,
    /// Something ran that is not a whole, signed image.
    pub unverified: usize,
}

/// From power on to where nothing is left to do; whether it came there.
fn run(chip: &mut Chip, world: &mut World) -> bool {
    for _ in 0..MAX_STARTS {
        let Some(slot) = chip.power_on() else {
            if chip.dead {
                continue;
            }
            return false;
        };
        if world.session(chip, slot) == Some(true) {
            return world.is_done() && chip.image(slot) == Some(&image(world.goal()));
        }
    }
    false
}

/// Every scenario, begun from either slot.
pub fn scenarios() -> Vec<Scenario> {
    let two = keyset(2, &[2, 3]);
    let mut out = Vec::new();
    for slot in [Slot::A, Slot::B] {
        let fresh = Chip::new(SLOT_BYTES, slot, &image(0));
        let mut add = |name, offers| {
            out.push(Scenario {
                name,
                chip: fresh.clone(),
                world: World::new(offers),
            })
        };
        let good = |version| offer(version, Fate::Good, &[1], None);
        let bad = |fate| offer(1, fate, &[1], None);
        add("update", vec![good(1), good(2)]);
        add("deaf", vec![bad(Fate::Deaf), good(2)]);
        add("lonely", vec![bad(Fate::Lonely), good(2)]);
        add("crashes", vec![bad(Fate::Crashes), good(2)]);
        add("outage", vec![bad(Fate::Outage), good(2)]);
        add("damaged", vec![bad(Fate::Damaged), good(2)]);
        let rotated = offer(1, Fate::Good, &[2, 3], Some((&two, &[1, 2, 3])));
        add(
            "rotation",
            vec![rotated, offer(2, Fate::Good, &[2, 3], None)],
        );
    }
    // A download that broke off half way.
    for begun in out
        .iter_mut()
        .filter(|s| s.name == "update")
        .map(|s| s.clone())
        .collect::<Vec<_>>()
    {
        let mut resumed = begun;
        resumed.name = "resumed";
        resumed.chip.cut = Some((60, Cut::After));
        let slot = resumed.chip.power_on().unwrap();
        assert_eq!(resumed.world.session(&mut resumed.chip, slot), None);
        assert!(resumed.chip.dead);
        resumed.chip.operations = 0;
        out.push(resumed);
    }
    out
}

impl Scenario {
    /// Cut the power at every `step`th point, beginning with the `first`; every `twice`th recovery is cut again.
    pub fn cut(&self, first: usize, step: usize, twice: usize) -> Counts {
        let (mut chip, mut world) = (self.chip.clone(), self.world.clone());
        chip.cut = None;
        assert!(run(&mut chip, &mut world), "{}: without any cut", self.name);
        let operations = chip.operations;
        let mut counts = Counts {
            operations,
            unverified: world.unverified,
            ..Counts::default()
        };
        for point in (first..operations * Cut::ALL.len()).step_by(step) {
            let (at, cut) = (point / Cut::ALL.len(), Cut::ALL[point % Cut::ALL.len()]);
            let (mut chip, mut world) = (self.chip.clone(), self.world.clone());
            chip.cut = Some((at, cut));
            counts.points += 1;
            if point / step % twice == twice - 1 {
                // Up to the first cut; then the second falls somewhere in what the device does to recover.
                while !chip.dead {
                    let slot = chip.power_on();
                    if let Some(slot) = slot {
                        world.session(&mut chip, slot);
                    }
                }
                chip.dead = false;
                chip.cut = Some((
                    chip.operations + point % 17,
                    Cut::ALL[point / 7 % Cut::ALL.len()],
                ));
                counts.twice += 1;
            }
            counts.bricked += usize::from(!run(&mut chip, &mut world));
            counts.unverified += world.unverified;
        }
        counts
    }
}
