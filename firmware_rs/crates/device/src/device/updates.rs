//! What a device that has an updater hears from the hub of it, and says.

use minerva_wire::control::{FromDevice, UpdateState};
use minerva_wire::privacy::Mode;

use super::Device;

/// How an update goes, for the hub.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct News {
    /// A word: idle, checking, downloading, installing, restarting, trial, kept, rolled_back, failed.
    pub state: &'static str,
    /// Why it failed.
    pub code: Option<&'static str>,
    /// 0 to 100.
    pub progress: Option<u8>,
}

impl News {
    pub(super) const fn message(self) -> FromDevice<'static> {
        FromDevice::Update(UpdateState {
            state: self.state,
            version: None,
            progress: self.progress,
            code: self.code,
        })
    }
}

/// Both directions; of the news the newest counts.
#[derive(Debug, Default)]
pub(super) struct Updates {
    pub(super) check: bool,
    pub(super) news: Option<News>,
}

impl Device<'_> {
    /// This device has an updater: the hub's orders to check are not refused, but told by
    /// [`take_update_check`](Self::take_update_check).
    pub fn has_updater(&mut self) {
        self.link.has_updater();
    }

    /// Whether the hub said, since the last time, that the update server has something.
    pub fn take_update_check(&mut self) -> bool {
        core::mem::take(&mut self.updates.check)
    }

    /// Tell the hub how an update goes, as soon as there is a link.
    pub fn tell_update(&mut self, news: News) {
        self.updates.news = Some(news);
    }

    /// Whether somebody speaks: the gate is open, and the device listens.
    pub fn speech(&self) -> bool {
        self.link.privacy().effective() != Mode::Mute && self.recorder.gate().open()
    }
}
