import gc
import struct

from minerva import port, recorder, wire
from minerva.clock import DeviceClock
from minerva.recorder import ALL, GATED, NONE, Recorder
from minerva.ring import Ring, auto_bytes

from sounds import Noise, noise_frame

_noise = Noise(3)
QUIET = noise_frame(-85, _noise)
LOUD = noise_frame(-58, _noise)
WRAP = 1 << 30


class Device:
    """A recorder with a scripted room; ticks go on 20 ms a frame."""

    def __init__(self, boot_ms=0, policy=GATED, ring=49152):
        self.ring = Ring(ring)
        self.ticks = 1000
        self.recorder = Recorder(self.ring, DeviceClock(self.ticks, boot_ms), 24)
        self.recorder.set_policy(policy)
        self.recorder.start(self.ticks, 0)

    def hear(self, frame, count):
        for _ in range(count):
            self.ticks = port.ticks_add(self.ticks, 20)
            self.recorder.feed(frame, 1280, self.ticks, True)

    def sent(self):
        """[(kind, flags, stream, frames, seq, time_ms, payload)] of everything unsent."""
        out = bytearray(wire.MAX_MEDIA)
        got = []
        while True:
            size = self.ring.peek(out, 0)
            if not size:
                return got
            got.append(wire.decode_media(bytes(out[:size])))
            self.ring.sent()


def check_nothing_is_sent_while_it_is_quiet():
    d = Device()
    d.hear(QUIET, 500)
    assert d.sent() == []
    assert d.recorder.next_low == 0


def check_the_gate_sends_pre_roll_then_speech_then_the_end():
    d = Device()
    d.hear(QUIET, 300)
    opened = d.ticks
    d.hear(LOUD, 60)
    d.hear(QUIET, 200)
    got = d.sent()
    assert [p[4] for p in got] == list(range(len(got)))
    assert [p[1] for p in got] == [wire.BEGINS] + [0] * (len(got) - 2) + [wire.ENDS]
    assert all([p[3] == 3 and p[0] == wire.IMA_ADPCM and p[2] == 0 for p in got])
    for a, b in zip(got, got[1:]):
        assert b[5] - a[5] == 60
    # Time is since boot, which was at 1000 ticks; pre-roll is 0.48 s, and at most a packet more or less.
    onset = opened - 1000
    assert 420 <= onset - got[0][5] <= 600, (onset, got[0][5])
    # 1.2 s of sound, then 2 s for the transient, which is longer than the hangover.
    assert 2900 <= got[-1][5] + 60 - (onset + 1200) + 1000 <= 3200


def check_the_next_opening_begins_anew_and_numbers_go_on():
    d = Device()
    d.hear(QUIET, 300)
    d.hear(LOUD, 10)
    d.hear(QUIET, 300)
    first = d.sent()
    d.hear(LOUD, 10)
    d.hear(QUIET, 300)
    second = d.sent()
    assert second[0][4] == first[-1][4] + 1
    assert second[0][1] == wire.BEGINS
    assert second[0][5] > first[-1][5] + 60


def check_full_mode_sends_everything_contiguous():
    d = Device(policy=ALL)
    d.hear(QUIET, 30)
    got = d.sent()
    assert len(got) == 10
    assert [p[1] for p in got] == [wire.BEGINS] + [0] * 9
    assert [p[5] - got[0][5] for p in got] == [60 * i for i in range(10)]


def check_events_mode_measures_and_keeps_nothing():
    d = Device(policy=NONE)
    d.hear(QUIET, 200)
    d.hear(LOUD, 5)
    assert d.recorder.gate.transient
    rms, peak = d.recorder.take_level()
    assert -36 <= rms <= -32
    assert rms < peak <= -25
    assert d.sent() == []


def check_times_past_2_30_and_2_32():
    for boot in (WRAP - 2000, 2 * WRAP - 2000, (1 << 32) - 2000):
        d = Device(boot_ms=boot, policy=ALL)
        d.hear(QUIET, 240)
        got = d.sent()
        assert len(got) == 80
        assert (got[0][5] - boot) % (1 << 32) <= 20
        for a, b in zip(got, got[1:]):
            assert (b[5] - a[5]) % (1 << 32) == 60
            assert b[1] == 0


def check_sequence_numbers_wrap():
    d = Device(policy=ALL)
    d.recorder.next_high = 0xFFFF
    d.recorder.next_low = 0xFFFE
    d.hear(QUIET, 12)
    assert [p[4] for p in d.sent()] == [0xFFFFFFFE, 0xFFFFFFFF, 0, 1]


def check_resume():
    d = Device(policy=ALL)
    d.recorder.next_high = 0xFFFF
    d.recorder.next_low = 0xFFFE
    d.hear(QUIET, 30)
    everything = [p[4] for p in d.sent()]
    assert d.recorder.resume_after(0xFFFFFFFF) == 8
    assert [p[4] for p in d.sent()] == everything[2:]
    assert d.recorder.resume_after(7) == 0
    assert d.recorder.resume_after(100) == 10  # never used: as None
    assert d.recorder.resume_after(None) == 10
    assert d.recorder.resume_after(12345) == 10


def check_a_resume_point_that_was_not_sent_yet_skips_nothing():
    d = Device(policy=ALL)
    d.hear(QUIET, 9)
    d.ring.sent()
    for settled, again in ((0, 2), (1, 3), (2, 3), (None, 3)):
        assert d.recorder.resume_after(settled) == again, settled
    # 0 was sent once more, then 1: now a hub may know of both, though 0 to 2 wait again.
    d.ring.sent()
    d.ring.sent()
    assert d.recorder.resume_after(None) == 3
    assert d.recorder.resume_after(1) == 1
    assert d.recorder.resume_after(2) == 3


def check_resume_beyond_the_ring_sends_what_is_left():
    d = Device(policy=ALL, ring=4096)
    d.hear(QUIET, 90)
    assert d.ring.overwritten == 22
    assert d.recorder.resume_after(3) == 8
    assert [p[4] for p in d.sent()] == list(range(22, 30))


def check_mute_forgets_what_was_not_sent_and_counts_it():
    d = Device(policy=ALL)
    d.hear(QUIET, 31)
    d.recorder.set_policy(NONE)
    assert d.sent() == []
    assert (d.recorder.withheld, d.ring.overwritten) == (10, 0)
    d.hear(LOUD, 20)
    d.recorder.set_policy(ALL)
    d.hear(QUIET, 3)
    got = d.sent()
    # Nobody ever saw the ten numbers: they are used again, and the hub sees a pause, not a loss.
    assert [(p[1], p[4]) for p in got] == [(wire.BEGINS, 0)]


def check_numbers_that_were_sent_are_never_used_again():
    d = Device(policy=ALL)
    d.recorder.next_high = 0xFFFF
    d.recorder.next_low = 0xFFFE
    d.hear(QUIET, 15)
    d.ring.sent()
    d.ring.sent()
    d.ring.sent()
    d.recorder.resume_after(None)
    d.recorder.set_policy(NONE)
    assert d.recorder.withheld == 5
    d.recorder.set_policy(ALL)
    d.hear(QUIET, 3)
    assert [p[4] for p in d.sent()] == [1]


def check_speech_forgets_what_full_recorded_and_full_keeps_what_speech_did():
    d = Device(policy=ALL)
    d.hear(QUIET, 30)
    d.recorder.set_policy(GATED)
    assert (d.sent(), d.recorder.withheld) == ([], 10)
    d.hear(LOUD, 30)
    d.recorder.set_policy(ALL)
    d.hear(LOUD, 3)
    assert len(d.sent()) >= 10
    assert d.recorder.withheld == 10


def check_no_level_of_before_a_stop_is_told_after_it():
    d = Device(policy=NONE)
    d.hear(LOUD, 20)
    d.recorder.stop()
    assert d.recorder.take_level()[0] == recorder.SILENCE_CDB / 100


def check_stop_and_start_begins_anew():
    d = Device(policy=ALL)
    d.hear(QUIET, 7)
    d.recorder.stop()
    d.ticks += 5000
    d.recorder.start(d.ticks, 0)
    d.hear(QUIET, 6)
    got = d.sent()
    assert [p[3] for p in got] == [3, 3, 1, 3, 3]
    assert [p[1] for p in got] == [1, 0, 0, 1, 0]
    assert got[3][5] - got[2][5] == 5020
    assert bytes(got[2][6])[:4] != bytes(4)
    assert bytes(got[3][6])[:4] == bytes(4)  # nothing of the codec's either


def check_lost_samples_are_a_discontinuity():
    d = Device(policy=ALL)
    d.hear(QUIET, 9)
    d.ticks += 500  # half a second the driver could not keep
    d.hear(QUIET, 60)
    got = d.sent()
    begins = [i for i, p in enumerate(got) if p[1] & wire.BEGINS]
    assert len(begins) == 2
    assert d.recorder.discontinuities == 1
    jump = got[begins[1]][5] - (got[begins[1] - 1][5] + 20 * got[begins[1] - 1][3])
    assert 480 <= jump <= 520, jump


def check_portions_of_any_size_give_the_same_packets():
    whole = Device(policy=ALL)
    whole.hear(LOUD, 30)
    parts = Device(policy=ALL)
    ticks = parts.ticks
    stream = bytes(LOUD) * 30
    at = 0
    size = 4
    while at < len(stream):
        portion = stream[at : at + size]
        at += len(portion)
        ticks = 1000 + at // 64
        parts.recorder.feed(bytearray(portion), len(portion), ticks, True)
        size = size * 7 % 1277 // 4 * 4 + 4
    a = [bytes(p[6]) for p in whole.sent()]
    b = [bytes(p[6]) for p in parts.sent()]
    assert a == b


def check_pcm_and_other_packet_lengths():
    for frames in (1, 2, 10):
        d = Device(policy=ALL, ring=1 << 17)
        d.recorder.configure_named("pcm_s16le", frames)
        d.hear(LOUD, 20)
        got = d.sent()
        assert len(got) == 20 // frames
        assert all([p[0] == wire.PCM_S16LE and len(p[6]) == frames * 640 for p in got])
        values = struct.unpack("<%dh" % (frames * 320), bytes(got[0][6]))
        assert 900 < max(values) < 2500


def check_changing_the_kind_in_mid_stream_keeps_time():
    d = Device(policy=ALL)
    d.hear(QUIET, 7)
    d.recorder.configure_named("pcm_s16le", 2)
    d.hear(QUIET, 4)
    got = d.sent()
    assert [(p[0], p[3]) for p in got] == [(2, 3), (2, 3), (2, 1), (1, 2), (1, 2)]
    for a, b in zip(got, got[1:]):
        assert b[5] - a[5] == 20 * a[3]


def allocated(boot_ms, kind):
    d = Device(boot_ms=boot_ms)
    d.recorder.configure_named(kind, 3)
    d.hear(QUIET, 200)
    d.hear(LOUD, 60)
    d.hear(QUIET, 200)  # warm: the gate opened and closed, the ring went round
    feed = d.recorder.feed
    ticks = d.ticks
    gc.collect()
    gc.disable()
    before = gc.mem_alloc()
    i = 0
    while i < 1000:
        ticks = port.ticks_add(ticks, 20)
        feed(LOUD if i % 300 < 50 else QUIET, 1280, ticks, True)
        i += 1
    after = gc.mem_alloc()
    gc.enable()
    return after - before


def check_no_byte_is_allocated_per_frame():
    if not port.MICROPYTHON:
        return
    for boot in (0, WRAP - 5000, WRAP + 5000, 3 * WRAP, (1 << 32) - 5000):
        for kind in ("ima_adpcm", "pcm_s16le"):
            got = allocated(boot, kind)
            assert got == 0, (boot, kind, got)


def check_thirty_seconds_fit_the_ring_of_a_large_heap():
    for heap in (2 << 20, 8 << 20):
        ring = auto_bytes(heap)
        packet = 2 + wire.HEADER + wire.payload_size(wire.IMA_ADPCM, 3)
        assert ring // packet * 60 >= 30000, (heap, ring)
        assert ring <= heap // 2
    stock = auto_bytes(200000)
    assert stock == 49152
    assert stock // (2 + wire.HEADER + wire.payload_size(wire.IMA_ADPCM, 3)) * 60 >= 5000


def check_packets_are_as_long_as_memory_allows():
    d = Device(policy=ALL)
    d.recorder.configure_named("pcm_s16le", 10)
    assert d.recorder.frames == 3  # stock memory
    d.recorder.configure_named("ima_adpcm", 10)
    assert d.recorder.frames == 10
    large = Device(policy=ALL, ring=1 << 17)
    large.recorder.configure_named("pcm_s16le", 10)
    assert large.recorder.frames == 10


def check_pre_roll_is_bounded_in_time():
    for kind, frames in (("ima_adpcm", 1), ("ima_adpcm", 3), ("ima_adpcm", 10), ("pcm_s16le", 3)):
        d = Device(ring=1 << 17)
        d.recorder.configure_named(kind, frames)
        d.hear(QUIET, 300)
        opened = d.ticks - 1000
        d.hear(LOUD, 30)
        first = d.sent()[0]
        assert 300 <= opened - first[5] <= 700, (kind, frames, opened - first[5])


def check_the_recorders_numbers_are_the_wires():
    assert recorder.PACKET_NUMBERS == (
        wire.FRAME_SAMPLES,
        wire.FRAME_MS,
        wire.HEADER,
        wire.payload_size(wire.PCM_S16LE, 1),
        wire.HEADER + wire.ADPCM_STATE,
        wire.payload_size(wire.IMA_ADPCM, 1) - wire.ADPCM_STATE,
        wire.PCM_S16LE,
        wire.IMA_ADPCM,
    )


def check_a_packet_that_is_taken_back_gives_its_number_back_once():
    out = bytearray(wire.MAX_MEDIA)
    for again in (False, True):
        d = Device(policy=ALL)
        d.hear(LOUD, 30)
        for _ in range(4):
            d.recorder.take_next(out, 0)
        if again:
            d.recorder.resume_after(None)
            d.recorder.take_next(out, 0)  # number 0, which the hub may have
        unsent = d.ring.unsent
        assert d.recorder.set_policy(NONE)
        d.recorder.take_back()
        assert d.recorder.withheld == unsent + 1
        assert d.recorder.set_policy(ALL)
        d.hear(LOUD, 3)
        assert d.recorder.take_next(out, 0)
        assert out[4] == (4 if again else 3)
