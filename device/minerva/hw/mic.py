"""The microphone: I2S in 32-bit slots into one preallocated buffer, never waiting."""

from machine import I2S, Pin

from minerva.dsp import copy
from minerva.errors import MicrophoneError
from minerva.port import Readiness, const
from minerva.recorder import RAW_BYTES, SLOT_BYTES
from minerva.wire import SAMPLE_RATE

# The driver keeps what comes while we do something else. It stores stereo slots: 256 ms at 16 kHz.
_IBUF_BYTES = const(32768)
# What an INMP441 gives in its first quarter of a second is its own settling, not sound.
SETTLE_MS = 250
_SETTLE_BYTES = SAMPLE_RATE * SLOT_BYTES * SETTLE_MS // 1000


class Microphone:
    """`pins`: I2S `id`, and the numbers of `sck`, `ws`, `sd`. Stopped until `start()`."""

    def __init__(self, pins: dict):
        self.raw = bytearray(RAW_BYTES)
        self.caught_up = True  # the last read took all that the driver had
        self._pins = pins
        self._i2s = None
        self._ready = None
        self._settling = 0

    @property
    def running(self) -> bool:
        """Whether the peripheral is on."""
        return self._i2s is not None

    @property
    def settling_ms(self) -> int:
        """How much of what comes next is not sound yet; 0 when all of it is."""
        return self._settling * 1000 // (SAMPLE_RATE * SLOT_BYTES)

    def start(self) -> None:
        """Switch the peripheral on; samples come after SETTLE_MS. MicrophoneError when it refuses."""
        if self._i2s is not None:
            return
        pins = self._pins
        try:
            self._i2s = I2S(
                pins["id"],
                sck=Pin(pins["sck"]),
                ws=Pin(pins["ws"]),
                sd=Pin(pins["sd"]),
                mode=I2S.RX,
                bits=32,
                format=I2S.MONO,
                rate=SAMPLE_RATE,
                ibuf=_IBUF_BYTES,
            )
        except (OSError, ValueError) as e:
            raise MicrophoneError(
                "I2S %d with sck %d, ws %d, sd %d: %s" % (pins["id"], pins["sck"], pins["ws"], pins["sd"], e)
            )
        self._ready = Readiness(self._i2s)
        self._settling = _SETTLE_BYTES

    def stop(self) -> None:
        """Switch the peripheral off: no clock reaches the microphone, nothing is captured."""
        if self._i2s is not None:
            self._i2s.deinit()
            self._i2s = None
            self._ready = None
            self._settling = 0
            self._wipe()

    def _wipe(self) -> None:
        for i in range(RAW_BYTES):
            self.raw[i] = 0

    def read(self) -> int:
        """Bytes now in `raw`, perhaps 0. Never waits."""
        # To look whether there is something is also what keeps the ESP32's driver from waiting in readinto.
        if self._i2s is None or self._ready is None or not self._ready.readable():
            return 0
        size = self._i2s.readinto(self.raw) or 0
        self.caught_up = size < RAW_BYTES
        if self._settling == 0:
            return size
        skip = min(size, self._settling)
        self._settling -= skip
        size -= skip
        copy(self.raw, skip, self.raw, 0, size)
        return size
