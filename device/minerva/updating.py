"""The application's part in updates: when an errand to the update server may begin, and what it may use.

On a board without PSRAM there is memory for one connection: the link is closed while an errand talks
(`wants_line`), what the errand is made of is dropped after it, and the ring gives its room to a release.

A muted device is updated as any other: an update opens no microphone, a mute at the button outlasts the
restart, and the trial's test of the microphone waits for its end.
"""

import gc
import hashlib

from minerva import __version__
from minerva.backoff import Backoff
from minerva.errors import LinkError, UpdateError
from minerva.hw.watchdog import restart
from minerva.memory import unload
from minerva.port import sleep_ms
from minerva.ring import STOCK, Ring

QUIET_MS = 30000  # since somebody spoke
CHECK_MS = 10000  # the hub's word makes a device ask again no more often than that
FIRST_MS = 5000  # after the start, and up to as much again
SMALL_RING = 8192  # bytes, while a release is installed on a board without PSRAM
FIRST_TROUBLE_MS = 2000  # from one try to the next
MOST_TROUBLE_MS = 600000  # so a server that was away is found again within ten minutes
_LOOK_MS = 250
_NEWS_PERCENT = 5  # of progress, from one message to the hub to the next
_TOLD_MS = 500  # for the hub to hear that the device restarts
_ERRAND = (
    "errand",
    "update",
    "ddi",
    "http",
    "ranges",
    "hw.fetch",
    "slots",
    "manifest",
    "fixed_json",
    "keyset",
    "ed25519",
    "sha512",
)


class Past:
    """What one errand leaves to the next."""

    def __init__(self, random):
        self.backoff = Backoff(random, FIRST_TROUBLE_MS, MOST_TROUBLE_MS)
        self.outcome = None  # (action, finished, text) of what was installed, still to be told
        self.told = -1  # the action whose outcome the server was told
        self.configured = False  # the server was told what this device is
        self.asked_ms = -CHECK_MS  # when it was asked last


class Updating:
    """Updates from the server in the settings.

    `about` is (settings, board, bytes of heap that were free at the start, 0: no bound). `alive()` goes to
    the watchdog, `now_ms()` is the device's time, `random(n)` gives 0 <= r < n.
    """

    variant = "micropython"

    def __init__(self, about: tuple, probation, recorder, wifi, alive, now_ms, random):
        settings, board, free = about
        self.server = settings.update
        self.device = settings.device
        self.board = board.NAME
        self.chip = getattr(board, "CHIP", "")
        self.exclusive = 0 < free <= 8 * STOCK
        self.alive = alive
        self.now_ms = now_ms
        self.random = random
        self.quiet = False
        self.wants_line = False  # the link is to be closed, and to stay so
        self.line_free = True  # it is
        self.past = None
        self.utc_ms = None  # of device time 0, once the hub has told it
        self._probation = probation
        self._recorder = recorder
        self._wifi = wifi
        self._ring_bytes = 0  # of the ring that gave its room
        self._spoke_ms = now_ms()
        self._due_ms = self._spoke_ms + FIRST_MS + random(FIRST_MS)
        self._told = ("", 0)
        self._news = None
        if probation.judging:
            self.tell("trial", "", "", 0)
        else:
            self._tell_verdict()

    async def run(self) -> None:
        """Go on errands, for ever."""
        while True:
            self.alive()
            await sleep_ms(_LOOK_MS)
            if self._probation.judging:
                continue
            if self._told[0] == "trial":
                self._tell_verdict()
            if self.now_ms() >= self._due_ms and (self.quiet or not self.exclusive):
                await self.go()

    def _tell_verdict(self) -> None:
        outcome = self._probation.outcome
        if outcome is not None:
            self.tell("kept" if outcome[1] == "success" else "rolled_back", "", "", 0)

    async def go(self) -> None:
        """One errand."""
        if self.past is None:
            self.past = Past(self.random)
        outcome = self._probation.outcome
        while outcome is not None and outcome[0] == 0:  # no update server wanted that
            self._probation.reported()
            outcome = self._probation.outcome
        self.past.outcome = outcome
        from minerva.errand import Errand

        self._due_ms = await Errand(self).run()
        if self.exclusive:
            del Errand
            unload(*_ERRAND)
            self._take_back_room()

    def check(self) -> None:
        """The hub says that there is something to ask for."""
        asked = -CHECK_MS if self.past is None else self.past.asked_ms
        self._due_ms = min(self._due_ms, max(self.now_ms(), asked + CHECK_MS))

    def heard(self, speaking: bool, unsent: bool) -> None:
        """Often: whether somebody speaks now, and whether what was said waits to be sent."""
        now = self.now_ms()
        if speaking:
            self._spoke_ms = now
        # Where an update needs the ring's room, what is in it goes first.
        self.quiet = now - self._spoke_ms >= QUIET_MS and not (
            unsent and self.exclusive and not self._ring_bytes
        )

    # --- what the hub is told -------------------------------------------------------------------------

    def tell(self, state: str, code: str, version: str, progress: int) -> None:
        """How it stands; the newest that is new is kept for `take_news`."""
        before, percent = self._told
        if state + code == before and abs(progress - percent) < _NEWS_PERCENT:
            return
        self._told = (state + code, progress)
        news: dict = {"state": state}
        if code:
            news["code"] = code
        if version:
            news["version"] = version
        if state == "downloading":
            news["progress"] = progress
        self._news = news

    def take_news(self) -> "dict | None":
        """Fields of the `update` message to send; None when nothing is new."""
        news = self._news
        self._news = None
        return news

    # --- for the errand -------------------------------------------------------------------------------

    def utc_s(self) -> "int | None":
        """The time in UTC; None while nobody has told it."""
        return None if self.utc_ms is None else (self.utc_ms + self.now_ms()) // 1000

    def attributes(self, abi: str) -> dict:
        """What this device tells of itself, as configData."""
        return {
            "device": self.device,
            "hwRevision": self.board,
            "board": self.board,
            "variant": self.variant,
            "version": __version__,
            "abi": abi,
            "slot": self._probation.slot,
            "security_version": self._probation.security_version,
        }

    def running_manifest(self) -> bytes:
        """SHA-256 of the running slot's manifest; b"" where there is none."""
        try:
            with open(self._probation.slot + "/manifest.json", "rb") as f:
                return hashlib.sha256(f.read()).digest()
        except OSError:
            return b""

    def keys(self):
        """The slots.KeyStore."""
        from minerva.slots import KeyStore

        return KeyStore()

    def target(self, kind: str):
        """Where a release of that kind goes: slots.Slots, or what does as it does. UpdateError: nowhere."""
        if kind == "application":
            from minerva.slots import Slots

            return Slots("", (self._probation.slot, False))  # on trial there are no errands
        try:
            from minerva.hw.partition import Partitions
        except ImportError:
            raise UpdateError("wrong_abi", "this device has no partitions for an image")
        return Partitions()

    async def take_network(self) -> None:
        """Take the network; where it must be alone, once the link is closed. LinkError: no Wi-Fi."""
        self.wants_line = self.exclusive
        while self.wants_line and not self.line_free:
            self.alive()
            await sleep_ms(_LOOK_MS)
        if self._wifi is not None and not self._wifi.connected():
            raise LinkError("the Wi-Fi is not joined")

    def leave_network(self) -> None:
        """The link may have it again."""
        self.wants_line = False

    def make_room(self) -> None:
        """A release is on its way: where memory is short, the ring gives way to it."""
        if self.exclusive and not self._ring_bytes and self._recorder.ring.capacity > SMALL_RING:
            self._ring_bytes = self._recorder.ring.capacity
            self._recorder.use_ring(Ring(SMALL_RING))
            gc.collect()

    def _take_back_room(self) -> None:
        """Nothing came of it: the ring as it was, or a restart where the heap has no such piece any more."""
        if self._ring_bytes:
            gc.collect()
            try:
                self._recorder.use_ring(Ring(self._ring_bytes))
            except MemoryError:
                print("update: no room for the ring of before")
                restart()
            self._ring_bytes = 0

    def reported(self, outcome: tuple) -> None:
        """The update server was told, or does not want to know."""
        if self._probation.outcome == outcome:
            self._probation.reported()

    async def restart(self) -> None:
        """Into what was installed."""
        print("update: restarting")
        await sleep_ms(_TOLD_MS)
        restart()
