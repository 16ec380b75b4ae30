"""Who may hear what: privacy modes, the ceiling and mute, decided on the device. Pure.

The hub may make a device more private at any time. Only the button or USB may raise it above its
ceiling or end a mute that was made at the button; nothing that comes over the link can.
"""

from minerva.wire import MODES

AUDIO_MODES = ("speech", "full")


def rank(mode: str) -> int:
    """0 for the most private mode (mute) to 4 (full)."""
    return MODES.index(mode)


class Privacy:
    """The device's privacy state: `mode` (as chosen) and `muted` ("off", "hub" or "button")."""

    def __init__(self, ceiling: str, modes: tuple, mode: str = "", muted: str = "off"):
        if ceiling not in MODES:
            raise ValueError("ceiling %r is not one of %s" % (ceiling, ", ".join(MODES)))
        self.ceiling = ceiling
        self.modes = modes
        self.muted = muted
        self.mode = self._nearest(mode or ceiling)

    def _nearest(self, mode: str) -> str:
        """The least private mode that this device has, at most as open as `mode` and the ceiling."""
        limit = min(rank(mode), rank(self.ceiling))
        for candidate in reversed(MODES[: limit + 1]):
            if candidate in self.modes:
                return candidate
        return "mute"

    @property
    def effective(self) -> str:
        """The mode in force now, mute included."""
        return "mute" if self.muted != "off" else self.mode

    def ask(self, mode: str):
        """The hub asks for a mode: (changed, error code or None, text); set as far as allowed."""
        before = self.mode
        code = None
        text = ""
        if rank(mode) > rank(self.ceiling):
            code = "above_ceiling"
            text = "mode %s is above this device's ceiling %s; only its button or USB raises that" % (
                mode,
                self.ceiling,
            )
            # An order to open up is refused whole: a device never becomes more open by a request it refuses.
            return False, code, text
        if mode not in self.modes:
            code = "unsupported_mode"
            self.mode = self._nearest(mode)
            text = "this device has no mode %s; it takes the next more private one, %s" % (mode, self.mode)
        else:
            self.mode = mode
        return self.mode != before, code, text

    def hub_mute(self, on: bool):
        """The hub mutes or ends its own mute: (changed, error code or None, text)."""
        if self.muted == "button":
            if on:
                return False, None, ""
            return False, "muted_at_button", "muted at the device's button; only the button ends it"
        before = self.muted
        self.muted = "hub" if on else "off"
        return self.muted != before, None, ""

    def button(self) -> str:
        """The button was pressed: only a mute of the button itself ends, anything else becomes one.

        So a press in the moment in which the hub mutes too can never open the microphone.
        """
        self.muted = "off" if self.muted == "button" else "button"
        return self.muted

    def allows(self, what: str) -> bool:
        """Whether `what` ("audio", "features" or "events") may leave the device now."""
        mode = self.effective
        if what == "audio":
            return mode in AUDIO_MODES
        if what == "features":
            return mode == "features"
        return mode != "mute"
