"""Sections `gate` and `starts`: whether a release on trial may stay, and what runs after power came back.

gate: {on_trial, turns, facts: {welcomed, health_acked, microphone, muted, uptime_ms}, order, why,
turns_after}. `turns`: on trial, those that this slot had; else those of the other slot, whose trial is open.

starts: {record: {active, previous, trial, turns}, whole: [slots], runs (null: none), on_trial, after: {…}}.
"""

from __future__ import annotations

from itertools import product

TRIAL_MS = 900_000
# docs/ota.md's table, the first line that fits: on trial, turns, welcomed, acked, microphone, muted, overdue.
# None fits all.
RULES: list[tuple[tuple, str, str, int | None]] = [
    ((True, None, True, True, "passed", None, None), "keep", "", 0),
    ((True, None, None, None, None, None, False), "wait", "", None),
    ((True, None, False, None, None, None, True), "give_up", "no_welcome", +1),
    ((True, None, True, False, None, None, True), "give_up", "no_health", 0),
    ((True, None, True, True, "failed", False, True), "give_up", "deaf", 0),
    ((True, None, None, None, None, None, True), "wait", "", None),
    ((False, 0, None, None, None, None, None), "wait", "", None),
    ((False, None, True, None, None, None, None), "blame", "", 0),
    ((False, 1, False, None, None, None, True), "try_again", "", None),
    ((False, 2, False, None, None, None, True), "try_again", "", None),
    ((False, None, None, None, None, None, None), "wait", "", None),
]


def judged(name: str, by: str, *case: object, uptime_ms: int) -> dict:
    """The vector of one case, whose last part is whether the time is up."""
    order, why, turns = next(
        rule[1:] for rule in RULES if all(p is None or p == c for p, c in zip(rule[0], case, strict=True))
    )
    on_trial, had, welcomed, acked, microphone, muted, _ = case
    assert isinstance(had, int)
    return {
        "name": name,
        "by": by,
        "on_trial": on_trial,
        "turns": had,
        "facts": {
            "welcomed": welcomed,
            "health_acked": acked,
            "microphone": microphone,
            "muted": muted,
            "uptime_ms": uptime_ms,
        },
        "order": order,
        "why": why,
        "turns_after": had if turns is None else had + 1 if turns else 0,
    }


def gate() -> list[dict]:
    names = ("welcomed", "health_acked", "microphone", "muted", "uptime_ms")
    facts = [
        dict(zip(names, values, strict=True))
        for values in (
            (True, True, "passed", False, 3000),
            (False, False, "passed", False, TRIAL_MS),
            (True, True, "waiting", True, 90_000_000),
        )
    ]
    hand = [
        ("all is well", True, 0, facts[0], "keep", "", 0),
        ("no hub for a quarter of an hour", True, 0, facts[1], "give_up", "no_welcome", 1),
        ("a day of being muted", True, 2, facts[2], "wait", "", 2),
        ("the slot before sees no hub either", False, 1, facts[1], "try_again", "", 1),
        ("the slot before sees the hub", False, 3, facts[0], "blame", "", 0),
    ]
    names = ("name", "on_trial", "turns", "facts", "order", "why", "turns_after")
    out = [{"by": "hand", **dict(zip(names, line, strict=True))} for line in hand]
    both = (False, True)
    mics = ("waiting", "passed", "failed")
    for n, case in enumerate(product((True,), (0, 2), both, both, mics, both, both)):
        uptime_ms = TRIAL_MS if case[-1] else TRIAL_MS - 1
        out.append(judged(f"on trial {n}", "generator", *case, uptime_ms=uptime_ms))
    for n, case in enumerate(product((False,), (0, 1, 2, 3), both, (False,), ("failed",), (False,), both)):
        uptime_ms = 1 << 30 if case[-1] else 0
        out.append(judged(f"after a trial {n}", "generator", *case, uptime_ms=uptime_ms))
    return out


def starts() -> list[dict]:
    # name; active, previous, trial, turns; whole slots; what runs; whether on trial; the record after
    cases = [
        ("nothing is new", "a b none 0", "a b", "a", False, ""),
        ("a trial begins", "b a waiting 0", "a b", "b", True, "b a running 0"),
        ("another turn begins", "b a waiting 2", "a b", "b", True, "b a running 2"),
        ("power failed in the first turn", "b a running 0", "a b", "b", True, "b a running 1"),
        ("power failed in the second", "b a running 1", "a b", "b", True, "b a running 2"),
        ("power failed in the third", "b a running 2", "a b", "a", False, "a b none 3"),
        ("the slot before, after a turn", "a b none 1", "a b", "a", False, ""),
        ("a slot that runs was damaged", "a b none 0", "b", "b", False, "b a none 0"),
        ("a slot on trial was damaged", "b a waiting 1", "a", "a", False, "a b none 0"),
        ("damaged in its turn", "b a running 0", "a", "a", False, "a b none 0"),
        ("both slots are damaged", "b a running 0", "", None, False, ""),
        ("dev is allowed", "dev a none 0", "a dev", "dev", False, ""),
        ("dev is not allowed, or damaged", "dev a none 0", "a b", "a", False, "a dev none 0"),
        ("dev and the slot before it", "dev a none 0", "b", "b", False, "b dev none 0"),
        ("a copied application's first update", "a main waiting 0", "a main", "a", True, "a main running 0"),
        ("back to the copy", "a main running 2", "a main", "main", False, "main a none 3"),
        ("the copy is not gone back to later", "a a none 0", "main", None, False, ""),
        ("dev is not gone to by itself", "a b none 0", "dev", None, False, ""),
    ]
    return [
        {
            "name": name,
            "by": "hand",
            "record": state(before),
            "whole": whole.split(),
            "runs": runs,
            "on_trial": on_trial,
            "after": state(after or before),
        }
        for name, before, whole, runs, on_trial, after in cases
    ]


def state(text: str) -> dict[str, object]:
    active, previous, trial, turns = text.split()
    return {"active": active, "previous": previous, "trial": trial, "turns": int(turns)}


def sections() -> dict[str, list[dict]]:
    return {"gate": gate(), "starts": starts()}
