"""The virtual board's `network`: a Wi-Fi that is there, until the control line `wifi down` takes it away."""

import virtual_control

STA_IF = 0


class WLAN:
    """Station mode; joins at once while the Wi-Fi is up."""

    _up = True

    def __init__(self, interface):
        self._joined = False
        virtual_control.on("wifi up", lambda: WLAN._set(True))
        virtual_control.on("wifi down", lambda: WLAN._set(False))

    @classmethod
    def _set(cls, up):
        cls._up = up

    def active(self, on=None):
        """Switch on, or say whether it is on."""
        return True

    def disconnect(self):
        """Leave."""
        self._joined = False

    def connect(self, ssid, password=None):
        """Begin to join."""
        self._joined = True

    def isconnected(self):
        """Whether it has joined and the Wi-Fi is there."""
        return self._joined and WLAN._up

    def status(self, what=None):
        """The signal, in dBm."""
        if what != "rssi" or not self.isconnected():
            raise OSError(22)
        return -52
