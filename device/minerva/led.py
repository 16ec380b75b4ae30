"""What the light says. A state is a colour and a rhythm, so that either alone is enough to tell it. Pure.

Nothing blinks faster than once a second.
"""

STARTING = "starting"
OFFLINE = "offline"
LISTENING = "listening"
HEARING = "hearing"
MUTED = "muted"
ERROR = "error"

# state: (red, green, blue), on for ms, then off for ms; never off when that is 0
PATTERNS = {
    STARTING: ((12, 12, 12), 1000, 1000),
    OFFLINE: ((24, 12, 0), 200, 2800),
    LISTENING: ((0, 4, 0), 100, 5900),
    HEARING: ((0, 24, 8), 1000, 0),
    MUTED: ((24, 0, 0), 1800, 200),
    ERROR: ((24, 0, 12), 600, 600),
}


def state(started: bool, failed: bool, muted: bool, online: bool, hearing: bool) -> str:
    """The one state to show; that nothing is captured matters more to people than why the hub is away."""
    if muted:
        return MUTED
    if failed:
        return ERROR
    if not started:
        return STARTING
    if not online:
        return OFFLINE
    return HEARING if hearing else LISTENING


def is_on(name: str, elapsed_ms: int) -> bool:
    """Whether the light of a state is on, `elapsed_ms` after the state began."""
    _, on_ms, off_ms = PATTERNS[name]
    return off_ms == 0 or elapsed_ms % (on_ms + off_ms) < on_ms
