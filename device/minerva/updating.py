"""The application's part in updates: when an errand to the update server may begin, and what it may use.

On a board without PSRAM there is memory for one connection: the link is closed while an errand talks
(`wants_line`), what the errand is made of is dropped after it, and the ring gives its room to a release.

A muted device is updated as any other: an update opens no microphone, a mute at the button outlasts the
restart, and the trial's test of the microphone waits for its end.
"""

import hashlib
import sys

from minerva import __version__
from minerva.backoff import Backoff
from minerva.errors import LinkError, UpdateError
from minerva.hw.watchdog import restart
from minerva.memory import collect_every, unload
from minerva.port import const, sleep_ms
from minerva.ring import auto_bytes, is_short

_QUIET_S = const(30)  # since somebody spoke
_CHECK_S = const(10)  # the hub's word makes a device ask again no more often than that
_FIRST_S = const(5)  # after the start, and up to as much again
_SMALL_RING = const(2048)  # bytes, on a board without PSRAM while an errand is under way
_ROOM_TRIES = const(40)  # ten seconds
FIRST_TROUBLE_MS = 2000  # from one try to the next
_MOST_TROUBLE_MS = const(600000)  # so a server that was away is found again within ten minutes
_OFTEN = const(2048)  # bytes
_LOOK_MS = const(250)
_MAX_NEWS = const(8)  # without a link; states that are long past help nobody
_NEWS_PERCENT = const(5)  # of progress, from one message to the hub to the next
_TOLD_MS = const(500)  # for the hub to hear that the device restarts
_ERRAND = (
    "minerva.errand",
    "minerva.acceptance",
    "minerva.keyset",
    "minerva.slots",
    "minerva.update",
    "minerva.manifest",
    "minerva.ddi",
    "minerva.hw.fetch",
    "minerva.http",
    "minerva.slot_files",
    "minerva.ranges",
    "minerva.trial",
    "minerva.ed25519",
    "minerva.sha512",
    "minerva.fixed_json",
)


def warm_up() -> None:
    """Let an errand take now what of it stays for good: room in the tables of modules, and names.

    They lie where the heap has room at that moment: at its beginning now, in the ring's place later. So the
    tables grow first, and the modules, the lowest first, come one by one.
    """
    package = sys.modules["minerva"]
    for name in _ERRAND:
        sys.modules[name] = package
        setattr(package, name.rpartition(".")[2], None)
    for name in _ERRAND:
        del sys.modules[name]
        delattr(package, name.rpartition(".")[2])
    for name in reversed(_ERRAND):
        __import__(name)
        unload(*_ERRAND)


class Past:
    """What one errand leaves to the next."""

    def __init__(self, random):
        self.backoff = Backoff(random, FIRST_TROUBLE_MS, _MOST_TROUBLE_MS)
        self.outcome = None  # (action, finished, text) of what was installed, still to be told
        self.told = -1  # the action whose outcome the server was told
        self.configured = False  # the server was told what this device is
        self.asked_s = -_CHECK_S  # when it was asked last


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
        self.exclusive = is_short(free)
        self.alive = alive
        self.now_ms = now_ms
        self.random = random
        self.quiet = False
        self.wants_line = False  # the link is to be closed, and to stay so
        self.line_free = False  # it is
        self.past = None
        self.utc_ms = None  # of device time 0, once the hub has told it
        self._probation = probation
        self._recorder = recorder
        self._ring_bytes = settings.ring_bytes or auto_bytes(free)
        self._wifi = wifi
        # Device time in whole seconds: milliseconds are past 2^30 after twelve days, and a number that large
        # lies on the heap, in the ring's place.
        self._spoke_s = now_ms() // 1000
        self._due_s = self._spoke_s + _FIRST_S + random(_FIRST_S)
        self._state = self._code = ""  # what the hub was told last
        self._percent = 0
        self._news = [["", "", "", 0] for _ in range(_MAX_NEWS)]
        self._news_begin = self._news_end = 0
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
            if self._state == "trial":
                self._tell_verdict()
            if self.now_ms() // 1000 >= self._due_s and (self.quiet or not self.exclusive):
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
        if not self.exclusive:
            self._due_s = await self._run_errand()
            return
        await self._take_line()
        size = self._ring_bytes
        self._resize(min(size, _SMALL_RING))
        usual = collect_every(_OFTEN)  # garbage between what stays would leave no room for a manifest
        try:
            self._due_s = await self._run_errand()
        finally:
            collect_every(usual)
            unload(*_ERRAND)
        if not (self.wants_line and self.line_free):
            await self._take_line()  # until the ring is there: what a link takes might lie in its place
        tries = 0
        # What runs meanwhile leaves crumbs in the place: then the ring is smaller, still 5 s of ADPCM.
        while not (self._resize(size) or self._resize(size // 8 * 7)):
            self._resize(_SMALL_RING)
            tries += 1
            if tries == _ROOM_TRIES:
                print("update: no room for the ring of before")
                restart()
            await sleep_ms(_LOOK_MS)
        self.wants_line = False

    async def _take_line(self) -> None:
        """Wait until the link is closed, and keep it so."""
        self.wants_line = True
        while not self.line_free:
            self.alive()
            await sleep_ms(_LOOK_MS)

    async def _run_errand(self) -> int:
        from minerva.errand import Errand

        return await Errand(self).run()

    def _resize(self, size: int) -> bool:
        """Give the recorder's ring another size; False: the heap has no such piece, and there is no ring."""
        recorder = self._recorder
        recorder.release()  # first of all: what is taken after it lies at the beginning of the room
        try:
            recorder.take_memory(size)
        except MemoryError:
            return False
        return True

    def check(self) -> None:
        """The hub says that there is something to ask for."""
        asked_s = -_CHECK_S if self.past is None else self.past.asked_s
        self._due_s = min(self._due_s, max(self.now_ms() // 1000, asked_s + _CHECK_S))

    def heard(self, speaking: bool, unsent: bool) -> None:
        """Often: whether somebody speaks now, and whether what was said waits to be sent."""
        now_s = self.now_ms() // 1000
        if speaking:
            self._spoke_s = now_s
        # Where an update needs the ring's room, what is in it goes first.
        self.quiet = now_s - self._spoke_s >= _QUIET_S and not (
            unsent and self.exclusive and not self.wants_line
        )

    # --- what the hub is told -------------------------------------------------------------------------

    def tell(self, state: str, code: str, version: str, progress: int) -> None:
        """How it stands; what is new waits for `take_news`, the oldest gives way."""
        same = state == self._state and code == self._code
        if same and abs(progress - self._percent) < _NEWS_PERCENT:
            return
        self._state, self._code, self._percent = state, code, progress
        # Nothing is made for it: while an errand is under way that would lie in the ring's place.
        news = self._news[self._news_end % _MAX_NEWS]
        news[0], news[1], news[2], news[3] = state, code, "" if self.exclusive else version, progress
        self._news_end += 1
        self._news_begin = max(self._news_begin, self._news_end - _MAX_NEWS)

    def take_news(self) -> "dict | None":
        """Fields of the `update` message to send; None when nothing is new."""
        if self._news_begin == self._news_end:
            return None
        state, code, version, progress = self._news[self._news_begin % _MAX_NEWS]
        self._news_begin += 1
        news: dict = {"state": state}
        if code:
            news["code"] = code
        if version:
            news["version"] = version
        if state == "downloading":
            news["progress"] = progress
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
        """bootslot.Copies with the text of the key set in force."""
        from bootslot import copies_of_keys

        return copies_of_keys()

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
        if self.exclusive:
            await self._take_line()
        if self._wifi is not None and not self._wifi.connected():
            raise LinkError("the Wi-Fi is not joined")

    def leave_network(self) -> None:
        """The link may have it again."""
        self.wants_line = False

    def reported(self, outcome: tuple) -> None:
        """The update server was told, or does not want to know."""
        if self._probation.outcome == outcome:
            self._probation.reported()

    async def restart(self) -> None:
        """Into what was installed."""
        print("update: restarting")
        await sleep_ms(_TOLD_MS)
        restart()
