//! Each band of the features against its own noise floor: what the network takes, and tones that begin.

/// Bands of minerva-mel64.
pub(super) const BANDS: usize = 64;
/// What the network takes of a frame: each band over its floor, then each band over the frame's mean.
pub(super) const INPUTS: usize = 2 * BANDS;

/// Of one frame; beyond it they do not count.
const MOST_HOPS: usize = 16;
/// The floor rises by 1/16 of half a step a frame, 2.6 dB a second: slower than speech has gaps.
const FLOOR_UP: i32 = 4;
const FLOOR_DOWN_SHIFT: u32 = 3;
/// The slow mean follows within 64 frames, 1.3 s.
const MEAN_SHIFT: u32 = 6;
/// A tone stands 11 dB over the band's floor (steps of 0.41 dB)...
const TONE_OVER_FLOOR: i32 = 28;
/// ...and 8 dB over what the band was lately...
const TONE_OVER_MEAN: i32 = 20;
/// ...for 80 ms: noise does so in some band for a frame or two. Frames that it does not are taken off: it may warble.
pub(super) const TONE_FRAMES: u8 = 4;

/// One band over time, in 1/16 of half a feature's step (0.0128 dB).
#[derive(Clone, Copy, Debug)]
struct Band {
    floor: i16,
    mean: i16,
    /// Frames that it has stood out; of those before a gap, as many as make a tone at most.
    standing: u8,
}

/// All bands over time.
#[derive(Clone, Debug)]
pub(super) struct Bands {
    bands: [Band; BANDS],
    primed: bool,
}

impl Bands {
    pub(super) const fn new() -> Self {
        const SILENT: Band = Band {
            floor: 0,
            mean: 0,
            standing: 0,
        };
        Self {
            bands: [SILENT; BANDS],
            primed: false,
        }
    }

    /// Takes a frame's hops (at least one) -> the network's inputs; for how many frames some band has stood out.
    pub(super) fn frame(&mut self, hops: &[[u8; BANDS]], inputs: &mut [i8; INPUTS]) -> u8 {
        let mut twice = [0_i32; BANDS];
        for hop in hops.iter().take(MOST_HOPS) {
            for (sum, &value) in twice.iter_mut().zip(hop) {
                *sum += i32::from(value);
            }
        }
        let count = hops.len().clamp(1, MOST_HOPS) as i32;
        if count != 2 {
            for sum in &mut twice {
                *sum = 2 * *sum / count;
            }
        }
        if !self.primed {
            for (band, &now) in self.bands.iter_mut().zip(&twice) {
                *band = Band {
                    floor: (now << 4) as i16,
                    mean: (now << 4) as i16,
                    standing: 0,
                };
            }
            self.primed = true;
        }
        let mean = twice.iter().sum::<i32>() >> 6;
        let (over_floor, over_mean) = inputs.split_at_mut(BANDS);
        let mut longest = 0;
        let outputs = over_floor.iter_mut().zip(over_mean);
        for ((band, &now), (over_floor, over_mean)) in
            self.bands.iter_mut().zip(&twice).zip(outputs)
        {
            let over = band.follow(now << 4);
            *over_floor = over.clamp(-64, 127) as i8;
            *over_mean = ((now - mean) >> 1).clamp(-64, 63) as i8;
            longest = longest.max(band.standing);
        }
        longest
    }
}

impl Band {
    /// The band's level now -> how far it is over the floor, in steps.
    fn follow(&mut self, level: i32) -> i32 {
        let rise = level - i32::from(self.floor);
        let change = if rise < 0 {
            rise >> FLOOR_DOWN_SHIFT
        } else {
            rise.min(FLOOR_UP)
        };
        self.floor += change as i16;
        let over_floor = (level - i32::from(self.floor)) >> 5;
        let over_mean = level - i32::from(self.mean);
        self.mean += (over_mean >> MEAN_SHIFT) as i16;
        self.standing = if over_floor >= TONE_OVER_FLOOR && over_mean >> 5 >= TONE_OVER_MEAN {
            self.standing.saturating_add(1)
        } else {
            self.standing.min(TONE_FRAMES).saturating_sub(1)
        };
        over_floor
    }
}
