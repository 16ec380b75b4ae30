"""A model as programs and the page see it."""

from __future__ import annotations

from typing import Final

from minerva_hub.events import ModelInfo, ModelJob, ModelState
from minerva_hub.models.checking import Status
from minerva_hub.models.listing import Model

WORDS: Final[dict[ModelState, str]] = {
    "absent": "no",
    "partial": "a part",
    "unverified": "not verified yet",
    "ready": "yes",
    "damaged": "damaged",
}


def describe(model: Model, status: Status, job: ModelJob | None = None) -> ModelInfo:
    """The list's table and the state on the disk, as one record."""
    record = status.record
    trusts = {one.trust for one in record.files.values()} if record else set()
    return ModelInfo(
        name=model.name,
        kind=model.kind,
        stage=model.stage,
        source=model.source,
        licence=model.licence,
        input=model.input,
        size_mb=model.size_mb,
        gated=model.gated,
        note=model.note,
        state=status.state,
        reason=status.reason,
        bytes=status.bytes,
        revision=(record.revision if record else "") or model.revision,
        trust=None if record is None else "recorded" if "recorded" in trusts else "stated",
        pulled_ms=record.pulled_ms if record else None,
        verified_ms=record.verified_ms if record else None,
        job=job,
    )
