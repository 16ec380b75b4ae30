from minerva import port
from minerva.hub_lines import AT_ONCE, EVERY_MS, HubLines


def check_a_flood_is_cut_and_counted():
    shown = []
    lines = HubLines(shown.append)
    for n in range(1000):
        lines.say(5000, "line %d" % n)
    assert shown == ["line %d" % n for n in range(AT_ONCE)]
    lines.say(5000 + EVERY_MS - 1, "not yet")
    assert len(shown) == AT_ONCE
    lines.say(5000 + EVERY_MS, "a line")
    assert shown[AT_ONCE:] == ["hub: 991 lines more, not shown", "a line"], shown


def check_one_each_ten_seconds_however_often():
    shown = []
    lines = HubLines(shown.append)
    for now in range(0, 60 * EVERY_MS, 700):
        lines.say(now, "x")
    assert AT_ONCE + 58 <= shown.count("x") <= AT_ONCE + 60, shown.count("x")


def check_after_a_pause_all_may_be_said_again_even_past_a_wrap():
    for half in (AT_ONCE * EVERY_MS // 2, (1 << 28) + 5):
        shown = []
        lines = HubLines(shown.append)
        now = (1 << 30) - 1000
        for _ in range(2):
            for _ in range(30):
                lines.say(now, "x")
            now = port.ticks_add(port.ticks_add(now, half), half)
        assert shown.count("x") == 2 * AT_ONCE, shown


def check_what_it_says_is_printable_and_bounded():
    shown = []
    HubLines(shown.append).say(0, "a\x1b[2J\r\n\x9b\xfc" + 600 * "y")
    assert shown[0][:8] == "a?[2J???" and shown[0][8] == "\xfc" and len(shown[0]) == 160
