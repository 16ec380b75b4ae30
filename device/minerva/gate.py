"""When is there something to hear? A gate relative to a tracked noise floor, never to absolute levels. Pure.

Fed with the level of each 20 ms frame in hundredths of a dB. It opens for a rise that lasts (speech) and for
any single frame 12 dB over the floor (a transient: alarm, doorbell, clap), which holds it for 2 s. Nothing
is allocated.

The floor is the quietest the room has been in the last ten seconds: words have gaps, so speech does not lift
it. A level that keeps steady for three seconds is a new noise, a fan that started, and becomes the floor at
once.
"""

from array import array

from minerva.port import const, micropython, ptr16

_SPEECH_CDB = const(600)  # a rise that counts as speech when it lasts
_SPEECH_FRAMES = const(3)  # 60 ms: longer than a click, shorter than a syllable
_HOLD_CDB = const(400)  # below opening, so that the ends of words do not flutter
TRANSIENT_CDB = const(1200)
TRANSIENT_FRAMES = const(100)  # 2 s
HANGOVER_FRAMES = const(50)  # 1 s: longer than the hub's own hangover, which then sees the silence
# From the smoothed minimum to the loudest frame of a noise; a transient or speech spans more.
_STEADY_CDB = const(600)
_STEADY_BLOCKS = const(3)

_BLOCK_FRAMES = const(50)  # 1 s
_BLOCKS = const(10)
# Two LSB of 16 bits. No microphone's own noise is quieter; digital silence must not make a floor.
LOWEST_FLOOR_CDB = const(-8400)
_UNKNOWN = const(32767)

# Where things stand in a gate's state.
_SMOOTH = const(0)  # the level, smoothed over some 80 ms
_LOW = const(1)  # the quietest smoothed level of this block, and the loudest frame
_HIGH = const(2)
_FLOOR = const(3)
_RISE = const(4)  # frames that rose, less those that did not, up to _SPEECH_FRAMES
_HOLD = const(5)  # frames left of speech's hangover
_LOUD = const(6)  # frames left of a transient
_FRAMES = const(7)  # of this block
_WORDS = const(8)

_IS_OPEN = const(1)
_IS_TRANSIENT = const(2)
_IS_BLOCK = const(4)


@micropython.viper
def _follow(state: ptr16, level: int, was_open: int) -> int:
    """One frame's level; returns _IS_OPEN, _IS_TRANSIENT and, when a block is complete, _IS_BLOCK."""
    if level < LOWEST_FLOOR_CDB:
        level = LOWEST_FLOOR_CDB
    smooth = (int(state[_SMOOTH]) ^ 0x8000) - 0x8000
    floor = (int(state[_FLOOR]) ^ 0x8000) - 0x8000
    if smooth == _UNKNOWN:
        smooth = level
        floor = level
    else:
        smooth += (level - smooth) >> 2
    state[_SMOOTH] = smooth & 0xFFFF
    if smooth < (int(state[_LOW]) ^ 0x8000) - 0x8000:
        state[_LOW] = smooth & 0xFFFF
    if level > (int(state[_HIGH]) ^ 0x8000) - 0x8000:
        state[_HIGH] = level & 0xFFFF
    if smooth < floor:
        floor = smooth
    state[_FLOOR] = floor & 0xFFFF

    over = level - floor
    loud = int(state[_LOUD])
    if over >= TRANSIENT_CDB:
        loud = TRANSIENT_FRAMES
    elif loud > 0:
        loud -= 1
    state[_LOUD] = loud
    rise = int(state[_RISE])
    if over >= _SPEECH_CDB:
        if rise < _SPEECH_FRAMES:
            rise += 1
    elif rise > 0:
        rise -= 1
    state[_RISE] = rise
    hold = int(state[_HOLD])
    if rise == _SPEECH_FRAMES:
        hold = HANGOVER_FRAMES
    elif was_open and over >= _HOLD_CDB:
        hold = HANGOVER_FRAMES
    elif hold > 0:
        hold -= 1
    state[_HOLD] = hold

    said = 0
    if loud > 0:
        said = _IS_TRANSIENT | _IS_OPEN
    if hold > 0:
        said |= _IS_OPEN
    frames = int(state[_FRAMES]) + 1
    if frames == _BLOCK_FRAMES:
        frames = 0
        said |= _IS_BLOCK
    state[_FRAMES] = frames
    return said


class Gate:
    """`update` with each level; then `open`, `transient` (a loud sound is on) and `floor_cdb` are current."""

    def __init__(self):
        self.open = False
        self.transient = False
        self._state = array("h", [0] * _WORDS)
        self._minima = array("h", [_UNKNOWN] * _BLOCKS)
        self._maxima = array("h", [_UNKNOWN] * _BLOCKS)
        self._block = 0
        self.reset()

    @property
    def floor_cdb(self) -> int:
        """The noise floor, in hundredths of dBFS; the lowest there is while nothing was heard."""
        return self._state[_FLOOR]

    def reset(self) -> None:
        """Forget the room: the microphone starts anew."""
        self.open = False
        self.transient = False
        for i in range(_WORDS):
            self._state[i] = 0
        self._state[_FLOOR] = LOWEST_FLOOR_CDB
        self._state[_SMOOTH] = _UNKNOWN
        for i in range(_BLOCKS):
            self._minima[i] = _UNKNOWN
            self._maxima[i] = _UNKNOWN
        self._block = 0
        self._begin_block()

    def update(self, level_cdb: int) -> bool:
        """One frame's level -> whether the gate is open after it."""
        said = _follow(self._state, level_cdb, self.open)
        self.open = said & _IS_OPEN != 0
        self.transient = said & _IS_TRANSIENT != 0
        if said & _IS_BLOCK:
            self._end_block()
        return self.open

    def _begin_block(self) -> None:
        self._state[_LOW] = _UNKNOWN
        self._state[_HIGH] = -_UNKNOWN

    def _end_block(self) -> None:
        state = self._state
        self._minima[self._block] = state[_LOW]
        self._maxima[self._block] = state[_HIGH]
        low = _UNKNOWN
        high = -_UNKNOWN
        steady = True
        at = self._block
        for _ in range(_STEADY_BLOCKS):
            if self._minima[at] == _UNKNOWN:
                steady = False
            if self._minima[at] < low:
                low = self._minima[at]
            if self._maxima[at] > high:
                high = self._maxima[at]
            at = at - 1 if at else _BLOCKS - 1
        if steady and high - low <= _STEADY_CDB:
            # What was before is history: a later quiet lowers the floor again at once.
            for i in range(_BLOCKS):
                self._minima[i] = low
            # The noise was not speech, and its onset has been heard.
            state[_HOLD] = state[_LOUD] = state[_RISE] = 0
            self.open = False
            self.transient = False
        else:
            for i in range(_BLOCKS):
                if self._minima[i] < low:
                    low = self._minima[i]
        state[_FLOOR] = low
        self._block = self._block + 1 if self._block + 1 < _BLOCKS else 0
        self._begin_block()
