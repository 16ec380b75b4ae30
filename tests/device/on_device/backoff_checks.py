from minerva.backoff import CAP_MS, STEADY_MS, Backoff


def pauses(backoff, count):
    return [backoff.next_ms() for _ in range(count)]


def check_pauses_grow_to_their_cap_and_begin_anew():
    middle = Backoff(lambda n: n // 2)
    assert pauses(middle, 9) == [300, 480, 768, 1228, 1964, 3142, 5027, 8043, 10000]
    middle.reset()
    assert middle.next_ms() == 300


def check_each_is_up_to_a_fifth_longer_or_shorter():
    assert pauses(Backoff(lambda n: 0), 2) == [240, 384]
    assert pauses(Backoff(lambda n: n - 1), 2) == [360, 576]


def check_only_a_link_that_stood_makes_them_short_again():
    backoff = Backoff(lambda n: n // 2)
    for _ in range(20):
        backoff.next_ms()
        backoff.ended(0)
        backoff.ended(STEADY_MS - 1)
    assert backoff.next_ms() == CAP_MS
    backoff.ended(STEADY_MS)
    assert backoff.next_ms() == 300
