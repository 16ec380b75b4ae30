"""Samples: from the microphone's 32-bit slots to int16 at a useful level, and how loud that is. Pure, viper.

A MEMS microphone is quiet: an INMP441 gives speech at 60 dB SPL at -60 dBFS, 23 LSB RMS in 16 bits. So the 24
bits it has are kept through the high-pass filter and the board's gain, and rounded to 16 only then.
"""

from minerva.port import const, micropython, ptr8, ptr16

# Level of a frame of digital silence: one LSB in one sample of 320. Below it there is nothing.
SILENCE_CDB = -11536

_DC_SHIFT = const(6)  # corner of the high-pass: 16000 / (2 pi 2^6) = 40 Hz, below any voice
MIN_GAIN_DB = -12
MAX_GAIN_DB = 48


def gain_factor(gain_db: float) -> int:
    """Gain in dB (-12 to 48) -> the factor `condition` takes: 128 for each unit of 16-bit gain."""
    return round(128 * 10 ** (gain_db / 20))


def new_filter() -> bytearray:
    """Fresh state for `condition`: DC estimate (32 bits) and whether it was primed."""
    return bytearray(6)


@micropython.viper
def condition(raw: ptr16, count: int, pcm: ptr16, at: int, state: ptr16, factor: int):
    """Left-justified samples raw[:count] -> int16 in pcm[at:at+count]: high-pass, gain, saturation."""
    dc = ((int(state[1]) ^ 0x8000) - 0x8000) << 16 | int(state[0])
    # |y| is cut to where y * factor just fills 31 bits, so that the product cannot wrap.
    limit = 0x3FFF0000 // factor
    i = 0
    while i < count:
        # The upper 24 bits; the slot's last byte is empty.
        x = ((int(raw[2 * i + 1]) ^ 0x8000) - 0x8000) << 8 | int(raw[2 * i]) >> 8
        if state[2] == 0:
            dc = x << _DC_SHIFT
            state[2] = 1
        y = x - (dc >> _DC_SHIFT)
        dc += y
        if y > limit:
            y = limit
        elif y < 0 - limit:
            y = 0 - limit
        y = (y * factor + 0x4000) >> 15
        if y > 32767:
            y = 32767
        elif y < -32768:
            y = -32768
        pcm[at + i] = y & 0xFFFF
        i += 1
    state[0] = dc & 0xFFFF
    state[1] = (dc >> 16) & 0xFFFF


@micropython.viper
def measure(pcm: ptr16, peak: ptr16) -> int:
    """RMS of a frame (320 int16 samples) in hundredths of dBFS; peak[0] rises to the largest magnitude.

    The sum of squares is exact: its halves are kept apart, so that speech of a few LSB counts in full.
    """
    low = 0
    high = 0
    top = 0
    i = 0
    while i < 320:
        x = (int(pcm[i]) ^ 0x8000) - 0x8000
        if x < 0:
            x = 0 - x
        if x > top:
            top = x
        x = x * x
        low += x & 0xFFFF
        high += x >> 16
        i += 1
    if top > 32767:
        top = 32767
    if top > int(peak[0]):
        peak[0] = top
    high += low >> 16
    low = low & 0xFFFF
    # log2 of high:low in Q10, by its leading bits and a parabola (0.03 dB at worst)
    exponent = 15
    if high >= 0x4000:
        mantissa = high
        exponent += 16
    else:
        mantissa = high << 16 | low
    if mantissa == 0:
        return -11536
    while mantissa >= 0x10000:
        mantissa >>= 1
        exponent += 1
    while mantissa < 0x8000:
        mantissa <<= 1
        exponent -= 1
    f = mantissa - 0x8000
    f += ((f * (0x8000 - f)) >> 15) * 11263 >> 15
    # Q10 log2 -> hundredths of a dB (301.03 for each power of two), relative to 320 samples of full scale
    return ((((exponent << 10) + (f >> 5)) * 9633) >> 15) - 11536


def amplitude_cdb(amplitude: int) -> int:
    """Peak magnitude (0 to 32767) -> hundredths of dBFS."""
    if amplitude <= 0:
        return SILENCE_CDB
    exponent = 0
    while amplitude < 0x4000:
        amplitude <<= 1
        exponent += 1
    f = (amplitude - 0x4000) << 1
    f += ((f * (0x8000 - f)) >> 15) * 11263 >> 15
    return (((((14 - exponent) << 10) + (f >> 5)) * 19266) >> 15) - 9031


@micropython.viper
def copy(source: ptr8, start: int, target: ptr8, at: int, size: int):
    """source[start:start+size] -> target[at:], without allocating slices; forwards, byte by byte."""
    i = 0
    while i < size:
        target[at + i] = source[start + i]
        i += 1
