"""Whether the release that runs may stay: the health gate of a slot on trial. Pure.

A new slot is on trial until the hub said welcome, the microphone works, and one health message was
acknowledged. Muted, the microphone's part waits. A trial without a hub for a quarter of an hour gives way to
the slot before it; when that one does not reach the hub either, the trial was not to blame and gets another
turn, three in all. A turn that power or a crash ended counts as one. The Rust firmware decides alike:
tests/vectors/ota.json has what both must say.
"""

TRIAL_MS = 15 * 60 * 1000  # an outage of the hub must not cost a good release its place too easily
MAX_TURNS = 3

MIC_WAITING, MIC_PASSED, MIC_FAILED = "waiting", "passed", "failed"
WAIT, KEEP, GIVE_UP, TRY_AGAIN, BLAME = "wait", "keep", "give_up", "try_again", "blame"
NO_WELCOME, NO_HEALTH, DEAF = "no_welcome", "no_health", "deaf"  # why a trial is given up


class Facts:
    """What is known since the start. `microphone` is one of MIC_…, of its self-test."""

    def __init__(self, welcomed: bool, health_acked: bool, microphone: str, muted: bool, uptime_ms: int):
        self.welcomed = welcomed
        self.health_acked = health_acked
        self.microphone = microphone
        self.muted = muted
        self.uptime_ms = uptime_ms


def decide(on_trial: bool, turns: int, facts: Facts) -> "tuple[str, str]":
    """(order, why for GIVE_UP). `turns`: not on trial, those that the other slot had without an answer.

    Asked again and again; after anything but WAIT and TRY_AGAIN the turns are `turns_after`.
    """
    overdue = facts.uptime_ms >= TRIAL_MS
    if on_trial:
        if facts.welcomed and facts.health_acked and facts.microphone == MIC_PASSED:
            return KEEP, ""
        if not overdue:
            return WAIT, ""
        if not facts.welcomed:
            return GIVE_UP, NO_WELCOME
        if not facts.health_acked:
            return GIVE_UP, NO_HEALTH
        if not facts.muted and facts.microphone == MIC_FAILED:
            return GIVE_UP, DEAF
    elif turns:
        if facts.welcomed:
            return BLAME, ""
        if overdue and turns < MAX_TURNS:
            return TRY_AGAIN, ""
    return WAIT, ""


def turns_after(order: str, turns: int, facts: Facts) -> int:
    """The turns to keep when an order is carried out: only a trial that saw no hub may be without blame."""
    if order == GIVE_UP and not facts.welcomed:
        return turns + 1
    return turns if order in (WAIT, TRY_AGAIN) else 0
