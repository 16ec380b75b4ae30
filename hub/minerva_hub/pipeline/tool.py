"""An opened engine on a thread of its own, with a limit on how long a job may take it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final, TypeVar

from minerva_hub.errors import EngineError
from minerva_hub.pipeline.hand import Hand
from minerva_hub.transcribe import Engine, Transcriber

T = TypeVar("T")

# Each hanging thread keeps its model in memory and perhaps a core busy: with more of them a fresh one does no
# better, and the computer needs its owner.
MAX_HANGING: Final = 2
END_S: Final = 5.0  # for a job to end that was told to


class EngineHungError(EngineError):
    """The engine worked on one job for longer than it may."""


class Tools:
    """Opens engines for the workers, and counts the threads that hang in one."""

    def __init__(self, engine: Engine, choose: Callable[[], Engine]) -> None:
        self.engine = engine
        self.hangs = 0
        self._choose = choose
        self._hanging: set[Hand] = set()

    async def open(self, number: int) -> Tool:
        """A tool for the worker of that number. EngineUnavailableError says what the engine lacks."""
        hand = Hand(f"transcriber-{number}")
        opening = hand.start(self.engine.open)
        try:
            transcriber = await asyncio.wrap_future(opening)
        except BaseException:
            opening.add_done_callback(_close_unused)
            hand.end()
            raise
        return Tool(number, hand, transcriber)

    async def replace(self, tool: Tool, limit_s: float) -> Tool:
        """A fresh one for a tool that hangs; EngineError when too many hang.

        One whose thread does not come back is left to itself. What it hangs in may be shared, as the model of
        Whisper is: the fresh tool is of an engine that is loaded anew.
        """
        self.hangs += 1
        if not await tool.end():
            self._hanging = {hand for hand in self._hanging if not hand.ended(0)} | {tool.hand}
            if len(self._hanging) > MAX_HANGING:
                raise EngineError(
                    f"{self.engine.info.name} hangs in {len(self._hanging)} threads, each at a job of more "
                    f"than {limit_s:g} s ([transcribe] job_limit_s); at most {MAX_HANGING} are left so: "
                    "restart the hub"
                )
            self.engine = await asyncio.to_thread(self._choose)
        return await self.open(tool.number)


class Tool:
    """A transcriber and the thread that it works in."""

    def __init__(self, number: int, hand: Hand, transcriber: Transcriber) -> None:
        self.number = number
        self.hand = hand
        self._transcriber = transcriber

    async def use(self, work: Callable[[Transcriber], T], limit_s: float) -> T:
        """Do a job; EngineHungError when it takes longer than the limit."""
        try:
            return await self.hand.do(lambda: work(self._transcriber), limit_s)
        except TimeoutError as problem:
            raise EngineHungError(
                f"the recogniser worked on it for more than {limit_s:g} s ([transcribe] job_limit_s)"
            ) from problem

    async def end(self) -> bool:
        """Close it; whether its thread ended too."""
        self.hand.end()
        closing = Hand("closing")
        try:
            await closing.do(self._transcriber.close, END_S)
        except TimeoutError:
            return False
        finally:
            closing.end()
        return await asyncio.to_thread(self.hand.ended, END_S)


def _close_unused(opening: Future[Transcriber]) -> None:
    """A transcriber whose loading ended after the hub had been told to stop."""
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()
