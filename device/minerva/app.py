"""The application: loops that join microphone, recorder, link and the people around the device.

    asyncio.run(App(settings, board).run())

`capture` moves samples into the ring and obeys the button, `link` keeps the connection and empties the ring,
`tend` does what is due: reports, the light, the watchdog, the trial of a new release. minerva.updating runs
beside them where the settings name an update server. Each tells the watchdog that it is alive.
"""

import asyncio
import binascii
import os
from random import getrandbits

from minerva import __version__, led
from minerva.backoff import Backoff
from minerva.clock import DeviceClock
from minerva.errors import HubError, LinkError, MicrophoneError, SettingsError
from minerva.hub_lines import HubLines
from minerva.hw.button import Button
from minerva.hw.flash import State
from minerva.hw.led import Light
from minerva.hw.link import AUDIO, HEARD, Link
from minerva.hw.mic import SETTLE_MS, Microphone
from minerva.hw.watchdog import Watchdog, restart
from minerva.hw.wifi import Wifi
from minerva.outbox import Outbox
from minerva.port import MICROPYTHON, const, print_exception, sleep_ms, ticks_diff, ticks_ms
from minerva.privacy import Privacy
from minerva.probation import Probation
from minerva.recorder import ALL, GATED, NONE, Recorder
from minerva.reports import Reports
from minerva.ring import Ring
from minerva.session import LIVE, SILENCE_TIMEOUT_MS, WELCOME_TIMEOUT_MS, Session
from minerva.websocket import ROOM, TEXT

MODES = ("mute", "events", "speech", "full")
KINDS = ["ima_adpcm", "pcm_s16le"]
POLICIES = {"speech": GATED, "full": ALL}  # any other mode sends no audio

_CAPTURE_MS = const(5)  # a frame is 20 ms, the driver's buffer 256
_LINK_MS = const(10)
_TEND_MS = const(50)
_FAILED_MS = const(10000)
_MIC_SILENT_MS = const(5000)  # an I2S that delivers nothing for that long is started anew
_JUDGE_MS = const(1000)
_CAPTURE = const(0)
_LINK = const(1)
_TEND = const(2)
_UPDATE = const(3)


class App:
    """One device: `settings` checked, `board` the module of its pins.

    `reserved` is (bytes of heap that were free, the ring), made while the heap was in one piece.
    """

    def __init__(self, settings, board, probation: "Probation", reserved: "tuple[int, Ring]"):
        if board.NEEDS_WIFI and settings.wifi is None:
            raise SettingsError(
                "settings.json: wifi is missing; board %s reaches the hub by Wi-Fi" % board.NAME
            )
        self.settings = settings
        self._ticks = getattr(
            board, "ticks_ms", ticks_ms
        )  # the device's time; a virtual board's may run faster
        self._clock = DeviceClock(self._ticks(), getattr(board, "BOOT_MS", 0))
        free, ring = reserved
        self.recorder = Recorder(ring, self._clock, settings.gain_db)
        self._probation = probation
        self._state = State()
        self.privacy = Privacy(
            settings.ceiling, MODES, muted="button" if self._state.muted_at_button else "off"
        )
        self.session = Session(
            {
                "device": settings.device,
                "token": settings.token,
                "boot_id": binascii.hexlify(os.urandom(8)).decode(),
                "firmware": {
                    "name": "minerva",
                    "version": __version__,
                    "variant": "micropython" if MICROPYTHON else "cpython",
                    "board": board.NAME,
                },
                "slot": self._probation.slot,
                "kinds": KINDS,
            },
            self.privacy,
            settings.update is not None,
        )
        self.mic = Microphone(board.MIC)
        self._button = Button(board.BUTTON)
        self._light = Light(board.LED)
        self._wifi = None if settings.wifi is None else Wifi(settings.wifi["ssid"], settings.wifi["password"])
        self._watchdog = Watchdog(3 if settings.update is None else 4)
        self._backoff = Backoff(_random)
        self._updating = None
        if settings.update is not None:
            from minerva.updating import Updating

            self._updating = Updating(
                (settings, board, free),
                self._probation,
                self.recorder,
                self._wifi,
                lambda: self._watchdog.alive(_UPDATE),
                self._now_ms,
                _random,
            )
        self._tasks = []
        self._link = None
        self._welcomed_ms = -1  # device time of the welcome while the link stands
        self._outbox = Outbox()
        self._reports = Reports(self.recorder, self.privacy, self.session, self._outbox, self._ticks)
        self._hub_lines = HubLines(print)
        self._trouble = ""
        self._failed = False
        self._started = False
        self._judged = self._ticks()
        self._began_ms = self._now_ms()

    async def run(self) -> None:
        """Until something breaks that nothing here can mend; then say so, show it, and restart."""
        self._light.show(led.STARTING)
        try:
            self._obey()
            loops = [self._capture, self._keep_link, self._tend]
            if self._updating is not None:
                loops.append(self._updating.run)
            self._tasks = [asyncio.create_task(loop()) for loop in loops]
            await asyncio.gather(*self._tasks)
        except Exception as e:
            print_exception(e)
            for task in self._tasks:
                task.cancel()
            self.mic.stop()
            self._light.show(led.ERROR)
            await sleep_ms(_FAILED_MS)
            restart()

    # --- the microphone -----------------------------------------------------------------------------

    def _obey(self) -> None:
        """Make microphone and recorder do what the privacy state says."""
        mode = self.privacy.effective
        if mode == "mute":
            self.mic.stop()
            self.recorder.stop()
            self._outbox.forget_heard()
            self._reports.forget()
        forgot = self.recorder.set_policy(POLICIES.get(mode, NONE))
        if self._link is not None and (forgot or mode == "mute"):
            self._withdraw(self._link.withdraw(mode == "mute"))
        if mode != "mute" and not self.mic.running:
            self._start_mic()
        self._reports.health_due = True

    def _withdraw(self, carried: int) -> None:
        """Count what was framed for the link, and taken back."""
        if carried == AUDIO:
            self.recorder.take_back()
        elif carried == HEARD:
            self._outbox.dropped += 1

    def _start_mic(self) -> None:
        self.recorder.stop()
        self.mic.start()
        self.recorder.start(self._ticks(), SETTLE_MS)

    def _press(self) -> None:
        state = self.session.button()
        self._obey()  # first of all: whatever fails after this, the microphone is off
        print("mute:", state)
        try:
            self._state.set_muted_at_button(state == "button")
        except OSError as e:
            print("state.json cannot be written, a restart would forget the mute:", e)

    async def _capture(self) -> None:
        quiet_since = ticks_ms()
        while True:
            self._watchdog.alive(_CAPTURE)
            if self._button.pressed():
                self._press()
            size = self.mic.read()
            if size:
                self.recorder.feed(self.mic.raw, size, self._ticks(), self.mic.caught_up)
                if self._probation.judging:
                    self._probation.heard(self.mic.raw, size)
                quiet_since = ticks_ms()
                await sleep_ms(_CAPTURE_MS if self.mic.caught_up else 0)
                continue
            if self.mic.settling_ms and self.mic.caught_up:
                self.recorder.sync(self._ticks(), self.mic.settling_ms)
            if self.privacy.effective == "mute":
                quiet_since = ticks_ms()
            elif ticks_diff(ticks_ms(), quiet_since) > _MIC_SILENT_MS:
                quiet_since = ticks_ms()
                self._restart_mic()
            await sleep_ms(_CAPTURE_MS)

    def _restart_mic(self) -> None:
        self._reports.mic_restarts += 1
        print("microphone gave nothing for %d s: started anew" % (_MIC_SILENT_MS // 1000))
        self.mic.stop()
        try:
            self._start_mic()
        except MicrophoneError as e:
            print(e)

    # --- the link -----------------------------------------------------------------------------------

    async def _keep_link(self) -> None:
        while True:
            await self._let_update()
            try:
                await self._one_link()
            except LinkError as e:
                self._say_trouble(str(e))
                if isinstance(e, HubError):
                    self._failed = True
            self.session.lost()
            if self._welcomed_ms >= 0:
                self._backoff.ended(self._now_ms() - self._welcomed_ms)
                self._welcomed_ms = -1
            pause = self._backoff.next_ms()
            while pause > 0:
                self._link_alive()
                await sleep_ms(min(pause, _FAILED_MS))
                pause -= _FAILED_MS

    async def _let_update(self) -> None:
        """There is no link now: on a board with memory for one connection the updater may have its own."""
        updating = self._updating
        if updating is None:
            return
        while updating.wants_line:
            updating.line_free = True
            self._link_alive()
            await sleep_ms(_TEND_MS)
        updating.line_free = False

    def _say_trouble(self, text: str) -> None:
        """Log why there is no link; the same reason only once, however often it is tried."""
        if text != self._trouble:
            self._trouble = text
            print("link:", text)

    def _link_alive(self) -> None:
        self._watchdog.alive(_LINK)

    async def _one_link(self) -> None:
        """One connection from joining the Wi-Fi to its end, which is always a LinkError."""
        self._link_alive()
        if self._wifi is not None:
            await self._wifi.join(self._link_alive)
        link = await Link.open(self.settings, self._link_alive)
        reason = ""
        try:
            link.send_text(self.session.open(self._now_ms()))
            self._outbox.clear()
            self._reports.forget()
            self._link = link
            reason = await self._converse(link)
        finally:
            self._link = None
            await link.close(1008 if reason else 1001, reason)
        raise LinkError(reason)

    async def _converse(self, link: Link) -> str:
        """Talk until the session closes, whose reason is returned, or the connection breaks (LinkError)."""
        heard_at = ticks_ms()
        while True:
            self._link_alive()
            if self._updating is not None and self._updating.wants_line:
                raise LinkError("closed while the updater talks")
            frames = link.receive()
            if frames is None:
                limit = SILENCE_TIMEOUT_MS if self.session.state == LIVE else WELCOME_TIMEOUT_MS
                if ticks_diff(ticks_ms(), heard_at) > limit:
                    raise LinkError("nothing heard from the hub for %d s" % (limit // 1000))
            else:
                heard_at = ticks_ms()
                for opcode, payload in frames:
                    receive = self.session.receive_text if opcode == TEXT else self.session.receive_binary
                    for event in receive(payload):
                        if event[0] == "closed":
                            return await self._take_leave(link, event)
                        self._on_event(event, link)
            for text in self.session.take_outgoing():
                self._outbox.post(text)
            if not link.flush() or not self._send_next(link):
                await sleep_ms(_LINK_MS)
            else:
                await sleep_ms(0)

    async def _take_leave(self, link: Link, event: tuple) -> str:
        """Send what the session still has to say about why it closes; returns the code."""
        _, code, text = event
        self._hub_lines.say(self._ticks(), "hub: %s: %s" % (code, text))
        if code in ("unauthorized", "unsupported_version"):
            self._failed = True
        for last in self.session.take_outgoing():
            if link.flush():
                link.send_text(last)
        link.flush()
        return code

    def _on_event(self, event: tuple, link: Link) -> None:
        name = event[0]
        if name == "welcome" or name == "config":
            self.recorder.configure_named(self.session.kind, self.session.frames)
            self._reports.health_due = True
        if name == "welcome":
            self._failed = False
            self._trouble = ""
            self._welcomed_ms = self._now_ms()
            self._probation.welcomed = True
            if self._updating is not None:
                self._updating.utc_ms = event[1]["utc_ms"] - self._welcomed_ms
            link.reserve(self.recorder.max_packet)
            self.recorder.take_level()  # of the time without a link
            resume = self.session.resume
            again = self.recorder.resume_after(resume[1] if resume and resume[0] == 0 else None)
            print("hub: welcome, %d packets to send" % again)
        elif name == "mode" or name == "muted":
            self._obey()
            self._hub_lines.say(self._ticks(), "%s: %s" % (name, event[1]))
        elif name == "ack":
            self._backoff.reset()  # the hub took a packet
        elif name == "health_ack":
            self._probation.health_acked = True
        elif name == "check" and self._updating is not None:
            self._updating.check()
        elif name == "error":
            said = event[1]
            self._hub_lines.say(self._ticks(), "hub: %s: %s" % (said["code"], said["message"]))

    def _send_next(self, link: Link) -> bool:
        """Begin the next frame: messages first, then audio, oldest first. False when there is nothing."""
        if self._outbox:
            heard, text = self._outbox.take()
            link.send_text(text, heard)
        elif self.session.state == LIVE and self.privacy.allows("audio"):
            size = self.recorder.take_next(link.buffer, ROOM)
            if size == 0:
                return False
            link.send_packet(size)
        else:
            return False
        link.flush()
        return True

    # --- everything that is due ---------------------------------------------------------------------

    def _now_ms(self) -> int:
        self._clock.update(self._ticks())
        return self._clock.time_ms()

    async def _tend(self) -> None:
        while True:
            self._watchdog.alive(_TEND)
            self._watchdog.feed()
            live = self.session.state == LIVE
            self._started = self._started or live or self._failed
            muted = self.privacy.effective == "mute"
            self._light.show(led.state(self._started, self._failed, muted, live, self._hearing()))
            if live:
                rssi = None if self._wifi is None else self._wifi.rssi
                self._reports.post(self._now_ms(), rssi)
            self._tend_updates(live)
            await sleep_ms(_TEND_MS)

    def _tend_updates(self, live: bool) -> None:
        """The trial of a release that is new, and what the updater has to know and to tell."""
        updating = self._updating
        if updating is not None:
            unsent = self.recorder.policy == GATED and self.recorder.ring.unsent > 0
            updating.heard(self.recorder.gate.open, unsent)
            news = updating.take_news() if live else None
            if news is not None:
                self._outbox.post(self.session.message("update", news))
        if self._probation.judging and ticks_diff(self._ticks(), self._judged) >= _JUDGE_MS:
            self._judged = self._ticks()
            try:
                uptime_ms = self._now_ms() - self._began_ms
                if self._probation.judge(self.privacy.effective == "mute", uptime_ms):
                    restart()
            except OSError as e:
                print("update: the boot record cannot be written:", e)

    def _hearing(self) -> bool:
        """Whether audio is on its way to the hub."""
        policy = self.recorder.policy
        return policy == ALL or (policy == GATED and self.recorder.gate.open)


def _random(n: int) -> int:
    return getrandbits(16) % n
