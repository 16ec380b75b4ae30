"""What the routes of models do: parsed parameters in, records out."""

from __future__ import annotations

from minerva_hub.events import ModelInfo, Record
from minerva_hub.models.listing import ModelName
from minerva_hub.web import params
from minerva_hub.web.handlers import Call, Plain


class ModelPath(params.Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model's place in the path."""

    name: ModelName


class ModelList(Record, frozen=True, kw_only=True):
    """All models that Minerva knows, and the folder on the hub's disk where those are that were pulled."""

    folder: str
    items: tuple[ModelInfo, ...]


OfModel = Call[ModelPath, params.Nothing, None]
Change = Call[ModelPath, params.Nothing, params.Nothing]


async def models(call: Plain) -> ModelList:
    """All models: sizes, licences, what is on the hub's disk, and what is being done with them."""
    jobs = call.faces.models
    return ModelList(folder=str(jobs.folder), items=tuple(await jobs.all()))


async def pull_model(call: Change) -> ModelInfo:
    """Begin to download a model from its source; events of the type `model` tell how it goes on."""
    return await call.faces.models.pull(call.path.name)


async def verify_model(call: Change) -> ModelInfo:
    """Begin to hash the files of a model and compare; events of the type `model` tell how it goes on."""
    return await call.faces.models.verify(call.path.name)


async def cancel_model(call: Change) -> ModelInfo:
    """Stop pulling or verifying a model; what came is kept."""
    return await call.faces.models.cancel(call.path.name)


async def remove_model(call: OfModel) -> None:
    """Remove a model from the hub's disk; the hashes of its files stay recorded."""
    await call.faces.models.remove(call.path.name)
