//! The newest encoded packets in one block of bytes, with a cursor on what was sent.
//!
//! The oldest are overwritten first. Records are a 16-bit size and the packet, and may wrap around the end.

/// Bytes of the size before each packet.
const SIZE: usize = 2;

/// A bounded queue of packets that keeps what was sent until newer packets need the room.
#[derive(Debug)]
pub struct Ring<'a> {
    block: &'a mut [u8],
    count: u32,
    unsent: u32,
    fresh: u32,
    used: usize,
    overwritten: u64,
    oldest: usize,
    end: usize,
    cursor: usize,
}

impl<'a> Ring<'a> {
    /// A ring in the caller's memory.
    pub fn new(block: &'a mut [u8]) -> Self {
        Self {
            block,
            count: 0,
            unsent: 0,
            fresh: 0,
            used: 0,
            overwritten: 0,
            oldest: 0,
            end: 0,
            cursor: 0,
        }
    }

    /// Bytes it has room for, the packets' sizes included.
    pub fn capacity(&self) -> usize {
        self.block.len()
    }

    /// Bytes held.
    pub fn used(&self) -> usize {
        self.used
    }

    /// Packets held.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// The newest packets that were not yet sent.
    pub fn unsent(&self) -> u32 {
        self.unsent
    }

    /// The newest of them, which were never sent before either.
    pub fn fresh(&self) -> u32 {
        self.fresh
    }

    /// Packets that newer ones displaced before they were sent.
    pub fn overwritten(&self) -> u64 {
        self.overwritten
    }

    /// Keep the packet that `parts` make up, dropping the oldest ones in its way; one that is larger than the
    /// ring is itself dropped and counted.
    pub fn push(&mut self, parts: &[&[u8]]) {
        let size = parts
            .iter()
            .fold(0_usize, |sum, part| sum.saturating_add(part.len()));
        let need = size.saturating_add(SIZE);
        let Ok(prefix) = u16::try_from(size) else {
            self.overwritten = self.overwritten.saturating_add(1);
            return;
        };
        if need > self.capacity() {
            self.overwritten = self.overwritten.saturating_add(1);
            return;
        }
        while self.used.saturating_add(need) > self.capacity() {
            self.drop_oldest();
        }
        if self.unsent == 0 {
            self.cursor = self.end;
        }
        self.end = self.put(self.end, &prefix.to_le_bytes());
        for part in parts {
            self.end = self.put(self.end, part);
        }
        self.used = self.used.saturating_add(need);
        self.count = self.count.saturating_add(1);
        self.unsent = self.unsent.saturating_add(1);
        self.fresh = self.fresh.saturating_add(1);
    }

    /// The oldest unsent packet, in two parts where it wraps around the end.
    pub fn peek(&self) -> Option<(&[u8], &[u8])> {
        (self.unsent > 0).then(|| self.packet_at(self.cursor))
    }

    /// The packet that [`peek`](Self::peek) showed is on its way; it stays in the ring.
    pub fn sent(&mut self) {
        if self.unsent > 0 {
            self.cursor = self.after(self.cursor);
            self.unsent = self.unsent.saturating_sub(1);
            self.fresh = self.fresh.min(self.unsent);
        }
    }

    /// The oldest packet, sent or not.
    pub fn front(&self) -> Option<(&[u8], &[u8])> {
        (self.count > 0).then(|| self.packet_at(self.oldest))
    }

    /// Let go of the oldest packet, which the caller has made use of.
    pub fn take(&mut self) {
        if self.count > 0 && self.unsent == self.count {
            self.sent();
        }
        self.drop_oldest();
    }

    /// Let go of the oldest packet; counted when it was not yet sent.
    fn drop_oldest(&mut self) {
        if self.count == 0 {
            return;
        }
        let size = self.size_at(self.oldest);
        self.used = self.used.saturating_sub(SIZE).saturating_sub(size);
        self.oldest = self.after(self.oldest);
        if self.unsent == self.count {
            self.unsent = self.unsent.saturating_sub(1);
            self.fresh = self.fresh.min(self.unsent);
            self.overwritten = self.overwritten.saturating_add(1);
            self.cursor = self.oldest;
        }
        self.count = self.count.saturating_sub(1);
    }

    /// Make the newest `packets` unsent again, or all that are left of them; returns how many.
    pub fn rewind(&mut self, packets: u32) -> u32 {
        let packets = packets.min(self.count);
        let mut place = self.oldest;
        for _ in packets..self.count {
            place = self.after(place);
        }
        self.cursor = place;
        self.unsent = packets;
        self.fresh = self.fresh.min(packets);
        packets
    }

    /// Forget everything; returns how many packets had not been sent.
    pub fn clear(&mut self) -> u32 {
        let unsent = self.unsent;
        self.count = 0;
        self.unsent = 0;
        self.fresh = 0;
        self.used = 0;
        self.oldest = 0;
        self.end = 0;
        self.cursor = 0;
        unsent
    }

    fn size_at(&self, at: usize) -> usize {
        let (low, high) = self.span(at, SIZE);
        let mut bytes = low.iter().chain(high).copied();
        let low = bytes.next().unwrap_or(0);
        let high = bytes.next().unwrap_or(0);
        usize::from(u16::from_le_bytes([low, high]))
    }

    fn packet_at(&self, at: usize) -> (&[u8], &[u8]) {
        self.span(self.wrapped(at.saturating_add(SIZE)), self.size_at(at))
    }

    fn after(&self, at: usize) -> usize {
        self.wrapped(at.saturating_add(SIZE).saturating_add(self.size_at(at)))
    }

    /// A place less than twice around the block.
    fn wrapped(&self, at: usize) -> usize {
        at.checked_sub(self.capacity()).unwrap_or(at)
    }

    /// `size` bytes from `at`, around the end.
    fn span(&self, at: usize, size: usize) -> (&[u8], &[u8]) {
        let (front, back) = self.block.split_at_checked(at).unwrap_or_default();
        match back.get(..size) {
            Some(whole) => (whole, &[]),
            None => {
                let rest = size.saturating_sub(back.len());
                (back, front.get(..rest).unwrap_or_default())
            }
        }
    }

    /// `source` into the block from `at`, around the end; returns the place after it.
    fn put(&mut self, at: usize, source: &[u8]) -> usize {
        let room = self.capacity().saturating_sub(at);
        let (first, second) = source.split_at(source.len().min(room));
        for (start, part) in [(at, first), (0, second)] {
            let end = start.saturating_add(part.len());
            if let Some(target) = self.block.get_mut(start..end) {
                target.copy_from_slice(part);
            }
        }
        self.wrapped(at.saturating_add(source.len()))
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::collections::VecDeque;
    use std::vec;
    use std::vec::Vec;

    fn whole((a, b): (&[u8], &[u8])) -> Vec<u8> {
        [a, b].concat()
    }

    #[test]
    fn sent_packets_stay_until_their_room_is_needed() {
        let mut block = [0; 30];
        let mut ring = Ring::new(&mut block);
        for n in 0..3 {
            ring.push(&[&[n; 4], &[n; 4]]);
        }
        assert_eq!((ring.count(), ring.unsent(), ring.used()), (3, 3, 30));
        assert_eq!(whole(ring.peek().unwrap()), [0; 8]);
        ring.sent();
        ring.push(&[&[3; 8]]);
        assert_eq!((ring.count(), ring.unsent(), ring.overwritten()), (3, 3, 0));
        ring.push(&[&[4; 8]]);
        assert_eq!((ring.count(), ring.unsent(), ring.overwritten()), (3, 3, 1));
        assert_eq!(whole(ring.peek().unwrap()), [2; 8]);
        assert_eq!(ring.rewind(2), 2);
        assert_eq!(whole(ring.peek().unwrap()), [3; 8]);
        assert_eq!(ring.rewind(9), 3);
        assert_eq!(ring.clear(), 3);
        assert_eq!((ring.count(), ring.used(), ring.overwritten()), (0, 0, 1));
        assert!(ring.peek().is_none() && ring.front().is_none());
    }

    #[test]
    fn a_packet_larger_than_the_ring_is_counted() {
        let mut block = [0; 10];
        let mut ring = Ring::new(&mut block);
        ring.push(&[&[1; 9]]);
        ring.push(&[&[1; 70_000]]);
        assert_eq!((ring.count(), ring.overwritten()), (0, 2));
        ring.push(&[&[1; 8]]);
        assert_eq!(ring.used(), 10);
    }

    /// Against a plain queue, over every alignment to the end of the block.
    #[test]
    fn keeps_what_a_plain_queue_would_keep() {
        let mut seed = 1_u32;
        let mut random = |n: u32| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 8) % n
        };
        let mut block = vec![0; 257];
        let mut ring = Ring::new(&mut block);
        let mut model: VecDeque<(Vec<u8>, bool)> = VecDeque::new();
        let mut fresh = 0;
        let mut lost = 0;
        for step in 0..20_000_u32 {
            match random(8) {
                0..=3 => {
                    let packet: Vec<u8> = (0..random(90)).map(|i| (i ^ step) as u8).collect();
                    let split = random(90) as usize % (packet.len() + 1);
                    ring.push(&[&packet[..split], &packet[split..]]);
                    model.push_back((packet, false));
                    fresh += 1;
                    while model.iter().map(|(p, _)| p.len() + 2).sum::<usize>() > 257 {
                        lost += u64::from(!model.pop_front().unwrap().1);
                    }
                }
                4 | 5 => {
                    ring.sent();
                    if let Some(next) = model.iter_mut().find(|(_, sent)| !sent) {
                        next.1 = true;
                    }
                }
                6 => {
                    let again = random(4);
                    let got = ring.rewind(again) as usize;
                    let len = model.len();
                    assert_eq!(got, len.min(again as usize));
                    for (i, item) in model.iter_mut().enumerate() {
                        item.1 = i < len - got;
                    }
                }
                _ => {
                    assert_eq!(
                        ring.front().map(whole),
                        model.front().map(|(p, _)| p.clone())
                    );
                    ring.take();
                    model.pop_front();
                }
            }
            let unsent: Vec<_> = model.iter().filter(|(_, sent)| !sent).collect();
            assert_eq!(
                ring.peek().map(whole),
                unsent.first().map(|(p, _)| p.clone())
            );
            assert_eq!(ring.unsent() as usize, unsent.len());
            fresh = fresh.min(unsent.len());
            assert_eq!(ring.fresh() as usize, fresh);
            assert_eq!(ring.count() as usize, model.len());
            assert_eq!(ring.overwritten(), lost);
            assert!(ring.used() <= 257);
        }
    }
}
