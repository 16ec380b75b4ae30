"""Downloads of models, when their owner asks for them: the only part of the hub that opens connections."""

from minerva_hub.download.fetch import FetchConfig, Fetcher
from minerva_hub.download.jobs import ModelJobs
from minerva_hub.download.pull import check_pullable, pull

__all__ = ["FetchConfig", "Fetcher", "ModelJobs", "check_pullable", "pull"]
