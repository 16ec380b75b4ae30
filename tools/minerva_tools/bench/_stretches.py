"""From events to stretches of speech: when each began and ended, its partials, its text."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from minerva_tools.bench._listener import Seen

NEAR_S = 0.5  # the detector finds the beginning of speech so near to where the reference has it


@dataclass
class Stretch:
    """What one device said in one go. Seconds of CLOCK_MONOTONIC but for `since_ms`."""

    device: str
    since_ms: int
    began_s: float
    ended_s: float | None = None
    partials: list[tuple[float, dict[str, Any]]] = field(default_factory=list)
    written_s: float | None = None
    text: str = ""

    @property
    def first_s(self) -> float:
        """From the beginning of the speech to its first partial."""
        return self.partials[0][0] - self.began_s

    @property
    def gaps_s(self) -> list[float]:
        """Between one partial and the next, and from the last to the end of the segment."""
        times = [at for at, _ in self.partials] + ([] if self.ended_s is None else [self.ended_s])
        return [later - earlier for earlier, later in pairwise(times)]

    @property
    def broken(self) -> int:
        """How often what had been committed changed, the utterance included."""
        shown = [event["committed"] for _, event in self.partials] + ([self.text] if self.text else [])
        return sum(not later.startswith(earlier) for earlier, later in pairwise(shown))


def stretches(seen: Seen, utc_s: float, onsets_s: dict[str, list[float]]) -> list[Stretch]:
    """The stretches in what a client saw. `utc_s`: UTC less CLOCK_MONOTONIC; `onsets_s`: where speech begins.

    A stretch begins where the reference says so, or where the hub heard it if no beginning is near.
    """
    found: list[Stretch] = []
    going: dict[str, Stretch] = {}
    for at, event in seen:
        if event["type"] == "speaking" and event["state"] == "speaking":
            heard_s = event["since_ms"] / 1000 - utc_s
            near = [onset for onset in onsets_s.get(event["device"], []) if abs(onset - heard_s) <= NEAR_S]
            began_s = min(near, key=lambda onset: abs(onset - heard_s), default=heard_s)
            going[event["device"]] = Stretch(event["device"], event["since_ms"], began_s)
            found.append(going[event["device"]])
        elif event["type"] == "speaking" and event["state"] == "transcribing":
            if event["device"] in going:
                going.pop(event["device"]).ended_s = at
        elif event["type"] == "partial":
            mine = going.get(event["device"])
            if mine is not None and mine.since_ms == event["since_ms"]:
                mine.partials.append((at, event))
        elif event["type"] == "utterance":
            said = event["utterance"]
            mine = next(
                (
                    one
                    for one in found
                    if one.device == said["device"] and said["start_ms"] <= one.since_ms < said["end_ms"]
                ),
                None,
            )
            if mine is not None and mine.written_s is None:
                mine.written_s, mine.text = at, said["text"]
    return found
