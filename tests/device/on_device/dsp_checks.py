import math
import struct

from minerva import dsp

from sounds import slots


def sine(amplitude, cycles=10, n=320):
    pcm = bytearray(2 * n)
    for i in range(n):
        x = amplitude * math.sin(2 * math.pi * cycles * i / n)
        struct.pack_into("<h", pcm, 2 * i, int(x + (0.5 if x > 0 else -0.5)))
    return pcm


def exact_cdb(pcm):
    squares = sum([x * x for x in struct.unpack("<320h", pcm)])
    return 1000 * math.log(squares / 320) / math.log(10) - 9030.9


def check_level_is_exact_from_one_lsb_to_full_scale():
    peak = bytearray(2)
    for amplitude in (1, 2, 5, 23, 33, 100, 365, 1000, 5000, 20000, 32767):
        pcm = sine(amplitude)
        level = dsp.measure(pcm, peak)
        assert abs(level - exact_cdb(pcm)) <= 4, (amplitude, level, exact_cdb(pcm))
        assert peak[0] | peak[1] << 8 == amplitude


def check_quiet_speech_is_not_rounded_away():
    # 23 LSB RMS, speech at 60 dB SPL without gain: halving it must show as 6 dB.
    loud, soft = sine(32), sine(16)
    peak = bytearray(2)
    assert 560 <= dsp.measure(loud, peak) - dsp.measure(soft, peak) <= 640


def check_silence_and_negative_full_scale():
    peak = bytearray(2)
    assert dsp.measure(bytearray(640), peak) == dsp.SILENCE_CDB
    low = bytearray(640)
    for i in range(320):
        struct.pack_into("<h", low, 2 * i, -32768)
    assert abs(dsp.measure(low, peak)) <= 3
    assert peak[0] | peak[1] << 8 == 32767


def check_amplitude_in_db():
    assert dsp.amplitude_cdb(0) == dsp.SILENCE_CDB
    for amplitude in (1, 10, 1234, 16384, 32767):
        want = 2000 * math.log(amplitude / 32768) / math.log(10)
        assert abs(dsp.amplitude_cdb(amplitude) - want) <= 10, (amplitude, dsp.amplitude_cdb(amplitude), want)


def run_filter(values, gain_db):
    pcm = bytearray(2 * len(values))
    state = dsp.new_filter()
    factor = dsp.gain_factor(gain_db)
    raw = slots(values)
    # In uneven portions, as the driver gives them.
    at = 0
    while at < len(values):
        n = min(97, len(values) - at)
        dsp.condition(raw[4 * at : 4 * (at + n)], n, pcm, at, state, factor)
        at += n
    return struct.unpack("<%dh" % len(values), pcm)


def check_gain_and_the_microphones_level():
    # -60 dBFS of the microphone, 60 dB SPL, is -36 dBFS after 24 dB: 516 LSB peak.
    out = run_filter([0.001 * math.sin(2 * math.pi * i / 16) for i in range(1600)], 24)
    assert 505 <= max(out) <= 528, max(out)


def check_dc_is_removed():
    out = run_filter([0.1 + 0.0005 * math.sin(2 * math.pi * i / 16) for i in range(3200)], 24)
    tail = out[1600:]
    assert abs(sum(tail) / len(tail)) < 3
    assert 250 <= max(tail) <= 268


def check_saturation_does_not_wrap():
    for gain in (0, 24, 48):
        out = run_filter([1.0 if i % 40 < 20 else -1.0 for i in range(640)], gain)
        for i in range(320, 640):
            if i % 40 < 20:
                assert out[i] > 15000, (gain, i, out[i])
            else:
                assert out[i] < -15000, (gain, i, out[i])


def check_copy_moves_forwards():
    data = bytearray(range(10))
    dsp.copy(data, 4, data, 0, 6)
    assert data == bytearray([4, 5, 6, 7, 8, 9, 6, 7, 8, 9])
