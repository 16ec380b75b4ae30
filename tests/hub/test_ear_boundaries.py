"""Where an ear cuts, to the sample, and what it shows the network.

The detector here is one that tests can foresee.
"""

import numpy as np
from minerva_hub.config import SegmentConfig
from minerva_hub.segment import EarBank, EarEvent, SegmentEnded, Settled, SpeechBegan, VadBank

LOUD, SOFT = 3000, 100  # SOFT is above the energy floor
WINDOW_MS = 32


class ByLevel(VadBank):
    """Calls a window speech when it is loud; keeps what it was shown."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: list[np.ndarray] = []

    def infer(self, slots, windows):
        self.shown.extend(windows.copy())
        return np.where(np.abs(windows[:, 64:]).mean(axis=1) > 0.02, 0.9, 0.1).astype(np.float32)


def ms(length: int, level: int) -> np.ndarray:
    """int16 square wave of a level, so that every window has the same energy."""
    return np.tile(np.array([level, level, -level, -level], np.int16), length * 4)


def listen(
    pcm: np.ndarray, config: SegmentConfig, frames: int = 3
) -> tuple[list[EarEvent], ByLevel, EarBank]:
    vad = ByLevel()
    bank = EarBank(config, vad)
    ear = bank.open()
    size = 320 * frames
    heard = []
    for seq, at in enumerate(range(0, len(pcm) - size + 1, size)):
        assert ear.feed(pcm[at : at + size], at // 16, seq)
        heard += bank.step()
    ear.flush()
    heard += bank.step()
    return [event for _, event in heard], vad, bank


def test_a_segment_has_its_pre_roll_and_shares_the_pause_with_the_next():
    # Loud from window 40 (1280 ms) to 2240 ms and from 2880 to 3840 ms; the pause exceeds the hangover.
    pcm = np.concatenate([ms(1280, SOFT), ms(960, LOUD), ms(640, SOFT), ms(960, LOUD), ms(1200, SOFT)])
    heard, _, _ = listen(pcm, SegmentConfig(pre_roll_ms=240, hangover_ms=480))
    first, second = (e.segment for e in heard if isinstance(e, SegmentEnded))
    assert heard[0] == SpeechBegan(1280)
    # 2240 + 240 = 2480 ms; the packet boundary nearest to it is 2460.
    assert (first.start_ms, first.end_ms, first.last_seq) == (1040, 2460, 40)
    # The second run counts its windows from 2460: the first that is mostly loud is number 13, at 2876 ms.
    assert (second.start_ms, second.end_ms) == (2876 - 240, 4080)
    np.testing.assert_array_equal(first.pcm, pcm[1040 * 16 : 2460 * 16])
    np.testing.assert_array_equal(second.pcm, pcm[2636 * 16 : 4080 * 16])


def test_no_packet_is_split_even_when_the_hangover_is_shorter_than_one():
    pcm = np.concatenate([ms(640, SOFT), ms(640, LOUD), ms(1000, SOFT)])
    heard, _, _ = listen(pcm, SegmentConfig(hangover_ms=64), frames=10)
    (segment,) = (e.segment for e in heard if isinstance(e, SegmentEnded))
    assert (segment.start_ms, segment.end_ms, segment.last_seq) == (400, 1400, 6)


def test_speech_right_at_the_beginning_has_no_pre_roll_to_take():
    heard, _, _ = listen(np.concatenate([ms(960, LOUD), ms(1200, SOFT)]), SegmentConfig())
    (segment,) = (e.segment for e in heard if isinstance(e, SegmentEnded))
    assert segment.start_ms == 0


def test_long_speech_is_cut_where_it_is_quietest():
    # The last quarter of 4 s is 3 to 4 s; at 3300 ms (a packet boundary) it is a little less loud.
    pcm = np.concatenate([ms(3284, LOUD), ms(32, 2000), ms(2684, LOUD), ms(1200, SOFT)])
    heard, _, _ = listen(pcm, SegmentConfig(max_segment_s=4, pre_roll_ms=0))
    first, second = (e.segment for e in heard if isinstance(e, SegmentEnded))
    assert (first.start_ms, first.end_ms) == (0, 3300)
    assert second.start_ms == 3300, "the next one goes on at the cut"
    np.testing.assert_array_equal(
        np.concatenate([first.pcm, second.pcm])[: 6000 * 16], pcm[: 6000 * 16], "no sample is lost or doubled"
    )


def test_equally_loud_speech_is_cut_as_late_as_may_be():
    heard, _, _ = listen(ms(6000, LOUD), SegmentConfig(max_segment_s=4, pre_roll_ms=0))
    first = next(e.segment for e in heard if isinstance(e, SegmentEnded))
    assert 3860 <= first.end_ms <= 4000


def test_the_network_sees_every_window_once_with_the_samples_before_it():
    pcm = (
        np.random.default_rng(0).integers(-600, 600, 50 * 960).astype(np.int16)
    )  # 3 s, soft: a lull follows later
    _, vad, bank = listen(pcm[: 48 * 960], SegmentConfig())
    padded = np.concatenate([np.zeros(64), pcm / 32768]).astype(np.float32)
    expected = np.lib.stride_tricks.sliding_window_view(padded, 576)[::512][: 48 * 960 // 512]
    assert bank.decided == bank.inferred == len(vad.shown) == len(expected)
    np.testing.assert_array_equal(vad.shown, expected)


def test_a_new_run_sees_nothing_of_the_old_one():
    pcm = np.concatenate([ms(960, LOUD), ms(960, SOFT)])
    heard, vad, _ = listen(pcm, SegmentConfig())
    end = next(e.segment.end_ms for e in heard if isinstance(e, SegmentEnded))
    judged = -(-(960 + 480) // WINDOW_MS)
    np.testing.assert_array_equal(vad.shown[judged][:64], 0)
    np.testing.assert_array_equal(vad.shown[judged][64:], pcm[end * 16 : end * 16 + 512] / np.float32(32768))


def test_while_speech_goes_on_the_floor_does_not_count():
    quiet = SegmentConfig(floor_db=-40, hangover_ms=320)  # SOFT is -50 dBFS
    _, _, before = listen(ms(640, SOFT), quiet)
    assert before.inferred == 0
    _, vad, bank = listen(np.concatenate([ms(640, SOFT), ms(640, LOUD), ms(1000, SOFT)]), quiet)
    assert bank.inferred == len(vad.shown) == 640 // WINDOW_MS + 320 // WINDOW_MS


def test_a_lull_is_settled_before_the_pre_roll():
    heard, _, _ = listen(ms(3600, SOFT), SegmentConfig(pre_roll_ms=240))
    # The lull is complete at 2976 ms, after 93 windows; out of reach is what ends by 2736 ms: packet 44 does.
    assert heard == [Settled(44), Settled(59)]
