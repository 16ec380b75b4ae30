from minerva.selftest import SelfTest
from minerva.trial import MIC_FAILED, MIC_PASSED, MIC_WAITING


def heard(test, value_of, count=16000, step=320):
    for start in range(0, count, step):
        raw = bytearray()
        for i in range(start, start + step):
            raw.extend((value_of(i) & 0xFFFFFFFF).to_bytes(4, "little"))
        test.heard(raw, len(raw))
    return test.verdict


def noise(i):
    return ((i * 1103515245 >> 16) & 7) << 8


def check_noise_of_few_bits_passes_and_stays_so():
    test = SelfTest()
    assert heard(test, noise, 15680) == MIC_WAITING
    assert heard(test, noise, 320) == MIC_PASSED
    assert heard(test, lambda i: 0, 32000) == MIC_PASSED


def check_a_dead_line_fails_whatever_it_is_stuck_at():
    for stuck in (0, -1, 0x7FFFFFFF, -0x80000000, 1 << 8, 1 << 16):
        assert heard(SelfTest(), lambda i, stuck=stuck: stuck) == MIC_FAILED, stuck
    assert heard(SelfTest(), lambda i: -(i & 1)) == MIC_FAILED


def check_it_may_pass_after_it_failed():
    test = SelfTest()
    assert heard(test, lambda i: 0) == MIC_FAILED
    assert heard(test, lambda i: i << 8) == MIC_PASSED
