"""encode.py IN OUT: int16 -> for each 320 samples the state before them and 160 bytes of IMA-ADPCM."""

import sys

from minerva.codec import STEPS, encode, new_state

state = new_state()
coded = bytearray(160)
with open(sys.argv[1], "rb") as source, open(sys.argv[2], "wb") as target:
    while True:
        pcm = bytearray(source.read(640))
        if not pcm:
            break
        target.write(bytes(state))
        encode(pcm, 320, coded, 0, state, STEPS)
        target.write(coded)
