"""What the hub is told of the device while the link stands: levels, loud sounds, health. Pure."""

from minerva import __version__
from minerva.port import const, heap_free, ticks_diff

_LEVEL_MS = const(250)
_HEALTH_MS = const(10000)


class Reports:
    """Posts to `outbox` what is due of `recorder` and `privacy`, as messages of `session`."""

    def __init__(self, recorder, privacy, session, outbox, ticks):
        self.health_due = True
        self.mic_restarts = 0
        self._recorder = recorder
        self._privacy = privacy
        self._session = session
        self._outbox = outbox
        self._ticks = ticks
        self._health_at = self._level_at = ticks()
        self._loud_since = -1

    def forget(self) -> None:
        """What was heard so far is nobody's business any more, or stale."""
        self._loud_since = -1

    def post(self, now_ms: int, rssi) -> None:
        """Whatever is due at the device time `now_ms`; `rssi()` is the signal, None without Wi-Fi."""
        now = self._ticks()
        if self._privacy.allows("events"):
            if ticks_diff(now, self._level_at) >= _LEVEL_MS:
                self._level_at = now
                rms, peak = self._recorder.take_level()
                self._outbox.post(
                    self._session.message("level", {"time_ms": now_ms, "rms_db": rms, "peak_db": peak}),
                    heard=True,
                )
            if self._privacy.effective == "events":
                self._loud_sound(now_ms)
            else:
                self._loud_since = -1
        if self.health_due or ticks_diff(now, self._health_at) >= _HEALTH_MS:
            self.health_due = False
            self._health_at = now
            self._outbox.post(self._health(now_ms, None if rssi is None else rssi()))

    def _loud_sound(self, now_ms: int) -> None:
        """In `events` mode the hub hears nothing itself: tell it of each loud sound, when it is over."""
        loud = self._recorder.gate.transient
        if loud and self._loud_since < 0:
            self._loud_since = now_ms
        elif not loud and self._loud_since >= 0:
            event = {
                "label": "loud_sound",
                "score": 1.0,
                "start_ms": self._loud_since,
                "end_ms": now_ms,
            }
            self._outbox.post(self._session.message("event", event), heard=True)
            self._loud_since = -1

    def _health(self, now_ms: int, rssi: "int | None") -> str:
        recorder = self._recorder
        return self._session.health(
            {
                "time_ms": now_ms,
                "uptime_s": now_ms // 1000,
                "rssi": rssi,
                "heap_free": heap_free(),
                "drops": {
                    "overwritten": recorder.ring.overwritten,
                    "discontinuities": recorder.discontinuities,
                    "outbox": self._outbox.dropped,
                    "mic_restarts": self.mic_restarts,
                    "withheld": recorder.withheld,
                },
                "version": __version__,
                "noise_db": recorder.gate.floor_cdb / 100,
            }
        )
