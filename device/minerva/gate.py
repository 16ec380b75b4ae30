"""When is there something to hear? A gate relative to a tracked noise floor, never to absolute levels. Pure.

Fed with the level of each 20 ms frame in hundredths of a dB. It opens for a rise that lasts (speech) and for
any single frame 12 dB over the floor (a transient: alarm, doorbell, clap), which holds it for 2 s. Nothing
is allocated.

The floor is the quietest the room has been in the last ten seconds: words have gaps, so speech does not lift
it. A level that keeps steady for three seconds is a new noise, a fan that started, and becomes the floor at
once.
"""

from array import array

SPEECH_CDB = 600  # a rise that counts as speech when it lasts
SPEECH_FRAMES = 3  # 60 ms: longer than a click, shorter than a syllable
HOLD_CDB = 400  # below opening, so that the ends of words do not flutter
TRANSIENT_CDB = 1200
TRANSIENT_FRAMES = 100  # 2 s
HANGOVER_FRAMES = 50  # 1 s: longer than the hub's own hangover, which then sees the silence
STEADY_CDB = (
    600  # from the smoothed minimum to the loudest frame of a noise; a transient or speech spans more
)
STEADY_BLOCKS = 3

BLOCK_FRAMES = 50  # 1 s
BLOCKS = 10
# Two LSB of 16 bits. No microphone's own noise is quieter; digital silence must not make a floor.
LOWEST_FLOOR_CDB = -8400
_UNKNOWN = 32767


class Gate:
    """`update` with each level; then `open`, `transient` (a loud sound is on) and `floor_cdb` are current."""

    def __init__(self):
        self.open = False
        self.transient = False
        self.floor_cdb = LOWEST_FLOOR_CDB
        self._minima = array("h", [_UNKNOWN] * BLOCKS)
        self._maxima = array("h", [_UNKNOWN] * BLOCKS)
        self.reset()

    def reset(self) -> None:
        """Forget the room: the microphone starts anew."""
        self.open = False
        self.transient = False
        for i in range(BLOCKS):
            self._minima[i] = _UNKNOWN
            self._maxima[i] = _UNKNOWN
        self._block = 0
        self._frames = 0
        self._low = _UNKNOWN
        self._high = -_UNKNOWN
        self._smooth = _UNKNOWN
        self._rise = 0
        self._hold = 0
        self._loud = 0
        self._known = False

    def update(self, level_cdb: int) -> bool:
        """One frame's level -> whether the gate is open after it."""
        self._track(level_cdb)
        over = level_cdb - self.floor_cdb
        if over >= TRANSIENT_CDB:
            self._loud = TRANSIENT_FRAMES
        elif self._loud:
            self._loud -= 1
        self.transient = self._loud > 0
        if over >= SPEECH_CDB:
            if self._rise < SPEECH_FRAMES:
                self._rise += 1
        elif self._rise:
            self._rise -= 1
        if self._rise == SPEECH_FRAMES or (self.open and over >= HOLD_CDB):
            self._hold = HANGOVER_FRAMES
        elif self._hold:
            self._hold -= 1
        self.open = self._hold > 0 or self._loud > 0
        return self.open

    def _track(self, level: int) -> None:
        if level < LOWEST_FLOOR_CDB:
            level = LOWEST_FLOOR_CDB
        if self._smooth == _UNKNOWN:
            self._smooth = level
        else:
            self._smooth += (level - self._smooth) >> 2
        smooth = self._smooth
        if smooth < self._low:
            self._low = smooth
        if level > self._high:
            self._high = level
        if not self._known or smooth < self.floor_cdb:
            self.floor_cdb = smooth
            self._known = True
        self._frames += 1
        if self._frames == BLOCK_FRAMES:
            self._end_block()

    def _end_block(self) -> None:
        self._minima[self._block] = self._low
        self._maxima[self._block] = self._high
        low = _UNKNOWN
        high = -_UNKNOWN
        steady = True
        at = self._block
        for _ in range(STEADY_BLOCKS):
            if self._minima[at] == _UNKNOWN:
                steady = False
            if self._minima[at] < low:
                low = self._minima[at]
            if self._maxima[at] > high:
                high = self._maxima[at]
            at = at - 1 if at else BLOCKS - 1
        if steady and high - low <= STEADY_CDB:
            # What was before is history: a later quiet lowers the floor again at once.
            for i in range(BLOCKS):
                self._minima[i] = low
            # The noise was not speech, and its onset has been heard.
            self._hold = 0
            self._loud = 0
            self._rise = 0
        else:
            for i in range(BLOCKS):
                if self._minima[i] < low:
                    low = self._minima[i]
        self.floor_cdb = low
        self._block = self._block + 1 if self._block + 1 < BLOCKS else 0
        self._frames = 0
        self._low = _UNKNOWN
        self._high = -_UNKNOWN
