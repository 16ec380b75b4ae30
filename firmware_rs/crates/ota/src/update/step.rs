//! What is under way.

/// What is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Idle,
    Poll,
    Configure,
    Deployment,
    Accept,
    Manifest,
    Signature,
    Verify,
    Prepare,
    Fetch,
    Progress,
    Look,
    Install,
    Restart,
    Refuse,
    Report,
    Cancel,
    Cancelled,
}

impl Step {
    /// Trouble in it may end an action.
    pub(super) const fn serves(self) -> bool {
        matches!(
            self,
            Self::Deployment
                | Self::Accept
                | Self::Manifest
                | Self::Signature
                | Self::Verify
                | Self::Prepare
                | Self::Fetch
                | Self::Progress
                | Self::Look
                | Self::Install
        )
    }

    /// What the hub is told; `None` changes nothing of it.
    pub(super) const fn state(self) -> Option<&'static str> {
        Some(match self {
            Self::Idle => "idle",
            Self::Poll => "checking",
            Self::Deployment => "downloading",
            Self::Install => "installing",
            Self::Restart => "restarting",
            Self::Refuse => "failed",
            _ => return None,
        })
    }
}
