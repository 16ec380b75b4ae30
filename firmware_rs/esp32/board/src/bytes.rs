//! A ring of bytes with a fixed size.

/// At most `N` bytes, first in, first out.
#[derive(Debug)]
pub struct ByteRing<const N: usize> {
    bytes: [u8; N],
    /// Where the oldest stands; below N.
    start: usize,
    length: usize,
}

impl<const N: usize> Default for ByteRing<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> ByteRing<N> {
    /// An empty one.
    pub const fn new() -> Self {
        Self {
            bytes: [0; N],
            start: 0,
            length: 0,
        }
    }

    /// Whether there is nothing in it.
    pub const fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Forget everything: the bytes are gone from memory too.
    pub fn clear(&mut self) {
        *self = Self::new();
    }

    /// Put in as much of `from` as fits; the count.
    pub fn push(&mut self, from: &[u8]) -> usize {
        let free = N.saturating_sub(self.length);
        let from = from.get(..free).unwrap_or(from);
        let end = wrap::<N>(self.start.saturating_add(self.length));
        let (first, second) = from.split_at(from.len().min(N.saturating_sub(end)));
        copy(&mut self.bytes, end, first);
        copy(&mut self.bytes, 0, second);
        self.length = self.length.saturating_add(from.len());
        from.len()
    }

    /// Take out as much as `to` holds; the count.
    pub fn pop(&mut self, to: &mut [u8]) -> usize {
        let size = to.len().min(self.length);
        let at_end = size.min(N.saturating_sub(self.start));
        if let Some((first, second)) = to
            .get_mut(..size)
            .and_then(|to| to.split_at_mut_checked(at_end))
        {
            let rest = self.bytes.get(self.start..).unwrap_or_default();
            first.copy_from_slice(rest.get(..first.len()).unwrap_or_default());
            second.copy_from_slice(self.bytes.get(..second.len()).unwrap_or_default());
        }
        self.start = wrap::<N>(self.start.saturating_add(size));
        self.length = self.length.saturating_sub(size);
        size
    }
}

fn wrap<const N: usize>(at: usize) -> usize {
    if at < N { at } else { at.saturating_sub(N) }
}

fn copy(bytes: &mut [u8], at: usize, from: &[u8]) {
    if let Some(place) = bytes
        .get_mut(at..)
        .and_then(|rest| rest.get_mut(..from.len()))
    {
        place.copy_from_slice(from);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    extern crate std;
    use proptest::prelude::*;
    use std::collections::VecDeque;
    use std::vec;
    use std::vec::Vec;

    proptest! {
        #[test]
        fn it_is_a_queue_that_takes_what_fits(
            steps in prop::collection::vec((any::<bool>(), 0..20usize), 0..60)
        ) {
            let mut ring = ByteRing::<13>::new();
            let mut queue = VecDeque::new();
            let mut next = 0u8;
            for (push, size) in steps {
                if push {
                    let bytes: Vec<u8> = (0..size).map(|_| { next = next.wrapping_add(1); next }).collect();
                    let taken = ring.push(&bytes);
                    prop_assert_eq!(taken, size.min(13_usize.saturating_sub(queue.len())));
                    queue.extend(&bytes[..taken]);
                } else {
                    let mut got = vec![0; size];
                    let count = ring.pop(&mut got);
                    let want: Vec<u8> = queue.drain(..size.min(queue.len())).collect();
                    prop_assert_eq!(&got[..count], &want[..]);
                }
                prop_assert_eq!(ring.is_empty(), queue.is_empty());
            }
        }
    }

    #[test]
    fn nothing_stays_in_memory_when_it_is_cleared() {
        let mut ring = ByteRing::<4>::new();
        ring.push(b"abc");
        ring.clear();
        assert!(ring.is_empty());
        assert_eq!(ring.bytes, [0; 4]);
    }
}
