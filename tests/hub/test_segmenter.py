"""The state machine on probabilities alone. A window is 32 ms."""

import pytest
from minerva_hub.config import SegmentConfig
from minerva_hub.segment.segmenter import Segmenter, State, Verdict

CONFIG = SegmentConfig(
    threshold=0.5, release=0.35, min_speech_ms=96, hangover_ms=128, max_segment_s=3, pre_roll_ms=96
)


def run(probabilities: list[float], config: SegmentConfig = CONFIG) -> list[tuple[int, Verdict]]:
    """(window, verdict) of each that changed something; a verdict that ends the run is the last."""
    machine = Segmenter(config)
    out = []
    for window, probability in enumerate(probabilities):
        verdict = machine.push(probability)
        if verdict is not None:
            out.append((window, verdict))
        if verdict in (Verdict.ENDED, Verdict.FULL, Verdict.LULL):
            break
    return out


def test_speech_ends_after_the_hangover():
    assert run([0, 0, 0.9, 0.9, 0.9, 0, 0, 0, 0, 0.9]) == [(2, Verdict.BEGAN), (8, Verdict.ENDED)]


def test_what_is_between_the_thresholds_goes_on_with_what_was():
    assert run([0.4] * 20) == []
    assert run([0.5, 0.4, 0.4, 0.4, 0.4, 0.4, 0.4]) == [(0, Verdict.BEGAN)]
    assert run([0.5, 0.4, 0.4] + [0.34] * 4) == [(0, Verdict.BEGAN), (6, Verdict.ENDED)]


def test_a_pause_shorter_than_the_hangover_belongs_to_the_segment():
    machine = Segmenter(CONFIG)
    for probability in [0, 0.9, 0.9, 0.9, 0, 0, 0, 0.9, 0, 0, 0]:
        machine.push(probability)
    assert machine.state is State.SPEECH
    assert (machine.begin, machine.voiced_end) == (1, 8)


def test_a_burst_is_dropped_and_the_next_speech_counts_anew():
    burst = [0.9, 0.9, 0, 0, 0, 0]
    assert run(burst) == [(0, Verdict.BEGAN), (5, Verdict.DROPPED)]
    assert run(burst + burst) == [
        (0, Verdict.BEGAN),
        (5, Verdict.DROPPED),
        (6, Verdict.BEGAN),
        (11, Verdict.DROPPED),
    ]


def test_the_shortest_speech_is_one_window_when_the_owner_says_so():
    config = SegmentConfig(min_speech_ms=32, hangover_ms=64)
    assert run([0.9, 0, 0], config) == [(0, Verdict.BEGAN), (2, Verdict.ENDED)]


def test_long_speech_is_full_before_its_limit_with_pre_roll_and_a_window_to_spare():
    (_, verdict), (full, last) = run([0] * 10 + [0.9] * 200)
    assert (verdict, last) == (Verdict.BEGAN, Verdict.FULL)
    length_ms = (full + 1 - 10) * 32 + CONFIG.pre_roll_ms
    assert 3000 - 3 * 32 < length_ms <= 3000 - 32


@pytest.mark.parametrize("pre_roll_ms", [0, 2000])
def test_an_odd_limit_still_leaves_a_second(pre_roll_ms: int):
    config = SegmentConfig(max_segment_s=2, pre_roll_ms=pre_roll_ms)
    assert run([0.9] * 100, config)[1][0] >= 30


def test_a_lull_needs_three_seconds_without_speech_and_a_calm_end():
    assert run([0.1] * 200) == [(92, Verdict.LULL)]
    assert run([0.4] * 200) == []
    assert run([0.1] * 85 + [0.4] + [0.1] * 100) == [(101, Verdict.LULL)]


def test_a_lull_is_counted_from_what_was_dropped():
    events = run([0.9, 0, 0, 0, 0] + [0.1] * 200)
    assert events == [(0, Verdict.BEGAN), (4, Verdict.DROPPED), (97, Verdict.LULL)]
