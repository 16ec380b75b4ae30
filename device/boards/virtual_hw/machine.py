"""The virtual board's `machine`: pins, a watchdog, and an I2S microphone that hears a WAV file.

It keeps the hardware's rules: 32-bit left-justified slots of a 24-bit microphone at an INMP441's level (-26
dBFS at 94 dB SPL), whole DMA blocks in real time, garbage while it settles, the oldest samples lost when
nobody reads in time.

MINERVA_MIC_WAV: mono, 16 bits, 16 kHz. MINERVA_MIC_SPL: dB SPL of a full-scale sine in that file (120, an
INMP441's own). MINERVA_MIC_LOOP=1: begin again at the end; else the room falls silent.
MINERVA_MIC_LOSSLESS=1: a reader that is late loses nothing, for tests that compare every byte on a busy
machine. The control lines `mic off` and `mic on` break the microphone, which then gives nothing, and mend it.
"""

import io
import os
import struct

import virtual_clock
import virtual_control
from minerva.port import micropython, ptr16

RESET_STATUS = 42
FULL_SCALE_SPL = 120.0  # an INMP441: -26 dBFS at 94 dB SPL


def reset() -> None:
    """End the program as a reset ends it: with status 42."""
    print("virtual board: reset")
    virtual_control.end(RESET_STATUS)


class Pin:
    """A pin that remembers its level; pin 0 is the button, pressed by the control line `press`."""

    IN = 1
    OUT = 3
    PULL_UP = 2
    IRQ_FALLING = 2

    def __init__(self, number, mode=-1, pull=-1):
        self.number = number
        self._level = 1 if pull == Pin.PULL_UP else 0

    def value(self, level=None):
        """Read or set the level."""
        if level is None:
            return self._level
        self._level = level
        return None

    def irq(self, handler, trigger):
        """Call handler(pin) when the button is pressed."""
        virtual_control.on("press", lambda: handler(self))


class WDT:
    """Resets the board when it was not fed in time; it looks when it is fed and when samples are read."""

    _one = None

    def __init__(self, id=0, timeout=5000):
        self._timeout_us = timeout * 1000
        self._last = virtual_clock.real_us()
        WDT._one = self

    def feed(self):
        """All is well."""
        WDT.look()
        self._last = virtual_clock.real_us()
        virtual_control.poll()

    @classmethod
    def armed(cls):
        """Whether one was started: nothing stops it again."""
        return cls._one is not None

    @classmethod
    def look(cls):
        """Reset if it is too late."""
        dog = cls._one
        if dog is not None and virtual_clock.real_us() - dog._last > dog._timeout_us:
            print("virtual board: watchdog")
            reset()


@micropython.viper
def _left_justify(samples: ptr16, count: int, slots: ptr16, at: int, factor: int):
    """int16 -> 24 bits scaled by factor / 32768, left-justified in slots[at:at+count]."""
    i = 0
    while i < count:
        x = ((((int(samples[i]) ^ 0x8000) - 0x8000) * factor) + 0x40) >> 7
        if x > 0x7FFFFF:
            x = 0x7FFFFF
        slots[2 * (at + i)] = (x & 0xFF) << 8
        slots[2 * (at + i) + 1] = (x >> 8) & 0xFFFF
        i += 1


class _Room:
    """The WAV file as what there is to hear from the moment in which the first microphone is switched on."""

    def __init__(self):
        path = os.getenv("MINERVA_MIC_WAV")
        if not path:
            raise ValueError("MINERVA_MIC_WAV names no file")
        self._file = open(path, "rb")
        self._begin, self.samples = _find_data(self._file, path)
        self._loop = os.getenv("MINERVA_MIC_LOOP") == "1"
        louder_db = float(os.getenv("MINERVA_MIC_SPL") or FULL_SCALE_SPL) - FULL_SCALE_SPL
        if louder_db > 0:
            raise ValueError("MINERVA_MIC_SPL is above %d, where an INMP441 overloads" % FULL_SCALE_SPL)
        self._factor = round(32768 * 10 ** (louder_db / 20))
        self._at = -1  # the sample that the file stands at
        self._buffer = bytearray(2048)
        self._view = memoryview(self._buffer)
        self._over = False

    def hear(self, first, count, slots, at):
        """Samples first… of the room's time into slots[at:at+count]."""
        while count:
            place = first % self.samples if self._loop else first
            take = min(count, 1024, self.samples - place)
            if take <= 0:
                take = min(count, 1024)
                self._buffer[: 2 * take] = bytes(2 * take)
                if not self._over:
                    self._over = True
                    print("virtual board: the recording is over")
            else:
                if place != self._at:
                    self._file.seek(self._begin + 2 * place)
                self._file.readinto(self._view[: 2 * take])
                self._at = place + take
            _left_justify(self._buffer, take, slots, at, self._factor)
            first += take
            at += take
            count -= take


def _find_data(file, path):
    """(offset, samples) of a RIFF file's data; ValueError unless 16 kHz, mono, 16 bits."""
    if file.read(12)[8:] != b"WAVE":
        raise ValueError("%s is not a WAV file" % path)
    while True:
        head = file.read(8)
        if len(head) < 8:
            raise ValueError("%s has no data" % path)
        size = struct.unpack("<I", head[4:])[0]
        if head[:4] == b"data":
            return file.tell(), size // 2
        body = file.read(size + (size & 1))
        if head[:4] == b"fmt ":
            _, channels, rate, _, _, bits = struct.unpack("<HHIIHH", body[:16])
            if (channels, rate, bits) != (1, 16000, 16):
                raise ValueError(
                    "%s: %d channels, %d Hz, %d bits; wanted 1, 16000, 16" % (path, channels, rate, bits)
                )


_SETTLE = 4000  # samples: 250 ms


class I2S(io.IOBase):
    """The microphone. Time goes on while it is off: what is said meanwhile was never captured."""

    RX = 0
    MONO = 0
    _DMA = 256  # samples: 2048 bytes of 32-bit stereo
    _POLL = 3
    _room = None
    _on_since = 0
    _broken = False
    running = 0

    def __init__(self, id, *, sck, ws, sd, mode, bits, format, rate, ibuf):
        if (mode, bits, format, rate) != (I2S.RX, 32, I2S.MONO, 16000):
            raise ValueError("this board's microphone gives 32-bit mono at 16 kHz")
        if I2S._room is None:
            I2S._room = _Room()
            I2S._on_since = virtual_clock.elapsed_us()
            self._position = 0  # in samples since the room began
        else:
            self._position = self._due()
        I2S.running += 1
        self._capacity = ibuf // 8
        self._lossless = os.getenv("MINERVA_MIC_LOSSLESS") == "1"
        self._settled = self._position + _SETTLE
        self._off = False
        virtual_control.on("mic off", lambda: I2S._break(True))
        virtual_control.on("mic on", lambda: I2S._break(False))

    @classmethod
    def _break(cls, broken):
        cls._broken = broken

    @staticmethod
    def _due():
        return (virtual_clock.elapsed_us() - I2S._on_since) * 2 // 125

    def _available(self):
        if self._off:
            raise OSError(5, "I2S was switched off")
        if I2S._broken:
            self._position = self._due()  # what is said meanwhile was never captured
        have = self._due() - self._position
        if have > self._capacity and not self._lossless:
            self._position += have - self._capacity
            have = self._capacity
        return have // self._DMA * self._DMA if have < 4 * self._DMA else have

    def ioctl(self, request, argument):
        """MicroPython's stream protocol: whether there is something to read."""
        if request == self._POLL:
            return argument & 1 if self._available() > 0 else 0
        return -1

    def readinto(self, slots):
        """What there is, at most len(slots); None when there is nothing."""
        WDT.look()
        count = min(self._available(), len(slots) // 4)
        if count <= 0:
            return None
        settling = min(count, max(0, self._settled - self._position))
        for i in range(settling):
            struct.pack_into("<i", slots, 4 * i, (self._settled - self._position - i) << 17)
        if count > settling:
            # The room's time begins when the first microphone has settled.
            I2S._room.hear(self._position + settling - _SETTLE, count - settling, slots, settling)
        self._position += count
        return 4 * count

    def deinit(self):
        """Switch it off."""
        if not self._off:
            self._off = True
            I2S.running -= 1
            print("virtual board: I2S off")
