"""The bus: everybody gets everything in order, and a slow one loses the least needed first."""

from __future__ import annotations

import asyncio
import threading

import pytest
from minerva_hub.bus import Bus
from minerva_hub.events import BusEvent, DeviceRemoved, Level, Partial, Speaking


def level(n: int) -> Level:
    return Level(device=f"d{n}", rms_db=-40.0, peak_db=-30.0, at_ms=n)


def speaking(n: int) -> Speaking:
    return Speaking(device=f"d{n}", room="Hall", state="speaking", since_ms=n)


def partial(n: int) -> Partial:
    return Partial(device=f"d{n}", room="Hall", since_ms=n, until_ms=n, committed="we", tail="need")


def removed(n: int) -> DeviceRemoved:
    return DeviceRemoved(id=f"d{n}")


async def drain(bus: Bus, events: list[BusEvent], maxsize: int) -> tuple[list[BusEvent], int]:
    subscription = bus.subscribe(maxsize)
    for event in events:
        bus.publish(event)
    subscription.close()
    return [event async for event in subscription], subscription.dropped


async def test_every_subscriber_gets_every_event_in_order() -> None:
    bus = Bus()
    events = [removed(1), level(2), speaking(3)]
    with bus.subscribe() as one, bus.subscribe() as two:
        for event in events:
            bus.publish(event)
        assert [await anext(one) for _ in events] == events == [await anext(two) for _ in events]
    assert bus.dropped == 0


async def test_a_waiting_subscriber_is_woken() -> None:
    bus = Bus()
    with bus.subscribe() as subscription:
        waiting = asyncio.ensure_future(anext(subscription))
        await asyncio.sleep(0)
        bus.publish(removed(1))
        assert await asyncio.wait_for(waiting, 5) == removed(1)


async def test_overflow_drops_partials_first_then_levels_then_speaking_then_the_oldest() -> None:
    bus = Bus()
    events: list[BusEvent] = [speaking(0), removed(1), level(2), level(3), removed(4)]
    assert await drain(bus, events, 4) == ([speaking(0), removed(1), level(3), removed(4)], 1)
    assert await drain(bus, events, 3) == ([speaking(0), removed(1), removed(4)], 2)
    assert await drain(bus, events, 2) == ([removed(1), removed(4)], 3)
    assert await drain(bus, events, 1) == ([removed(4)], 4)
    assert bus.dropped == 1 + 2 + 3 + 4
    wordy = [level(0), speaking(1), partial(2), partial(3), removed(4)]
    assert await drain(bus, wordy, 4) == ([level(0), speaking(1), partial(3), removed(4)], 1)
    assert await drain(bus, wordy, 3) == ([level(0), speaking(1), removed(4)], 2)


async def test_one_slow_subscriber_costs_the_others_nothing() -> None:
    bus = Bus()
    with bus.subscribe(1) as slow, bus.subscribe(10) as quick:
        for n in range(5):
            bus.publish(removed(n))
        assert (len(slow), slow.dropped, len(quick), quick.dropped) == (1, 4, 5, 0)


async def test_leaving_ends_the_subscription() -> None:
    bus = Bus()
    with bus.subscribe(1) as subscription:
        pass
    bus.publish(removed(1))
    bus.publish(removed(2))
    assert [event async for event in subscription] == [] and bus.dropped == 0


async def test_closing_the_bus_ends_everybody_after_what_waits() -> None:
    bus = Bus()
    subscription = bus.subscribe()
    bus.publish(removed(1))
    bus.close()
    assert [event async for event in subscription] == [removed(1)]
    assert [event async for event in bus.subscribe()] == []


async def test_another_thread_is_refused() -> None:
    bus = Bus()
    errors: list[RuntimeError] = []

    def publish() -> None:
        try:
            bus.publish(removed(1))
        except RuntimeError as exc:
            errors.append(exc)

    thread = threading.Thread(target=publish)
    thread.start()
    thread.join()
    assert "event loop's thread" in str(errors[0])


async def test_a_bound_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="maxsize 0"):
        Bus().subscribe(0)
