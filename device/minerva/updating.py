"""The application's part in updates: when an errand to the update server may begin, and what it may use.

On a board without PSRAM there is memory for one connection: the link is closed while an errand talks
(`wants_line`), what the errand is made of is dropped after it, and the ring gives its room to a release.
"""

import gc
import hashlib
import sys

import bootslot

from minerva.errors import LinkError, UpdateError
from minerva.port import sleep_ms
from minerva.ring import STOCK

QUIET_MS = 30000  # since somebody spoke
CHECK_MS = 10000  # the hub's word makes a device ask again no more often than that
FIRST_MS = 5000  # after the start, and up to as much again
_LOOK_MS = 250
_NEWS_PERCENT = 5  # of progress, from one message to the hub to the next
_TOLD_MS = 500  # for the hub to hear that the device restarts
_ERRAND = (
    "errand",
    "update",
    "ddi",
    "http",
    "ranges",
    "slots",
    "manifest",
    "fixed_json",
    "keyset",
    "ed25519",
    "sha512",
)


def unload(*names: str) -> None:
    """Forget modules of this package, so that their memory is free once nothing else holds them."""
    package = sys.modules["minerva"]
    for name in names:
        sys.modules.pop("minerva." + name, None)
        if hasattr(package, name):
            delattr(package, name)
    gc.collect()


class Past:
    """What one errand leaves to the next."""

    def __init__(self, outcome):
        self.outcome = outcome  # (action, finished, text) of what was installed, still to be told
        self.told = -1  # the action whose outcome the server was told
        self.configured = False  # the server was told what this device is
        self.asked_ms = -CHECK_MS  # when it was asked last


class Updating:
    """Updates from `settings.update`. `app` has alive(), joined(), make_room() and restart(); see App.

    `probation` is minerva.probation.Probation, `now_ms()` the device's time, `random(n)` gives 0 <= r < n,
    `free` the bytes of heap at the start (0: no bound).
    """

    variant = "micropython"

    def __init__(self, settings, board, app, probation, random, now_ms, free: int):
        self.server = settings.update
        self.device = settings.device
        self.board = board.NAME
        self.chip = getattr(board, "CHIP", "")
        self.exclusive = 0 < free <= 8 * STOCK
        self.random = random
        self.now_ms = now_ms
        self.quiet = False
        self.wants_line = False  # the link is to be closed, and to stay so
        self.line_free = True  # it is
        self.past = None
        self.utc_ms = None  # of device time 0, once the hub has told it
        self._app = app
        self._probation = probation
        self._spoke_ms = now_ms()
        self._due_ms = self._spoke_ms + FIRST_MS + random(FIRST_MS)
        self._told = ("", 0)
        self._news = None
        if probation.on_trial:
            self.tell("trial", "", "", 0)

    async def run(self) -> None:
        """Go on errands, for ever."""
        while True:
            self._app.alive()
            await sleep_ms(_LOOK_MS)
            if self._probation.judging or self.now_ms() < self._due_ms or (self.exclusive and not self.quiet):
                continue
            if self.past is None:
                self.past = Past(self._probation.outcome)
            from minerva.errand import Errand

            self._due_ms = await Errand(self).run()
            if self.exclusive:
                unload(*_ERRAND)
                sys.modules.pop("minerva.hw.fetch", None)
                self._app.take_back_room()

    def check(self) -> None:
        """The hub says that there is something to ask for."""
        asked = -CHECK_MS if self.past is None else self.past.asked_ms
        self._due_ms = min(self._due_ms, max(self.now_ms(), asked + CHECK_MS))

    def heard(self, speaking: bool) -> None:
        """Often: whether somebody speaks now, or what was said is not yet sent where that matters."""
        now = self.now_ms()
        if speaking:
            self._spoke_ms = now
        self.quiet = now - self._spoke_ms >= QUIET_MS

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

    def alive(self) -> None:
        """All is well."""
        self._app.alive()

    def utc_s(self) -> "int | None":
        """The time in UTC; None while nobody has told it."""
        return None if self.utc_ms is None else (self.utc_ms + self.now_ms()) // 1000

    def attributes(self, abi: str) -> dict:
        """What this device tells of itself, as configData."""
        _, record = bootslot.load()
        return {
            "device": self.device,
            "hwRevision": self.board,
            "board": self.board,
            "variant": self.variant,
            "version": self._app.version,
            "abi": abi,
            "slot": self._probation.slot,
            "security_version": 0 if record is None else record.floor,
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

            return Slots()
        try:
            from minerva.hw.partition import Partitions
        except ImportError:
            raise UpdateError("wrong_abi", "this device has no partitions for an image")
        return Partitions()

    async def take_network(self) -> None:
        """Take the network; where it must be alone, once the link is closed. LinkError: no Wi-Fi."""
        self.wants_line = self.exclusive
        while self.wants_line and not self.line_free:
            self._app.alive()
            await sleep_ms(_LOOK_MS)
        if not self._app.joined():
            raise LinkError("the Wi-Fi is not joined")

    def leave_network(self) -> None:
        """The link may have it again."""
        self.wants_line = False

    def make_room(self) -> None:
        """A release is on its way: free memory for it."""
        if self.exclusive:
            self._app.make_room()

    def reported(self) -> None:
        """The update server knows the outcome."""
        self._probation.reported()

    async def restart(self) -> None:
        """Into what was installed."""
        print("update: restarting")
        await sleep_ms(_TOLD_MS)
        self._app.restart()
