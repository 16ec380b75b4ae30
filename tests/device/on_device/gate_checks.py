from minerva.gate import HANGOVER_FRAMES, TRANSIENT_FRAMES, Gate

from sounds import Noise


class Room:
    """Levels with the flutter that 20 ms of noise has."""

    def __init__(self):
        self.gate = Gate()
        self.noise = Noise(7)
        self.opened = []

    def run(self, level_cdb, frames, flutter=100):
        """How many of the frames the gate was open."""
        count = 0
        for _ in range(frames):
            if self.gate.update(level_cdb + int(self.noise.next() * flutter)):
                count += 1
        return count

    def talk(self, level_cdb, seconds):
        """Syllables: 160 ms loud, 80 ms down to 12 dB above the quiet, every second a gap of 240 ms."""
        count = 0
        for i in range(seconds * 50):
            phase = i % 50
            if phase >= 38:
                level = -6000
            elif phase % 12 < 8:
                level = level_cdb
            else:
                level = level_cdb - 1200
            if self.gate.update(level + int(self.noise.next() * 100)):
                count += 1
        return count


def check_steady_noise_never_opens_at_any_level():
    for level in (-8000, -6000, -4000, -2000, -500):
        room = Room()
        assert room.run(level, 1500) == 0, level
        assert abs(room.gate.floor_cdb - level) < 200


def check_digital_silence_makes_no_floor():
    room = Room()
    room.run(-11536, 200, 0)
    assert room.run(-8300, 200, 0) == 0


def check_speech_opens_at_any_level_above_the_floor():
    for floor in (-7000, -5000, -3000):
        room = Room()
        room.run(floor, 300)
        opened = room.run(floor + 900, 10)
        assert opened >= 6, (floor, opened)


def check_a_click_below_the_transient_level_does_not_open():
    room = Room()
    room.run(-6000, 300)
    assert room.run(-5000, 1) == 0
    assert room.run(-6000, 100) == 0


def check_a_transient_of_12_db_opens_at_once_for_two_seconds():
    room = Room()
    room.run(-6000, 300)
    floor = room.gate.floor_cdb
    assert room.gate.update(floor + 1200)
    assert room.gate.transient
    open_after = room.run(-6000, 300)
    assert TRANSIENT_FRAMES - 1 <= open_after <= TRANSIENT_FRAMES + 1
    assert not room.gate.transient


def check_the_gate_stays_open_through_a_long_speech():
    room = Room()
    room.run(-6000, 300)
    assert room.talk(-3600, 30) >= 30 * 50 - 5


def check_hangover_ends():
    room = Room()
    room.run(-6000, 300)
    for _ in range(20):
        room.gate.update(-5100)  # speech, but no transient
    assert room.gate.open
    assert not room.gate.transient
    open_after = room.run(-6000, 300)
    assert HANGOVER_FRAMES - 2 <= open_after <= HANGOVER_FRAMES + 2, open_after


def check_a_fan_that_starts_is_heard_and_then_becomes_the_floor():
    room = Room()
    room.run(-6500, 500)
    assert room.run(-5000, 50) == 50  # its start
    room.run(-5000, 200)
    assert room.run(-5000, 500) == 0  # five seconds later it is the room's noise
    assert room.run(-3800, 20) >= 19  # and speech is heard over it
    room.run(-5000, 300)
    # It stops: the floor follows at once, speech at the old level opens again.
    room.run(-6500, 200)
    assert not room.gate.open
    assert room.run(-5400, 10) >= 6


def check_a_restless_noise_is_the_floor_after_ten_seconds():
    room = Room()
    room.run(-6500, 500)
    for i in range(50 * 11):
        # 8 dB up and down each second: not steady, not speech
        room.gate.update(-5000 if i % 50 < 25 else -4200)
    assert room.gate.floor_cdb > -5200


def check_reset_forgets():
    room = Room()
    room.run(-3000, 500)
    room.gate.reset()
    room.run(-6000, 200)
    assert abs(room.gate.floor_cdb + 6000) < 200
