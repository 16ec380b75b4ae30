"""IMA-ADPCM, four bits a sample, bit for bit as Python's audioop encodes it. Pure, viper.

A packet begins with the encoder's state, so that it decodes alone; the first sample of a pair is in the high
nibble.
"""

from array import array

from minerva.port import micropython, ptr8, ptr16

# fmt: off
STEPS = array("H", (
    7, 8, 9, 10, 11, 12, 13, 14, 16, 17, 19, 21, 23, 25, 28, 31, 34, 37, 41, 45, 50, 55, 60, 66, 73, 80,
    88, 97, 107, 118, 130, 143, 157, 173, 190, 209, 230, 253, 279, 307, 337, 371, 408, 449, 494, 544,
    598, 658, 724, 796, 876, 963, 1060, 1166, 1282, 1411, 1552, 1707, 1878, 2066, 2272, 2499, 2749,
    3024, 3327, 3660, 4026, 4428, 4871, 5358, 5894, 6484, 7132, 7845, 8630, 9493, 10442, 11487, 12635,
    13899, 15289, 16818, 18500, 20350, 22385, 24623, 27086, 29794, 32767,
))
# fmt: on


def new_state() -> bytearray:
    """Fresh encoder state: predictor (int16) and step index (u16); also the state bytes of a packet."""
    return bytearray(4)


@micropython.viper
def encode(pcm: ptr16, count: int, out: ptr8, at: int, state: ptr16, steps: ptr16):
    """int16 samples pcm[:count] (count even) -> count/2 bytes into out[at:]; `state` moves on."""
    predicted = (int(state[0]) ^ 0x8000) - 0x8000
    index = int(state[1])
    pair = 0
    i = 0
    while i < count:
        step = int(steps[index])
        rest = ((int(pcm[i]) ^ 0x8000) - 0x8000) - predicted
        code = 0
        if rest < 0:
            code = 8
            rest = 0 - rest
        change = step >> 3
        if rest >= step:
            code |= 4
            rest -= step
            change += step
        step >>= 1
        if rest >= step:
            code |= 2
            rest -= step
            change += step
        step >>= 1
        if rest >= step:
            code |= 1
            change += step
        if code & 8:
            predicted -= change
            if predicted < -32768:
                predicted = -32768
        else:
            predicted += change
            if predicted > 32767:
                predicted = 32767
        if code & 4:
            index += ((code & 3) + 1) << 1
            if index > 88:
                index = 88
        elif index > 0:
            index -= 1
        if i & 1:
            out[at + (i >> 1)] = pair | code
        else:
            pair = code << 4
        i += 1
    state[0] = predicted & 0xFFFF
    state[1] = index
