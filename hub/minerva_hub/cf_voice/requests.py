"""What programs send, checked: bodies as structs, sound as int16."""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
from typing import Annotated, Any, Final, TypeVar, get_args

import msgspec
from aiohttp import web
from msgspec import Meta

from minerva_hub.cf_voice.problems import VoiceError
from minerva_hub.events import Affect

T = TypeVar("T", bound=msgspec.Struct)

RATE: Final = 16_000
CHUNK_S: Final = (
    10  # Linnet sends 1 s; longer could not be written down within the 5 s that an answer may take
)
MAX_CHUNK: Final = CHUNK_S * RATE * 2  # bytes of int16
MAX_MESSAGE: Final = RATE * 2  # bytes of one WebSocket message: 1 s, ten times what Linnet sends
MAX_BODY: Final = 16 * 1024  # of a request without sound
MAX_CLASSIFY: Final = MAX_CHUNK * 4 // 3 + MAX_BODY
BODY_S: Final = 5.0  # for a body to come
ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,64}")  # uuids, and what programs make themselves
AFFECTS: Final = frozenset(get_args(Affect))

Language = Annotated[str, Meta(max_length=35)]  # the longest BCP 47 tag that libraries must take
Speakers = Annotated[int, Meta(ge=0, le=8)]  # as Linnet's own bound; 0 is unknown
Text = Annotated[str, Meta(max_length=2000)]  # as many characters as a partial may have


class StartRequest(msgspec.Struct, frozen=True, kw_only=True):
    """POST /session/start; Linnet's other fields are of its own business and are passed over."""

    elcor: bool = False
    transcribe_lang: Language | None = None
    num_speakers: Speakers | None = None


class ClassifyRequest(msgspec.Struct, frozen=True, kw_only=True):
    """POST /classify; `timestamp` is when the chunk begins, in seconds on the caller's clock."""

    audio_chunk: str
    timestamp: Annotated[float, Meta(ge=-1e12, le=1e12)] = 0.0
    elcor: bool = False
    session_id: str | None = None
    language: Language | None = None
    num_speakers: Speakers | None = None


class Correction(msgspec.Struct, frozen=True, kw_only=True):
    """POST /corrections, as Linnet's page sends it; the session is `item_id`, or in `context`."""

    item_id: Annotated[str, Meta(max_length=64)] = ""
    product: Annotated[str, Meta(max_length=64)] = ""
    correction_type: Annotated[str, Meta(max_length=64)] = "annotation"
    input_text: Text = ""
    original_output: Text = ""
    corrected_output: Text = ""
    rating: Annotated[str, Meta(pattern="^(up|down)$")] = "down"
    context: Annotated[dict[str, Any], Meta(max_length=16)] = {}
    opted_in: bool = False

    def named(self, key: str) -> str:
        """A text of the context; empty when it is not there, or no text."""
        value = self.context.get(key)
        return value if isinstance(value, str) else ""

    @property
    def affect(self) -> str:
        """The word of the vocabulary that the correction names; empty when it names none, or several."""
        words = {word.lower() for word in re.findall(r"[A-Za-z]+", self.corrected_output)} & AFFECTS
        return words.pop() if len(words) == 1 else ""


async def read(request: web.Request, kind: type[T], limit: int = MAX_BODY) -> T:
    """The body as a struct; an empty one has the defaults. VoiceError 408, 413 or 422."""
    if request.content_length is not None and request.content_length > limit:
        raise VoiceError(413, "too_large", f"a body of {request.content_length} bytes; {limit} are allowed")
    try:
        async with asyncio.timeout(BODY_S):
            raw = await request.read()
    except TimeoutError:
        raise VoiceError(408, "too_slow", f"the body did not come within {BODY_S:g} s") from None
    if len(raw) > limit:
        raise VoiceError(413, "too_large", f"a body of {len(raw)} bytes; {limit} are allowed")
    try:
        return msgspec.json.decode(raw or b"{}", type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as problem:
        raise VoiceError(422, "body", f"the body is not what {request.path} takes: {problem}") from problem


def chunk(text: str) -> bytes:
    """base64 -> int16 samples, little-endian. VoiceError 422 or 413 names what is wrong."""
    try:
        pcm = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as problem:
        raise VoiceError(422, "base64", f"audio_chunk is not base64: {problem}") from problem
    if not pcm:
        raise VoiceError(422, "empty", "audio_chunk is empty")
    if len(pcm) % 2:
        raise VoiceError(422, "odd", f"audio_chunk has {len(pcm)} bytes; a sample of int16 has two")
    if len(pcm) > MAX_CHUNK:
        raise VoiceError(
            413, "too_long", f"audio_chunk is {len(pcm) / 2 / RATE:.1f} s long; {CHUNK_S} s are allowed"
        )
    return pcm


def session_id(text: str) -> str:
    """A session's id as a caller gives it; VoiceError 422."""
    if not ID.fullmatch(text):
        raise VoiceError(422, "session_id", f"session_id {text[:80]!r}: allowed is {ID.pattern}")
    return text


def number(request: web.Request, key: str, default: float, low: float, high: float) -> float:
    """A number of the query; VoiceError 422."""
    text = request.query.get(key)
    if text is None:
        return default
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not low <= value <= high:
        raise VoiceError(422, key, f"{key} {text[:40]!r}: allowed is a number from {low:g} to {high:g}")
    return value
