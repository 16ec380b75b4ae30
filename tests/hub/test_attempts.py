"""How often somebody may be wrong, with a clock of the test's own."""

from __future__ import annotations

import hmac

import pytest
from minerva_hub.auth import attempts, tokens
from minerva_hub.auth.attempts import Attempts, FailureList, Limit
from minerva_hub.auth.tokens import DeviceTokens, hash_token, is_authorised
from minerva_hub.errors import TooManyAttemptsError
from minerva_hub.events import DeviceRecord

RECORD = DeviceRecord(id="kitchen", room="Kitchen", token_hash=hash_token("secret"), created_ms=0)


class Clock:
    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def limited(clock: Clock, *, burst: int = 3, all_burst: int = 100) -> Attempts:
    return Attempts(of_source=Limit(burst, 10.0), in_all=Limit(all_burst, 1.0), clock=clock)


def wrong(limit: Attempts, source: str, who: str = "owner") -> bool:
    """One wrong attempt; whether it was heard."""
    try:
        limit.begin(source, who)
    except TooManyAttemptsError:
        return False
    return True


def test_an_address_is_heard_so_often_and_then_now_and_then() -> None:
    clock = Clock()
    limit = limited(clock)
    assert [wrong(limit, "a") for _ in range(5)] == [True] * 3 + [False] * 2
    assert limit.blocked == 2
    with pytest.raises(TooManyAttemptsError) as caught:
        limit.begin("a", "owner")
    assert 9.5 < caught.value.wait_s <= 10 and "from a" in str(caught.value)
    assert wrong(limit, "b")
    clock.now_s += 10.1
    assert [wrong(limit, "a"), wrong(limit, "a")] == [True, False]
    clock.now_s += 1e6
    assert [wrong(limit, "a") for _ in range(4)] == [True] * 3 + [False]


def test_all_together_are_bounded_and_whoever_was_right_is_not_locked_out() -> None:
    clock = Clock()
    limit = limited(clock, all_burst=6)
    limit.begin("home", "owner")
    limit.succeeded("home", "owner")
    assert [wrong(limit, f"address {n}") for n in range(8)] == [True] * 6 + [False] * 2
    limit.begin("home", "owner")  # was right before
    limit.succeeded("home", "owner")
    assert not wrong(limit, "home", "somebody else")
    assert [wrong(limit, "home") for _ in range(4)] == [True] * 3 + [False]  # and has a limit too
    limit.forget()
    assert not wrong(limit, "home")


def test_right_attempts_and_undecided_ones_cost_nothing() -> None:
    limit = limited(Clock())
    for _ in range(50):
        limit.begin("a", "owner")
        limit.undecided("a", "owner")
    for _ in range(50):
        limit.begin("a", "owner")
        limit.succeeded("a", "owner")


def test_those_under_way_count() -> None:
    limit = limited(Clock())
    assert [wrong(limit, "a") for _ in range(4)] == [True, True, True, False]


def test_the_tables_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "MAX_SOURCES", 10)
    monkeypatch.setattr(attempts, "MAX_TRUSTED", 10)
    limit = limited(Clock(), all_burst=10_000)
    for n in range(100):
        limit.begin(f"address {n}", "owner")
        limit.succeeded(f"address {n}", f"device {n}")
    assert len(limit._sources) == 10 and len(limit._trusted) == 10


async def test_the_list_of_failures_is_bounded_and_newest_first() -> None:
    told: list[int] = []
    failures = FailureList(lambda: told.append(1))
    for n in range(attempts.MAX_LISTED + 5):
        failures.note("token", f"address {n}", "kitchen")
    failures.note("password", "address 20", "owner")
    failures.note("token", "address 20", "kitchen")
    lines = failures.lines()
    assert len(lines) == attempts.MAX_LISTED
    assert [(line.kind, line.address, line.count) for line in lines[:2]] == [
        ("token", "address 20", 2), ("password", "address 20", 1),
    ]  # fmt: skip
    assert failures.counts == {"wrong_password": 1, "wrong_token": attempts.MAX_LISTED + 6}
    assert told == []  # told once, a moment later


async def test_wrong_tokens_are_limited_and_listed() -> None:
    failures = FailureList()
    door = DeviceTokens(limited(Clock()), failures)
    assert door.admits(RECORD, "secret", source="a", device="kitchen")
    assert not door.admits(RECORD, "Secret", source="b", device="kitchen")
    assert not door.admits(None, "secret", source="b", device="attic")
    assert not door.admits(None, "", source="b", device="x" * 5000)
    with pytest.raises(TooManyAttemptsError):
        door.admits(RECORD, "secret", source="b", device="kitchen")
    assert door.admits(RECORD, "secret", source="a", device="kitchen")
    assert max(len(line.who) for line in failures.lines()) == tokens.MAX_NAME


def test_an_unknown_device_takes_the_same_way_as_a_known_one(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[int, int]] = []
    real = hmac.compare_digest

    def compare(a: str, b: str) -> bool:
        compared.append((len(a), len(b)))
        return real(a, b)

    monkeypatch.setattr("minerva_hub.auth.tokens.hmac.compare_digest", compare)
    assert is_authorised(RECORD, "secret")
    assert not is_authorised(RECORD, "wrong")
    assert not is_authorised(None, "secret")
    assert not is_authorised(None, "")
    assert compared == [(71, 71)] * 4  # every one, in full
