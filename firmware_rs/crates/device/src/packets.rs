//! Frames to packets: filled, numbered, dated, and kept in the ring for the hub or in the pre-roll for the gate.
//!
//! While the gate is closed the newest packets wait without a number; when it opens they go first. Whether a
//! packet is for the hub is decided when it is complete, so a gate opens and closes between packets.

use minerva_dsp::adpcm;
use minerva_wire::media::{
    ADPCM_STATE, BEGINS, ENDS, FRAME_MS, FRAME_SAMPLES, HEADER, HOP_MS, Header, Kind, MAX_FRAMES,
    MEL_BANDS, payload_size,
};

use crate::ring::Ring;

/// The gate needs 60 ms to be sure, a first syllable 200; the hub keeps 240 before speech.
pub const PRE_ROLL_MS: u32 = 480;
const PCM_FRAME: usize = FRAME_SAMPLES * 2;
const ADPCM_FRAME: usize = FRAME_SAMPLES / 2;

/// One stream's packets.
#[derive(Debug)]
pub struct Packets<'a> {
    /// Those for the hub.
    pub ring: Ring<'a>,
    pre_roll: Ring<'a>,
    payload: &'a mut [u8],
    kind: Kind,
    frames: u8, // that a packet gets
    filled: u8, // that this packet has
    time_ms: u64,
    begins: bool,
    running: bool, // the last packet went to the hub, and the gate was open
    jumped: bool,  // the next packet begins after a discontinuity
    next_seq: u32,
    withheld: u64,
}

impl<'a> Packets<'a> {
    /// In the caller's memory: `payload` bounds a packet's.
    pub fn new(ring: &'a mut [u8], pre_roll: &'a mut [u8], payload: &'a mut [u8]) -> Self {
        Self {
            ring: Ring::new(ring),
            pre_roll: Ring::new(pre_roll),
            payload,
            kind: Kind::ImaAdpcm,
            frames: 1,
            filled: 0,
            time_ms: 0,
            begins: false,
            running: false,
            jumped: true,
            next_seq: 0,
            withheld: 0,
        }
    }

    /// The kind of packets from now on, none of them longer than `most_ms`; fewer frames where memory holds no
    /// more. What was begun is closed first; `flows` as for [`close`](Self::close).
    pub fn configure(&mut self, kind: Kind, most_ms: u32, flows: bool) {
        let frame_ms = if kind == Kind::LogmelU8 {
            HOP_MS
        } else {
            FRAME_MS
        };
        let wanted = most_ms.checked_div(frame_ms).unwrap_or(1);
        let mut frames = u8::try_from(wanted)
            .unwrap_or(MAX_FRAMES)
            .clamp(1, MAX_FRAMES);
        while frames > 1 && payload_size(kind, frames) > self.payload.len() {
            frames = frames.saturating_sub(1);
        }
        if (kind, frames) != (self.kind, self.frames) {
            self.close(flows);
            self.kind = kind;
            self.frames = frames;
        }
    }

    /// What comes next does not follow from what came before; whether that is news.
    pub fn jump(&mut self) -> bool {
        let news = !self.jumped;
        self.jumped = true;
        news
    }

    /// Forget all that is held, sent or not: a mode forbids it. What was not yet sent counts as withheld, and what
    /// never was gives its numbers back, so that the hub sees no loss where its owner wanted a pause.
    pub fn forget(&mut self) {
        self.next_seq = self.next_seq.wrapping_sub(self.ring.fresh());
        let unsent = self.ring.clear();
        self.count_withheld(unsent);
        self.break_off();
    }

    /// After [`forget`](Self::forget): so is the packet that was last taken for sent, but did not go out; if that
    /// was its `first` time, its number is free too.
    pub fn take_back(&mut self, first: bool) {
        self.next_seq = self.next_seq.wrapping_sub(u32::from(first));
        self.count_withheld(1);
    }

    fn count_withheld(&mut self, packets: u32) {
        self.withheld = self.withheld.saturating_add(u64::from(packets));
    }

    /// Packets that a mode kept from being sent.
    pub fn withheld(&self) -> u64 {
        self.withheld
    }

    /// Forget what has no number yet: what comes next is another recording.
    pub fn break_off(&mut self) {
        self.pre_roll.clear();
        self.filled = 0;
        self.jumped = true;
        self.running = false;
    }

    /// One more frame of audio, whose first sample is of `time_ms`, by `state` where the kind is ADPCM.
    pub fn add_audio(&mut self, pcm: &[i16], state: &mut adpcm::State, time_ms: u64, flows: bool) {
        self.begin(time_ms);
        let filled = usize::from(self.filled);
        if self.kind == Kind::ImaAdpcm {
            if filled == 0
                && let Some(start) = self.payload.first_chunk_mut::<ADPCM_STATE>()
            {
                let [low, high] = state.predictor.to_le_bytes();
                *start = [low, high, state.index, 0];
            }
            let at = ADPCM_STATE.saturating_add(filled.saturating_mul(ADPCM_FRAME));
            adpcm::encode(state, pcm, place(self.payload, at, ADPCM_FRAME));
        } else {
            let at = filled.saturating_mul(PCM_FRAME);
            let target = place(self.payload, at, PCM_FRAME);
            for (to, sample) in target.as_chunks_mut().0.iter_mut().zip(pcm) {
                *to = sample.to_le_bytes();
            }
        }
        self.count_frame(flows);
    }

    /// One more frame of features, whose window's first sample is of `time_ms`.
    pub fn add_hop(&mut self, hop: &[u8; MEL_BANDS], time_ms: u64) {
        self.begin(time_ms);
        let at = usize::from(self.filled).saturating_mul(MEL_BANDS);
        let target = place(self.payload, at, MEL_BANDS);
        if target.len() == MEL_BANDS {
            target.copy_from_slice(hop);
        }
        self.count_frame(true);
    }

    fn begin(&mut self, time_ms: u64) {
        if self.filled == 0 {
            self.time_ms = time_ms;
            self.begins = self.jumped;
            self.jumped = false;
        }
    }

    fn count_frame(&mut self, flows: bool) {
        self.filled = self.filled.saturating_add(1);
        if self.filled >= self.frames {
            self.close(flows);
        }
    }

    /// What is in the packet is complete: to the hub if it `flows`, else to wait for the gate.
    pub fn close(&mut self, flows: bool) {
        if self.filled == 0 {
            return;
        }
        let mut header = Header {
            kind: self.kind,
            flags: if self.begins { BEGINS } else { 0 },
            stream: 0,
            frames: self.filled,
            seq: 0,
            time_ms: wrapped(self.time_ms),
        };
        let size = payload_size(self.kind, self.filled);
        self.filled = 0;
        if flows {
            if !self.running && !self.send_pre_roll() {
                header.flags |= BEGINS;
            }
            self.running = true;
        } else if self.running {
            header.flags |= ENDS;
            self.running = false;
        } else {
            let payload = self.payload.get(..size).unwrap_or_default();
            let most = PRE_ROLL_MS
                .checked_div(header.duration_ms())
                .unwrap_or(0)
                .max(1);
            while self.pre_roll.count() >= most {
                self.pre_roll.take();
            }
            self.pre_roll.push(&[&header.to_bytes(), payload]);
            return;
        }
        header.seq = self.take_seq();
        let payload = self.payload.get(..size).unwrap_or_default();
        self.ring.push(&[&header.to_bytes(), payload]);
    }

    /// The gate opened: what waited goes first, and the first of all BEGINS; whether there was any.
    fn send_pre_roll(&mut self) -> bool {
        let mut first = true;
        loop {
            let seq = self.next_seq;
            let Some((a, b)) = self.pre_roll.front() else {
                return !first;
            };
            let mut bytes = [0; HEADER];
            for (to, from) in bytes.iter_mut().zip(a.iter().chain(b)) {
                *to = *from;
            }
            let [kind, flags, stream, frames, _, _, _, _, t0, t1, t2, t3] = bytes;
            let flags = if first { flags | BEGINS } else { flags };
            let [s0, s1, s2, s3] = seq.to_le_bytes();
            let header = [kind, flags, stream, frames, s0, s1, s2, s3, t0, t1, t2, t3];
            let (a, b) = match a.get(HEADER..) {
                Some(rest) => (rest, b),
                None => (
                    &[][..],
                    b.get(HEADER.saturating_sub(a.len())..).unwrap_or_default(),
                ),
            };
            self.ring.push(&[&header, a, b]);
            self.pre_roll.take();
            self.take_seq();
            first = false;
        }
    }

    fn take_seq(&mut self) -> u32 {
        let seq = self.next_seq;
        self.next_seq = seq.wrapping_add(1);
        seq
    }

    /// The hub has settled all up to `seq` (`None`: nothing): send again what the ring has after it.
    ///
    /// Returns how many packets that are. A hub that settles what it was never sent knows nothing of this boot.
    pub fn resume_after(&mut self, seq: Option<u32>) -> u32 {
        let newest = self.next_seq.wrapping_sub(1);
        let after = seq
            .map(|seq| newest.wrapping_sub(seq))
            .filter(|after| (self.ring.fresh()..=u32::MAX / 2).contains(after));
        self.ring.rewind(after.unwrap_or(self.ring.count()))
    }
}

/// A packet's time is modulo 2^32.
fn wrapped(time_ms: u64) -> u32 {
    let [a, b, c, d, ..] = time_ms.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

/// `size` bytes of the payload from `at`; [`Packets::configure`] saw to it that they exist.
fn place(payload: &mut [u8], at: usize, size: usize) -> &mut [u8] {
    payload
        .get_mut(at..at.saturating_add(size))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use minerva_wire::media::decode;
    use std::vec;
    use std::vec::Vec;

    const PCM: [i16; FRAME_SAMPLES] = [7; FRAME_SAMPLES];

    fn packets(ring: usize) -> Packets<'static> {
        let mut packets = Packets::new(
            vec![0; ring].leak(),
            vec![0; 8192].leak(),
            vec![0; 1920].leak(),
        );
        packets.configure(Kind::ImaAdpcm, 60, true);
        packets
    }

    fn unsent(packets: &mut Packets<'_>) -> Vec<Header> {
        let mut out = Vec::new();
        while let Some((a, b)) = packets.ring.peek() {
            let packet = [a, b].concat();
            out.push(decode(&packet).unwrap().0);
            packets.ring.sent();
        }
        out
    }

    /// `frames` frames from `time_ms` on.
    fn add(packets: &mut Packets<'_>, frames: u64, time_ms: u64, flows: bool) {
        let mut state = adpcm::State::default();
        for n in 0..frames {
            packets.add_audio(&PCM, &mut state, time_ms + n * 20, flows);
        }
    }

    #[test]
    fn numbers_wrap_and_resume_counts_across_the_wrap() {
        let mut packets = packets(8192);
        packets.next_seq = u32::MAX - 2;
        add(&mut packets, 18, 0, true);
        let numbers: Vec<u32> = unsent(&mut packets)
            .iter()
            .map(|header| header.seq)
            .collect();
        assert_eq!(numbers, [u32::MAX - 2, u32::MAX - 1, u32::MAX, 0, 1, 2]);
        for (settled, again) in [
            (Some(u32::MAX - 3), 6), // the one before the first
            (Some(u32::MAX - 1), 4),
            (Some(u32::MAX), 3),
            (Some(0), 2),
            (Some(2), 0),
            (Some(3), 6), // never used: as None
            (Some(1 << 31), 6),
            (Some(3 << 30), 6), // long gone
            (None, 6),
        ] {
            assert_eq!(packets.resume_after(settled), again, "{settled:?}");
            let first = unsent(&mut packets).first().map(|header| header.seq);
            let want = settled
                .filter(|_| again < 6)
                .map_or(u32::MAX - 2, |seq| seq.wrapping_add(1));
            assert_eq!(first, (again > 0).then_some(want));
        }
    }

    #[test]
    fn a_resume_point_that_was_not_sent_yet_skips_nothing() {
        let mut packets = packets(8192);
        add(&mut packets, 9, 0, true);
        packets.ring.sent();
        for (settled, again) in [(Some(0), 2), (Some(1), 3), (Some(2), 3), (None, 3)] {
            assert_eq!(packets.resume_after(settled), again, "{settled:?}");
        }
        // 0 was sent once more, then 1: now a hub may know of both, though 0 to 2 wait again.
        packets.ring.sent();
        packets.ring.sent();
        assert_eq!(packets.resume_after(None), 3);
        assert_eq!(packets.resume_after(Some(1)), 1);
        assert_eq!(packets.resume_after(Some(2)), 3);
    }

    #[test]
    fn what_was_never_sent_gives_its_numbers_back_when_it_is_forgotten() {
        let mut packets = packets(8192);
        add(&mut packets, 15, 0, true);
        packets.ring.sent();
        packets.ring.sent();
        packets.resume_after(None); // all five wait, two of them once more
        packets.forget();
        assert_eq!((packets.withheld(), packets.ring.overwritten()), (5, 0));
        add(&mut packets, 3, 1000, true);
        let next = unsent(&mut packets)[0];
        assert_eq!((next.seq, next.flags), (2, BEGINS));
    }

    #[test]
    fn the_gate_opens_with_what_waited_and_ends_with_a_flag() {
        let mut packets = packets(16_384);
        add(&mut packets, 90, 0, false);
        assert_eq!(packets.ring.count(), 0);
        add(&mut packets, 6, 1800, true);
        add(&mut packets, 6, 1920, false);
        let sent = unsent(&mut packets);
        // 480 ms of pre-roll are eight packets; then two, and one that ENDS.
        assert_eq!(sent.len(), 11);
        assert_eq!((sent[0].time_ms, sent[0].flags), (1800 - 480, BEGINS));
        assert!(sent[1..10].iter().all(|header| header.flags == 0));
        assert_eq!((sent[10].time_ms, sent[10].flags), (1920, ENDS));
        assert!(
            sent.windows(2)
                .all(|pair| pair[1].seq == pair[0].seq + 1
                    && pair[1].time_ms == pair[0].time_ms + 60)
        );
        add(&mut packets, 3, 2040, true);
        assert_eq!(unsent(&mut packets)[0].flags, BEGINS);
    }

    #[test]
    fn the_pre_roll_is_bounded_in_time_whatever_its_packets() {
        for (kind, most_ms) in [
            (Kind::ImaAdpcm, 20),
            (Kind::ImaAdpcm, 200),
            (Kind::PcmS16le, 60),
        ] {
            let mut packets = packets(65_536);
            packets.configure(kind, most_ms, false);
            add(&mut packets, 200, 0, false);
            add(&mut packets, 10, 4000, true);
            let first = unsent(&mut packets)[0];
            let before = 4000 - first.time_ms;
            assert!(
                before <= PRE_ROLL_MS && (kind == Kind::PcmS16le || before >= 400),
                "{kind} {before}"
            );
        }
    }

    #[test]
    fn a_change_of_kind_closes_what_was_begun() {
        let mut packets = packets(8192);
        add(&mut packets, 4, 0, true);
        packets.configure(Kind::PcmS16le, 200, true);
        add(&mut packets, 3, 80, true);
        let sent = unsent(&mut packets);
        let made: Vec<_> = sent
            .iter()
            .map(|header| (header.kind, header.frames, header.time_ms))
            .collect();
        // Three frames of PCM are all that this payload holds.
        assert_eq!(
            made,
            [
                (Kind::ImaAdpcm, 3, 0),
                (Kind::ImaAdpcm, 1, 60),
                (Kind::PcmS16le, 3, 80)
            ]
        );
    }
}
