"""The models: the list of those Minerva knows, which are on this disk, and whether they are what was pulled.

Nothing here downloads or opens a socket: `minerva_hub.download` does, and only when the owner asks.
"""

from minerva_hub.models.listing import Kind, Model, ModelFile, OwnModel, find_model, own_models, shipped
from minerva_hub.models.where import (
    Found,
    Missing,
    find_embedding,
    find_pyannote,
    find_segmentation,
    find_wav2vec2,
    find_whisper,
    find_yamnet,
    hugging_face_cache,
)

__all__ = [
    "Found",
    "Kind",
    "Missing",
    "Model",
    "ModelFile",
    "OwnModel",
    "find_embedding",
    "find_model",
    "find_pyannote",
    "find_segmentation",
    "find_wav2vec2",
    "find_whisper",
    "find_yamnet",
    "hugging_face_cache",
    "own_models",
    "shipped",
]
