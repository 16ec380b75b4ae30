from minerva.errors import LinkError
from minerva.hw.link import AUDIO, CONTROL, HEARD, Link
from minerva.websocket import ROOM


class Net:
    """A stream that takes so many bytes and no more."""

    def __init__(self, takes, secure=False):
        self.takes = takes
        self.secure = secure
        self.taken = bytearray()

    def write(self, buf, start, end):
        size = min(self.takes, end - start)
        self.takes -= size
        self.taken.extend(buf[start : start + size])
        return size


def link(takes, secure=False):
    net = Net(takes, secure)
    return net, Link(net)


def audio(one):
    one.buffer[ROOM : ROOM + 20] = b"s" * 20
    one.send_packet(20)
    return one.flush()


def check_a_frame_that_has_not_begun_is_taken_back():
    for mute in (False, True):
        net, one = link(0)
        assert not audio(one) and one.busy
        assert one.withdraw(mute) == AUDIO and not one.busy
        assert one.withdraw(mute) == CONTROL  # once
        net.takes = 1000
        one.send_text("mute")
        assert one.flush() and len(net.taken) == 6 + 4


def check_a_frame_that_has_begun_is_finished():
    net, one = link(1)
    assert not audio(one)
    assert one.withdraw(True) == CONTROL and one.busy
    net.takes = 1000
    assert one.flush() and len(net.taken) == 6 + 20


def check_what_is_not_of_sound_goes_out():
    net, one = link(0)
    one.send_text("health")
    assert not one.flush() and one.withdraw(True) == CONTROL
    net.takes = 1000
    assert one.flush() and len(net.taken) == 6 + 6


def check_words_about_sound_are_taken_back_by_a_mute_only():
    _, one = link(0)
    one.send_text("level", True)
    assert not one.flush()
    assert one.withdraw(False) == CONTROL and one.busy
    assert one.withdraw(True) == HEARD and not one.busy


def check_what_tls_may_hold_ends_the_link():
    net, one = link(0, True)
    assert not audio(one)
    assert one.withdraw(True) == AUDIO
    net.takes = 1000
    try:
        one.flush()
        raise AssertionError("it went on")
    except LinkError as e:
        assert "closed here" in str(e)
    assert not net.taken


def check_tls_that_was_not_asked_holds_nothing():
    net, one = link(1000, True)
    one.buffer[ROOM : ROOM + 20] = b"s" * 20
    one.send_packet(20)
    assert one.withdraw(True) == AUDIO
    one.send_text("mute")
    assert one.flush() and len(net.taken) == 6 + 4
