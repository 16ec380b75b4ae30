from minerva.ring import Ring


def packet(n, size):
    return bytearray([n & 0xFF] * size)


def raises(kind, call, *args):
    try:
        call(*args)
    except kind:
        return
    raise AssertionError("no %s" % kind.__name__)


def drain(ring):
    out = bytearray(300)
    got = []
    while True:
        size = ring.peek(out, 4)
        if not size:
            return got
        assert bytes(out[4 : 4 + size]) == bytes([out[4]] * size)
        got.append((out[4], size))
        ring.sent()


def check_packets_come_out_whole_and_in_order_around_the_end():
    ring = Ring(1024)
    want = []
    for n in range(200):
        size = 20 + n * 7 % 200
        ring.push(packet(n, size), size)
        want.append((n, size))
        if n % 3 == 2:
            assert drain(ring) == want
            want = []
    assert ring.overwritten == 0


def check_the_newest_stay_and_the_unsent_lost_are_counted():
    ring = Ring(1024)
    for n in range(50):
        ring.push(packet(n, 98), 98)
        assert ring.used <= 1024
    assert ring.count == 10
    assert ring.unsent == ring.fresh == 10
    assert ring.overwritten == 40
    assert drain(ring) == [(n, 98) for n in range(40, 50)]
    ring.push(packet(50, 98), 98)  # overwrites one that was sent: no loss
    assert ring.overwritten == 40
    assert drain(ring) == [(50, 98)]


def check_rewind():
    ring = Ring(1024)
    for n in range(12):
        ring.push(packet(n, 98), 98)
    drain(ring)
    assert ring.fresh == 0
    assert ring.rewind(3) == 3
    assert ring.fresh == 0
    assert drain(ring) == [(9, 98), (10, 98), (11, 98)]
    assert ring.rewind(99) == 10
    assert drain(ring)[0] == (2, 98)
    assert ring.rewind(0) == 0
    assert drain(ring) == []


def check_overwriting_what_was_rewound_moves_the_cursor():
    ring = Ring(1024)
    for n in range(10):
        ring.push(packet(n, 98), 98)
    drain(ring)
    ring.rewind(10)
    ring.push(packet(10, 98), 98)
    assert ring.overwritten == 1
    assert drain(ring) == [(n, 98) for n in range(1, 11)]


def check_take_empties_from_the_oldest():
    ring = Ring(1024)
    out = bytearray(100)
    assert ring.take(out, 0) == 0
    for n in range(30):
        ring.push(packet(n, 50), 50)
        if n % 2:
            assert ring.take(out, 0) == 50
            assert out[0] == n // 2
    assert ring.count == 15
    assert ring.unsent == 15


def check_clear_says_what_was_lost():
    ring = Ring(1024)
    for n in range(5):
        ring.push(packet(n, 50), 50)
    ring.sent()
    ring.rewind(5)
    assert ring.fresh == 4
    assert ring.clear() == 5
    assert (ring.count, ring.unsent, ring.fresh, ring.used) == (0, 0, 0, 0)
    ring.push(packet(9, 50), 50)
    assert drain(ring) == [(9, 50)]


def check_what_does_not_fit_is_refused():
    ring = Ring(1024)
    raises(ValueError, ring.push, packet(1, 1100), 1100)
    raises(ValueError, Ring, 10)
    ring.push(packet(1, 200), 200)
    raises(IndexError, ring.peek, bytearray(100), 0)
