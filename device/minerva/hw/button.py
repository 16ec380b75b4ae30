"""The button: a press is latched by an interrupt, so that none is lost while something else is slow."""

from machine import Pin

from minerva.port import ticks_add, ticks_diff, ticks_ms

_DEBOUNCE_MS = (
    250  # contacts bounce for some 10 ms; nobody presses twice within a quarter of a second on purpose
)


class Button:
    """A button from `pin` to ground; None: no button."""

    def __init__(self, pin: "int | None"):
        self._latched = False
        self._last = ticks_add(ticks_ms(), -_DEBOUNCE_MS)
        self._pin = None
        if pin is not None:
            self._pin = Pin(pin, Pin.IN, Pin.PULL_UP)
            self._pin.irq(self._on_edge, Pin.IRQ_FALLING)

    def _on_edge(self, _pin) -> None:
        self._latched = True

    def pressed(self) -> bool:
        """Whether it was pressed since the last call; bounces are not presses."""
        if not self._latched:
            return False
        self._latched = False
        now = ticks_ms()
        if ticks_diff(now, self._last) < _DEBOUNCE_MS:
            return False
        self._last = now
        return True
