"""The status light: a WS2812 or a plain LED, following minerva.led's table."""

from machine import Pin

from minerva.led import PATTERNS, is_on
from minerva.port import ticks_diff, ticks_ms


class Light:
    """`wiring`: `pin`, `kind` "ws2812" or "plain" (with `on`, the level that lights it); None: no light."""

    def __init__(self, wiring: "dict | None"):
        self.state = ""
        self._since = 0
        self._lit = None
        self._pin = None
        self._pixel = None
        self._on = 1
        if wiring is None:
            return
        self._pin = Pin(wiring["pin"], Pin.OUT)
        if wiring["kind"] == "ws2812":
            from neopixel import NeoPixel

            self._pixel = NeoPixel(self._pin, 1)
        else:
            self._on = wiring["on"]

    def show(self, state: str) -> None:
        """Show the state that is now; to be called often, it also does the blinking."""
        now = ticks_ms()
        if state != self.state:
            self.state = state
            self._since = now
            self._lit = None
        lit = is_on(state, ticks_diff(now, self._since))
        if lit != self._lit:
            self._lit = lit
            self._set(PATTERNS[state][0] if lit else (0, 0, 0), lit)

    def _set(self, colour: tuple, lit: bool) -> None:
        if self._pixel is not None:
            self._pixel[0] = colour
            self._pixel.write()
        elif self._pin is not None:
            self._pin.value(self._on if lit else 1 - self._on)
