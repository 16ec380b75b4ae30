import json

from minerva import update
from minerva.backoff import Backoff
from minerva.errors import LinkError, TryLaterError, UpdateError
from minerva.ranges import plan

from ota_lines import lines_of

BASE = "/default/controller/v1/kitchen"


class Past:
    """updating.Past, as a vector has it."""

    def __init__(self, vector):
        self.backoff = Backoff(lambda n: 10 % n, 2000, 600000)
        self.configured = vector["configured"]
        self.told = -1 if vector["told"] is None else vector["told"]
        self.asked_s = 0
        self.outcome = None
        if vector["outcome"]:
            action, stays, text = vector["outcome"]
            self.outcome = (action, "success" if stays else "failure", text)


class Filling:
    """ranges.Filling of one file."""

    def __init__(self, got, wanted):
        self.got = got
        self.wanted = wanted

    @property
    def done(self):
        return self.got == self.wanted

    def stop(self):
        pass


class Found:
    def __init__(self, total):
        self.total = total
        self.version = "1"


def error(code, text, later):
    if code == "no_network":
        return LinkError(text)
    return (TryLaterError if later else UpdateError)(code, text)


def replay(vector):
    def verify(manifest, signature):
        if isinstance(vector["verify"], list):
            raise UpdateError(vector["verify"][0], vector["verify"][1])
        return Found(vector["verify"])

    running = bytes.fromhex(vector["running"])
    updater = update.Updater(BASE, {"board": "b1"}, verify, running, True, Past(vector), lambda n: 10 % n)
    for number, step in enumerate(vector["steps"]):
        where = (vector["name"], number)
        now = step["at"]
        order = list(updater.next(now, step["quiet"]))
        if order[0] == "fetch" and updater.filling.done:  # as Errand does then: nothing is asked for
            updater.carried_out(now)
            order = list(updater.next(now, step["quiet"]))
        if order[0] == "send":
            order[3] = json.loads(order[3])
        if order[0] == "fetch":
            first, last = plan([(0, updater.filling.wanted, updater.filling.got)])[0]
            order = ["fetch", first, last]
        assert order == step["order"], (where, order)
        assert updater.state == step["state"], (where, updater.state)
        told = step["told"]
        if not told:
            continue
        if told[0] == "answered":
            updater.answered(now, told[1].encode())
        elif told[0] == "failed":
            if updater.filling:
                updater.filling.got = told[4]
            updater.failed(now, error(told[1], told[2], told[3]))
        else:
            if told[0] == "filled":
                updater.filling = Filling(told[1], vector["verify"])
            updater.carried_out(now)


def check_section_errands():
    for vector in lines_of("errands"):
        replay(vector)
