"""Joining the Wi-Fi, and how well it is heard."""

import network

from minerva.errors import LinkError
from minerva.port import const, sleep_ms

_JOIN_TIMEOUT_MS = const(15000)
_LOOK_MS = const(100)


class Wifi:
    """Station mode, with the settings' `ssid` and `password`."""

    def __init__(self, ssid: str, password: str):
        self._ssid = ssid
        self._password = password
        self._wlan = network.WLAN(network.STA_IF)

    def connected(self) -> bool:
        """Whether the device has joined and has an address."""
        return self._wlan.isconnected()

    async def join(self, alive) -> None:
        """Join if not joined; LinkError after 15 s or when the driver refuses. `alive()` meanwhile."""
        wlan = self._wlan
        if wlan.isconnected():
            return
        try:
            wlan.active(True)
            wlan.disconnect()  # a try that still goes on would make connect() fail
        except OSError:
            pass  # there was none
        try:
            wlan.connect(self._ssid, self._password)
        except OSError as e:
            raise LinkError("Wi-Fi %s: %s" % (self._ssid, e))
        waited = 0
        while not wlan.isconnected():
            if waited >= _JOIN_TIMEOUT_MS:
                raise LinkError("Wi-Fi %s: not joined within %d s" % (self._ssid, _JOIN_TIMEOUT_MS // 1000))
            alive()
            await sleep_ms(_LOOK_MS)
            waited += _LOOK_MS

    def rssi(self) -> "int | None":
        """Signal in dBm, or None while it is not known."""
        try:
            return max(-128, min(0, self._wlan.status("rssi")))
        except (OSError, ValueError):
            return None
