"""mute_outbox.py hub|mode|button: what leaves a device that is muted so while its link takes nothing."""

import json
import sys

from minerva.start import application

WELCOME = (
    '{"type":"welcome","protocol":1,"hub":"h","utc_ms":0,"mode":"events","mute":false,'
    '"kind":"ima_adpcm","frames":3}'
)


def said(app, text):
    for event in app.session.receive_text(text):
        app._on_event(event, Sink())


class Sink:
    """Stands where the link is; keeps what it is given."""

    def __init__(self):
        self.texts = []

    def reserve(self, size):
        pass

    def send_text(self, text, heard):
        self.texts.append(json.loads(text))

    def flush(self):
        return True


def waiting():
    """A device whose link takes nothing: a level, a loud sound that is over, one that is not, health."""
    app = application()
    app.session.open(0)
    said(app, WELCOME)
    app._obey()
    app.session.take_outgoing()
    app._reports._level_at = app._ticks() - 1000
    app._reports._loud_since = 1
    app.recorder.gate.transient = False
    app._reports.post(app._now_ms(), None)
    app._reports._loud_since = 2
    kinds = [json.loads(item[1])["type"] for item in app._outbox._items]
    assert kinds == ["level", "event", "health"], kinds
    return app


def main(how):
    app = waiting()
    if how == "hub":
        said(app, '{"type":"mute","on":true}')
    elif how == "mode":
        said(app, '{"type":"config","mode":"mute"}')
    else:
        app._press()
    assert app.privacy.effective == "mute"
    for text in app.session.take_outgoing():
        app._outbox.post(text)
    app._reports.post(app._now_ms(), None)
    link = Sink()
    while app._send_next(link):
        pass
    kinds = [t["type"] for t in link.texts]
    assert kinds == ["health"] + ([] if how == "mode" else ["mute"]) + ["health"], kinds
    assert link.texts[-1]["drops"]["outbox"] == 2
    assert app._reports._loud_since < 0  # nor is a sound that began before it, when the mute is over
    print("what was heard is not told:", kinds)


main(sys.argv[1])
