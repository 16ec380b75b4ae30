"""Queues, workers and fairness: what joins the stages."""

from minerva_hub.pipeline.live import Pipeline
from minerva_hub.pipeline.stream import Stream

__all__ = ["Pipeline", "Stream"]
