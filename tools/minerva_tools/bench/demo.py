"""The main job with the offline engine: WER, DER and speakers of the bundled and five rendered conversations.

Each is played in real time through virtual devices and the link, as `minerva demo` does; the rendered ones
have other sentences, voices and seeds, and need flite.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable
from importlib import resources
from pathlib import Path
from statistics import mean

from minerva_hub.config import HubConfig, ServerConfig, TranscribeConfig

from minerva_tools.conversation import Conversation, load_demo
from minerva_tools.demo import DemoResult, play_once, stage
from minerva_tools.measure import Result, at_most, figure
from minerva_tools.render import render
from minerva_tools.scoring import CONVENTIONS
from minerva_tools.script import read_script

MAX_WER = 0.25
MAX_DER = 0.15
AT_ONCE = 2  # conversations: each keeps half a core busy
# (script in data/conversations, voices, seed)
RENDERED = (
    ("evening", ("rms", "slt", "awb"), 11),
    ("garden", ("awb", "slt", "rms"), 12),
    ("kitchen", ("rms", "awb", "kal16"), 13),
    ("office", ("slt", "rms", "kal16"), 14),
    ("travel", ("kal16", "awb", "rms"), 15),
)


def run() -> Iterable[Result]:
    """Play all six and take means."""
    return asyncio.run(measure(conversations()))


def conversations() -> dict[str, Conversation]:
    """The bundled conversation and the rendered ones, by name."""
    found = {"bundled": load_demo()}
    with resources.as_file(resources.files("minerva_tools") / "data" / "conversations") as folder:
        for name, voices, seed in RENDERED:
            found[name] = render(read_script(Path(folder) / f"{name}.txt"), voices, seed)
    return found


async def measure(played: dict[str, Conversation]) -> list[Result]:
    """Play conversations, some at a time; one result each and the means."""
    limit = asyncio.Semaphore(AT_ONCE)

    async def one(name: str, conversation: Conversation) -> DemoResult:
        config = HubConfig(
            server=ServerConfig(port=0), transcribe=TranscribeConfig(engine="pocketsphinx", workers=1)
        )
        async with limit, stage(config, conversation, loop=False, say=lambda line: None) as running:
            result = await play_once(running, conversation)
        print(f"demo {name}: WER {result.wer:.2f}, DER {result.der:.2f}", file=sys.stderr)
        return result

    names = list(played)
    results = await asyncio.gather(*(one(name, played[name]) for name in names))
    heard_by = ", ".join(sorted({title for result in results for title in result.devices.values()}))
    under = f"{len(names)} conversations, pocketsphinx, heard under {heard_by}. {CONVENTIONS}"
    wrong = sum(result.speakers != result.speakers_expected for result in results)
    out = [
        at_most("wer", mean(result.wer for result in results), "", MAX_WER, under),
        at_most("der", mean(result.der for result in results), "", MAX_DER, under),
        at_most("speakers_wrong", wrong, "conversations", 0, under),
        at_most("gaps", sum(result.gaps for result in results), "gaps", 0, under),
    ]
    for name, result in zip(names, results, strict=True):
        speakers = f"speakers {result.speakers} of {result.speakers_expected}"
        out.append(figure(f"{name}.wer", result.wer, "", speakers))
        out.append(figure(f"{name}.der", result.der, "", speakers))
    return out
