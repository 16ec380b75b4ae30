import hashlib
import os
import sys

import fake_esp32

sys.modules["esp32"] = fake_esp32

from minerva import trial  # noqa: E402
from minerva.errors import UpdateError  # noqa: E402
from minerva.hw.partition import Partitions  # noqa: E402
from minerva.ranges import Filling  # noqa: E402

IMAGE = b"\xe9" + bytes([i * 31 % 251 for i in range(20000)])
GOOD = trial.Facts(True, True, trial.MIC_PASSED, False, 3000)
DEAF = trial.Facts(True, True, trial.MIC_FAILED, False, trial.TRIAL_MS)
ALONE = trial.Facts(False, False, trial.MIC_WAITING, False, trial.TRIAL_MS)
HOME = "/tmp/minerva-partition-checks"


class Manifest:
    """What of a manifest is looked at."""

    def __init__(self, image=IMAGE, security=4):
        self.files = [("firmware.bin", len(image), hashlib.sha256(image).digest())]
        self.security_version = security
        self.data = b"manifest of " + hashlib.sha256(image).digest()


def fresh(slots=2):
    fake_esp32.chip = fake_esp32.Chip(slots)
    try:
        os.mkdir(HOME)
    except OSError:
        pass
    for name in os.listdir(HOME):
        os.remove(HOME + "/" + name)
    return fake_esp32.chip


def run(steps):
    for _ in steps:
        pass


def refusal(call, *arguments):
    try:
        call(*arguments)
    except UpdateError as e:
        return e.code
    raise AssertionError("it is not refused")


def fetch(parts, manifest, image=IMAGE, most=4096, stop_at=None):
    """Fill the other partition as an errand does; how many bytes came."""
    run(parts.begin(manifest, manifest.data, b"sig"))
    filling = Filling(parts.missing, parts.writer)
    came = 0
    while True:
        run(filling.begin())
        wanted = filling.next_range(most)
        if wanted is None:
            return came
        first, last = wanted
        for at in range(first, last + 1, 1000):
            piece = image[at : min(at + 1000, last + 1)]
            filling.write(memoryview(piece))
            came += len(piece)
        if stop_at is not None and came >= stop_at:
            filling.stop()
            return came


def installed(manifest=None):
    """A device that restarted into a new image."""
    chip = fresh()
    parts = Partitions(HOME)
    manifest = manifest or Manifest()
    fetch(parts, manifest)
    run(parts.install(9))
    chip.reset()
    parts = Partitions(HOME)
    assert parts.running == ("ota_1", True), parts.running
    return chip, parts


def judge(parts, facts):
    order = parts.decide(facts)
    return order.name, parts.carry_out(order)


def check_an_image_is_filled_tried_and_kept():
    chip, parts = installed()
    assert bytes(chip.flash[1][: len(IMAGE)]) == IMAGE
    assert parts.outcome() is None
    assert judge(parts, GOOD) == (trial.KEEP, False)
    assert chip.state[1] == "valid"
    assert parts.security_version == 4 and not parts.running[1]
    assert parts.outcome()[:2] == (9, "success")
    chip.reset()
    parts = Partitions(HOME)
    assert parts.running == ("ota_1", False) and not parts.pending
    assert parts.outcome()[:2] == (9, "success")  # until it is told
    parts.reported()
    assert Partitions(HOME).outcome() is None


def check_a_download_goes_on_after_a_cut():
    fresh()
    came = fetch(Partitions(HOME), Manifest(), stop_at=9000)
    assert 9000 <= came < len(IMAGE)
    more = fetch(Partitions(HOME), Manifest())
    assert came + more - len(IMAGE) < 4096, (came, more)  # but for the block that was not full
    assert fetch(Partitions(HOME), Manifest()) == 0  # it is whole


def check_a_damaged_beginning_is_fetched_again():
    chip = fresh()
    fetch(Partitions(HOME), Manifest(), stop_at=9000)
    chip.flash[1][5] ^= 0xFF
    parts = Partitions(HOME)
    try:
        fetch(parts, Manifest())
    except UpdateError as e:
        assert e.code == "bad_hash"
    assert fetch(Partitions(HOME), Manifest()) == len(IMAGE)
    run_install(Manifest())
    assert bytes(chip.flash[1][: len(IMAGE)]) == IMAGE


def run_install(manifest):
    parts = Partitions(HOME)
    run(parts.begin(manifest, manifest.data, b""))
    run(parts.install(9))


def check_another_image_begins_anew():
    fresh()
    fetch(Partitions(HOME), Manifest(), stop_at=9000)
    other = b"\xe9" + b"o" * 9999
    assert fetch(Partitions(HOME), Manifest(other), other) == len(other)


def check_what_is_refused():
    chip = fresh()
    large = Manifest()
    large.files = [("firmware.bin", 65537, b"")]
    assert refusal(run, Partitions(HOME).begin(large, b"", b"")) == "no_space"
    wrong = IMAGE[:-1] + b"?"
    assert refusal(fetch, Partitions(HOME), Manifest(), wrong) == "bad_hash"
    none = b"no image" * 100
    fetch(Partitions(HOME), Manifest(none), none)
    assert refusal(run_install, Manifest(none)) == "bad_hash"
    assert chip.boots == 0
    fetch(Partitions(HOME), Manifest())
    chip.flash[1][700] ^= 1  # between the download and the installation
    assert refusal(run_install, Manifest()) == "bad_hash"
    assert chip.boots == 0
    parts = Partitions(HOME)
    run(parts.begin(Manifest(), Manifest().data, b""))
    writer = parts.writer(0)
    assert refusal(writer.write, IMAGE + b"more") == "bad_size"


def check_one_partition_is_no_place_for_an_image():
    fresh(slots=1)
    assert refusal(run, Partitions(HOME).begin(Manifest(), b"", b"")) == "no_space"


def check_a_deaf_image_goes_back_and_says_why():
    chip, parts = installed()
    assert judge(parts, DEAF) == (trial.GIVE_UP, True)
    chip.reset()
    parts = Partitions(HOME)
    assert parts.running == ("ota_0", False) and not parts.pending
    assert parts.outcome() == (9, "failure", "rolled back: the microphone gives nothing")
    assert parts.security_version == 0


def check_a_crash_in_the_trial_is_a_turn_and_the_other_judges():
    chip, _ = installed()
    chip.reset()  # nobody marked it
    parts = Partitions(HOME)
    assert parts.running == ("ota_0", False) and parts.pending
    assert judge(parts, GOOD) == (trial.BLAME, False)
    assert parts.outcome()[:2] == (9, "failure") and not parts.pending


def check_without_a_hub_both_take_turns_three_times():
    chip, parts = installed()
    for turn in (1, 2, 3):
        assert judge(parts, ALONE) == (trial.GIVE_UP, True)
        chip.reset()
        parts = Partitions(HOME)
        assert parts.running[0] == "ota_0" and parts.pending
        order = judge(parts, ALONE)
        if turn == 3:
            assert order == (trial.WAIT, False)
            break
        assert order == (trial.TRY_AGAIN, True)
        chip.reset()
        parts = Partitions(HOME)
        assert parts.running == ("ota_1", True)
    assert judge(parts, GOOD)[0] == trial.BLAME


def check_power_that_fails_at_any_write_leaves_an_image_that_boots():
    """After it the device runs a whole image, and the update finishes."""
    cut = 0
    while True:
        chip = fresh()
        chip.writes_left = cut
        cut += 1
        manifest = Manifest()
        try:
            parts = Partitions(HOME)
            fetch(parts, manifest)
            run(parts.install(9))
            finished = True
        except (OSError, UpdateError):
            finished = False
        chip.reset()
        running = chip.flash[chip.running]
        assert chip.running == 0 or bytes(running[: len(IMAGE)]) == IMAGE
        parts = Partitions(HOME)
        if not parts.running[1]:
            fetch(parts, manifest)
            parts = Partitions(HOME)
            run(parts.begin(manifest, manifest.data, b""))
            run(parts.install(9))
            chip.reset()
            parts = Partitions(HOME)
        assert parts.running == ("ota_1", True), cut
        assert judge(parts, GOOD)[0] == trial.KEEP
        if finished:
            break
    assert cut > 8
