"""The queue of segments: order within a stream, turns between streams, bounds, settling."""

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from minerva_hub.pipeline.queue import SegmentQueue
from minerva_hub.segment import Segment


class Stream:
    def __init__(self, name: str) -> None:
        self.name = self.device = name
        self.settled: list[int] = []

    def settle(self, seq: int) -> None:
        self.settled.append(seq)


def segment(last_seq: int) -> Segment:
    return Segment(np.zeros(16, np.int16), 0, 1, last_seq)


def take(queue: SegmentQueue) -> tuple[Any, Any]:
    job = queue.pop()
    assert job is not None
    return job.stream, job


def test_streams_take_turns_and_a_stream_keeps_its_order() -> None:
    queue, chatty, quiet = SegmentQueue(), Stream("chatty"), Stream("quiet")
    for i in range(5):
        queue.put(chatty, segment(i))
    queue.put(quiet, segment(100))
    order = []
    for _ in range(6):
        stream, job = take(queue)
        order.append(job.segment.last_seq)
        queue.done(stream.device)
    assert order.index(100) <= 1
    assert [n for n in order if n < 100] == [0, 1, 2, 3, 4]


def test_a_stream_has_one_job_at_a_time() -> None:
    queue, stream = SegmentQueue(), Stream("a")
    queue.put(stream, segment(1))
    queue.put(stream, segment(2))
    take(queue)
    assert queue.pop() is None
    assert queue.pending(stream.device)
    queue.done(stream.device)
    assert (take(queue))[1].segment.last_seq == 2


def test_what_comes_while_a_stream_has_its_turn_waits_for_the_next() -> None:
    queue, stream = SegmentQueue(), Stream("a")
    queue.put(stream, segment(1))
    take(queue)
    queue.put(stream, segment(2))
    assert queue.pop() is None
    queue.done(stream.device)
    assert (take(queue))[1].segment.last_seq == 2


def test_the_oldest_is_handed_back_when_there_are_too_many() -> None:
    queue, stream = SegmentQueue(max_waiting=2), Stream("a")
    assert queue.put(stream, segment(1)) == []
    assert queue.put(stream, segment(2)) == []
    (lost,) = queue.put(stream, segment(3))
    assert lost.segment is not None and lost.segment.last_seq == 1
    assert queue.dropped == 1
    assert (take(queue))[1].segment.last_seq == 2


def test_the_device_with_the_most_sound_gives_way_when_all_together_have_too_much() -> None:
    queue, chatty, quiet = SegmentQueue(max_samples=100), Stream("chatty"), Stream("quiet")
    queue.put(quiet, segment(1))
    for i in range(5):
        lost = queue.put(chatty, segment(10 + i))
    assert [job.segment.last_seq for job in lost] == []
    (lost_job,) = queue.put(chatty, segment(15))
    assert lost_job.stream is chatty and lost_job.segment.last_seq == 10


def test_a_device_that_boots_again_and_again_gets_no_more_turns_than_another() -> None:
    queue, quiet = SegmentQueue(max_waiting=4), Stream("quiet")
    boots = [Stream("chatty") for _ in range(12)]
    lost = [job for number, boot in enumerate(boots) for job in queue.put(boot, segment(number))]
    queue.put(quiet, segment(100))
    assert len(lost) == 8
    order = []
    for _ in range(2):
        stream, _ = take(queue)
        order.append(stream.device)
    assert sorted(order) == ["chatty", "quiet"]
    assert queue.pop() is None


def test_a_removed_device_has_nothing_waiting() -> None:
    queue, stream = SegmentQueue(), Stream("a")
    queue.put(stream, segment(1))
    queue.forget("a")
    assert len(queue) == 0 and not queue.pending("a")
    assert queue.pop() is None


def test_silence_settles_at_once_or_after_what_was_said_before_it() -> None:
    queue, stream = SegmentQueue(), Stream("a")
    queue.settle(stream, 5)
    assert stream.settled == [5]
    queue.put(stream, segment(8))
    queue.settle(stream, 9)
    taken, job = take(queue)
    assert job.settles == 9
    queue.settle(stream, 12)  # while 8 is being written down
    assert stream.settled == [5]
    queue.done(taken.device)
    _, job = take(queue)
    assert job.segment is None and job.settles == 12


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=60))
def test_nothing_is_lost_or_doubled_and_settling_never_overtakes(steps: list[tuple[str, bool]]) -> None:
    def run() -> None:
        queue = SegmentQueue()
        streams = {name: Stream(name) for name in "abc"}
        done: dict[str, list[int]] = {name: [] for name in "abc"}
        for seq, (name, is_segment) in enumerate(steps):
            if is_segment:
                queue.put(streams[name], segment(seq))
            else:
                queue.settle(streams[name], seq)
        while len(queue):
            stream, job = take(queue)
            if job.segment is not None:
                assert all(settled < job.segment.last_seq for settled in stream.settled)
                done[stream.name].append(job.segment.last_seq)
            stream.settle(job.settles)
            queue.done(stream.device)
        for name in "abc":
            assert done[name] == [i for i, (n, is_segment) in enumerate(steps) if n == name and is_segment]
            assert not queue.pending(name)

    run()
