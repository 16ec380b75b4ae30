from minerva.clock import DRIFT_MS, DeviceClock, SampleClock
from minerva.port import ticks_add

WRAP = 1 << 30


def check_time_goes_on_where_ticks_wrap():
    clock = DeviceClock(ticks_add(0, -500), 0)
    clock.update(ticks_add(0, 500))
    assert clock.time_ms() == 1000


def check_time_passes_2_30_and_2_32():
    for start in (WRAP - 30, 2 * WRAP - 30, (1 << 32) - 30, (1 << 33) - 30, 0xFFFF):
        clock = DeviceClock(7, start)
        for i in range(10):
            clock.update(7 + 20 * (i + 1))
        assert clock.time_ms() == start + 200
        assert (clock.high << 16 | clock.low) == (start + 200) % (1 << 32)


def check_ticks_that_stand_still_or_fall_back_change_nothing():
    clock = DeviceClock(100, 5)
    clock.update(100)
    clock.update(90)
    assert clock.time_ms() == 5


def frames(samples, count):
    for _ in range(count):
        samples.next_frame(20)


def value(samples):
    return samples.high << 16 | samples.low


def check_frames_are_contiguous_over_2_30():
    start = WRAP - 100
    clock = DeviceClock(0, start)
    samples = SampleClock()
    samples.start(clock, 10, 10)
    first = value(samples)
    assert first == start + 20
    for i in range(20):
        samples.next_frame(20)
        assert value(samples) == first + 20 * (i + 1)
        assert not samples.check(clock, 20 + 20 * (i + 1) + 15 + i % 3, 15)


def check_the_anchor_borrows_and_carries_across_the_half():
    samples = SampleClock()
    samples.start(DeviceClock(0, 0x30000), 5, -15)
    assert value(samples) == 0x30000 - 10
    samples.start(DeviceClock(0, 0x3FFF0), 5, 250)
    assert value(samples) == 0x3FFF0 + 255
    samples.start(DeviceClock(0, 0xFFFFFFF0), 5, 250)
    assert value(samples) == 0xF0 - 1


def check_the_earliest_look_before_the_first_sample_counts():
    clock = DeviceClock(0, 0)
    samples = SampleClock()
    samples.start(clock, 60, 250)  # a task switch came between microphone and clock
    samples.sync(clock, 70, 205)
    samples.sync(clock, 120, 170)
    assert value(samples) == 275


def check_a_loss_of_samples_anchors_anew_when_it_lasts():
    clock = DeviceClock(0, 0)
    samples = SampleClock()
    samples.start(clock, 0, 0)
    frames(samples, 10)
    late = 200 + DRIFT_MS + 60
    looks = 0
    while not samples.check(clock, late + 20 * looks, 0):
        samples.next_frame(20)
        looks += 1
        assert looks < 20
    assert looks > 3
    assert value(samples) == late + 20 * looks


def check_one_late_look_is_no_loss():
    clock = DeviceClock(0, 0)
    samples = SampleClock()
    samples.start(clock, 0, 0)
    for i in range(100):
        samples.next_frame(20)
        late = 90 if i % 7 == 3 else 0
        assert not samples.check(clock, 20 * (i + 1) + late, 0)
