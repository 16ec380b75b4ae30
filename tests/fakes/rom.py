"""A chip in its download mode behind a pseudo terminal: the ROM's and the stub's commands over SLIP.

It keeps what is written in `flash`, and gives it back. Formats are those of Espressif's serial protocol;
registers read as zero but the one through which the flash chip says its size.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pty
import select
import struct
import threading
import tty
import zlib

END = 0xC0
S3, C3, C6 = 9, 5, 13  # the chips' numbers
SPI_W0 = {S3: 0x60002058, C3: 0x60002058, C6: 0x60003058}
SYNC, READ_REG, MEM_END, SECURITY = 0x08, 0x0A, 0x06, 0x14
DEFL_BEGIN, DEFL_DATA, MD5, ERASE_ALL, ERASE_REGION, READ = 0x10, 0x11, 0x13, 0xD0, 0xD1, 0xD2
BLOCK = 4096  # bytes that the stub sends until the computer says how much it has


class Rom:
    """The chip, within its context; `port` is where it listens, `said` the commands it got."""

    def __init__(self, chip: int = S3, flash_mb: int = 8) -> None:
        self.chip = chip
        self.flash = bytearray(flash_mb << 20)
        self._size = (flash_mb << 20).bit_length() - 1
        self.wrong = 0  # that many writes it takes as other bytes
        self.cut: int | None = None  # bytes that it writes until somebody pulls the plug
        self.said: list[int] = []
        self._stub = False
        self._at = 0
        self._wrong_now = False
        self._inflate = zlib.decompressobj()
        self._reading = b""  # what was asked for
        self._ended = threading.Event()

    def __enter__(self) -> Rom:
        self._host, self._slave = pty.openpty()
        tty.setraw(self._slave)
        self.port = os.ttyname(self._slave)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(20)
        os.close(self._slave)
        if self._host >= 0:
            os.close(self._host)

    def _run(self) -> None:
        frame: bytearray | None = None
        while not self._ended.is_set() and self._host >= 0:
            ready, _, _ = select.select([self._host], [], [], 0.05)
            for byte in os.read(self._host, 65536) if ready else b"":
                if byte == END:
                    if frame and self._host >= 0:
                        self._answer(bytes(frame).replace(b"\xdb\xdc", b"\xc0").replace(b"\xdb\xdd", b"\xdb"))
                    frame = None if frame else bytearray()
                elif frame is not None:
                    frame.append(byte)

    def _send(self, data: bytes) -> None:
        with contextlib.suppress(OSError):
            escaped = data.replace(b"\xdb", b"\xdb\xdd").replace(b"\xc0", b"\xdb\xdc")
            os.write(self._host, b"\xc0" + escaped + b"\xc0")

    def _send_block(self, have: int) -> None:
        """The next block of what is read, and at its end the MD5 of all."""
        if have < len(self._reading):
            self._send(self._reading[have : have + BLOCK])
        else:
            self._send(hashlib.md5(self._reading).digest())
            self._reading = b""

    def _answer(self, frame: bytes) -> None:
        if self._reading and len(frame) == 4:
            self._send_block(int.from_bytes(frame, "little"))
            return
        _, command, _, _ = struct.unpack("<BBHI", frame[:8])
        data = frame[8:]
        self.said.append(command)
        value, body = 0, b""
        if command == SYNC and not self._stub:
            value = 0x20120707  # a stub would say 0
        elif command == READ_REG:
            value = (
                (self._size << 16 | 0x40C8) if struct.unpack("<I", data[:4])[0] == SPI_W0[self.chip] else 0
            )
        elif command == SECURITY:
            body = struct.pack("<IB7sII", 0, 0, bytes(7), self.chip, 0)
        elif command == DEFL_BEGIN:
            self._at = struct.unpack("<IIII", data[:16])[3]
            self._inflate = zlib.decompressobj()
            self._wrong_now, self.wrong = self.wrong > 0, max(0, self.wrong - 1)
        elif command == DEFL_DATA:
            (length,) = struct.unpack("<I", data[:4])
            self._write(self._inflate.decompress(data[16 : 16 + length]))
        elif command == MD5:
            at, size = struct.unpack("<II", data[:8])
            digest = hashlib.md5(self.flash[at : at + size])
            body = digest.digest() if self._stub else digest.hexdigest().encode()
        elif command == ERASE_ALL:
            self.flash[:] = b"\xff" * len(self.flash)
        elif command == READ:
            at, size = struct.unpack("<II", data[:8])
            self._reading = bytes(self.flash[at : at + size])
        elif command == ERASE_REGION:
            at, size = struct.unpack("<II", data[:8])
            self.flash[at : at + size] = b"\xff" * size
        status = b"\0\0" if self._stub else b"\0\0\0\0"
        answer = struct.pack("<BBHI", 1, command, len(body) + len(status), value) + body + status
        for _ in range(8 if command == SYNC else 1):
            self._send(answer)
        if command == MEM_END and struct.unpack("<II", data[:8])[0] == 0:
            self._stub = True
            self._send(b"OHAI")
        if command == READ:
            self._send_block(0)

    def _write(self, data: bytes) -> None:
        if self.cut is not None and len(data) > self.cut:
            data = data[: self.cut]
            os.close(self._host)
            self._host = -1
        elif self.cut is not None:
            self.cut -= len(data)
        self.flash[self._at : self._at + len(data)] = bytes(len(data)) if self._wrong_now else data
        self._at += len(data)
