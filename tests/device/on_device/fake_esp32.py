"""esp32.Partition of a chip with two application slots, by ESP-IDF's rules; `chip` is what it is made of."""

SIZE = 65536
BLOCK = 4096


class Chip:
    """Flash that must be erased before it is written, a bootloader that goes back, power that may fail."""

    def __init__(self, slots=2):
        self.flash = [bytearray(b"\xff" * SIZE) for _ in range(slots)]
        self.flash[0][0] = 0xE9
        self.boots = 0  # what otadata says
        self.state = ["valid", "empty"]
        self.running = 0
        self.writes_left = -1  # before power fails; -1: it never does

    def touch(self):
        if self.writes_left == 0:
            raise OSError(5, "power failed")
        self.writes_left -= 1

    def reset(self):
        """What the bootloader starts next."""
        self.writes_left = -1
        if self.state[self.boots] == "pending":  # started before, and nobody marked it good
            self.state[self.boots] = "aborted"
            self.boots ^= 1
        elif self.state[self.boots] == "new":
            self.state[self.boots] = "pending"
        self.running = self.boots


chip = Chip()


class Partition:
    """See esp32.Partition."""

    BOOT = 0
    RUNNING = 1

    def __init__(self, id):
        assert id == Partition.RUNNING
        self._slot = chip.running

    @classmethod
    def _of(cls, slot):
        made = cls(cls.RUNNING)
        made._slot = slot
        return made

    def info(self):
        return 0, 16 + self._slot, 0x10000 * (1 + self._slot), SIZE, "ota_%d" % self._slot, False

    def get_next_update(self):
        return Partition._of((chip.running + 1) % len(chip.flash))

    def readblocks(self, block, buf, offset=0):
        at = block * BLOCK + offset
        buf[:] = chip.flash[self._slot][at : at + len(buf)]

    def writeblocks(self, block, buf):
        assert self._slot != chip.running, "the image that runs is overwritten"
        assert len(buf) % BLOCK == 0
        chip.touch()
        at = block * BLOCK
        page = chip.flash[self._slot]
        for i in range(len(buf)):
            page[at + i] &= buf[i]  # flash only clears bits

    def ioctl(self, cmd, arg):
        assert cmd == 6 and self._slot != chip.running
        chip.touch()
        chip.flash[self._slot][arg * BLOCK : (arg + 1) * BLOCK] = b"\xff" * BLOCK
        return 0

    def set_boot(self):
        if chip.flash[self._slot][0] != 0xE9:
            raise OSError(-5379, "ESP_ERR_OTA_VALIDATE_FAILED")
        chip.touch()
        chip.boots = self._slot
        chip.state[self._slot] = "new"

    @classmethod
    def mark_app_valid_cancel_rollback(cls):
        chip.touch()
        chip.state[chip.running] = "valid"
