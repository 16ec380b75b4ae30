"""reconnect.py: when the device, at 1000 times real time, takes a link for a good one."""

import time

from boards import virtual
from minerva import settings
from minerva.app import App
from minerva.errors import LinkError
from minerva.probation import Probation
from minerva.ring import reserve

WELCOME = (
    '{"type":"welcome","protocol":1,"hub":"h","utc_ms":0,"mode":"events","mute":false,'
    '"kind":"ima_adpcm","frames":3}'
)


class Over(Exception):
    """Enough was seen."""


class Hub(App):
    """The application, whose links follow a script: what the hub says after its welcome, and for how long."""

    script = ()
    tries = 0

    async def _one_link(self):
        if self.tries == len(self.script):
            raise Over
        said, virtual_s = self.script[self.tries]
        self.tries += 1
        self.session.open(0)
        for text in (WELCOME,) + said:
            for event in self.session.receive_text(text):
                self._on_event(event, self)
        time.sleep(virtual_s / 1000)
        raise LinkError("closed")

    def reserve(self, size):
        pass


class Pauses:
    """The device's back-off, its pauses kept and not waited for."""

    def __init__(self, backoff):
        self.taken = []
        self._backoff = backoff
        self.reset = backoff.reset
        self.ended = backoff.ended

    def next_ms(self):
        self.taken.append(self._backoff.next_ms())
        return 0


def run(app):
    try:
        app._keep_link().send(None)
    except Over:
        return
    raise AssertionError("it waits")


def main():
    chosen = settings.load("settings.json")
    app = Hub(chosen, virtual, Probation(), reserve(chosen, False))
    app._backoff = Pauses(app._backoff)
    at_once = ((), 0)
    health = ('{"type":"ack","health":0}',)
    packet = ('{"type":"ack","seq":0}',)
    app.script = [at_once] * 9 + [((), 10), (health, 0), ((), 40), (packet, 0), at_once]
    run(app)
    taken = app._backoff.taken
    assert all([pause >= 8000 for pause in taken[8:11]]), taken
    assert taken[11] <= 360 and taken[12] <= 360, taken
    assert 380 <= taken[13] <= 580, taken
    print("a welcome is not enough:", taken)


main()
