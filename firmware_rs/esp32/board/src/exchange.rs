//! What the device's thread and the updater, which is on the network's, tell each other.

use core::cell::RefCell;

use embassy_sync::blocking_mutex::Mutex;
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use minerva_device::News;
use minerva_ota::gate::{Facts, Verdict};

/// Since somebody spoke, before the link may be closed for an update.
pub const QUIET_MS: u64 = 30_000;

struct Inner {
    facts: Facts,
    utc_s: Option<u64>,
    spoke_ms: u64,
    check: bool,
    news: Option<News>,
}

/// Both sides of it.
pub struct Exchange(Mutex<CriticalSectionRawMutex, RefCell<Inner>>);

impl Default for Exchange {
    fn default() -> Self {
        Self::new()
    }
}

impl Exchange {
    /// Nothing is known yet.
    pub const fn new() -> Self {
        Self(Mutex::new(RefCell::new(Inner {
            facts: Facts {
                welcomed: false,
                health_acked: false,
                microphone: Verdict::Waiting,
                muted: false,
                uptime_ms: 0,
            },
            utc_s: None,
            spoke_ms: 0,
            check: false,
            news: None,
        })))
    }

    fn with<T>(&self, f: impl FnOnce(&mut Inner) -> T) -> T {
        self.0.lock(|inner| f(&mut inner.borrow_mut()))
    }

    /// The device: somebody speaks.
    pub fn speaks(&self, now_ms: u64) {
        self.with(|inner| inner.spoke_ms = now_ms);
    }

    /// The device, now and then: how it is, the time in UTC, and whether the hub spoke of an update.
    pub fn tell(&self, facts: Facts, utc_s: Option<u64>, check: bool) {
        self.with(|inner| {
            inner.facts = facts;
            inner.utc_s = utc_s;
            inner.check |= check;
        });
    }

    /// The device: what the hub is to be told.
    pub fn take_news(&self) -> Option<News> {
        self.with(|inner| inner.news.take())
    }

    /// The updater: how the device is.
    pub fn facts(&self) -> Facts {
        self.with(|inner| inner.facts)
    }

    /// The updater: seconds since 1970, where somebody has told.
    pub fn utc_s(&self) -> Option<u64> {
        self.with(|inner| inner.utc_s)
    }

    /// The updater: whether nobody speaks, nor did a moment ago.
    pub fn is_quiet(&self, now_ms: u64) -> bool {
        now_ms.saturating_sub(self.with(|inner| inner.spoke_ms)) >= QUIET_MS
    }

    /// The updater: whether the hub spoke of an update since the last time.
    pub fn take_check(&self) -> bool {
        self.with(|inner| core::mem::take(&mut inner.check))
    }

    /// The updater: what the hub is to be told; the newest counts.
    pub fn put_news(&self, news: News) {
        self.with(|inner| inner.news = Some(news));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_update_waits_for_half_a_minute_of_quiet() {
        let both = Exchange::new();
        assert!(!both.is_quiet(QUIET_MS - 1)); // a device that has just started may have been restarted by somebody
        assert!(both.is_quiet(QUIET_MS));
        both.speaks(QUIET_MS);
        assert!(!both.is_quiet(2 * QUIET_MS - 1));
        assert!(both.is_quiet(2 * QUIET_MS));
    }

    #[test]
    fn a_check_is_taken_once_and_not_forgotten_before() {
        let both = Exchange::new();
        let facts = both.facts();
        both.tell(facts, Some(5), true);
        both.tell(facts, Some(6), false);
        assert_eq!(
            (both.utc_s(), both.take_check(), both.take_check()),
            (Some(6), true, false)
        );
    }
}
