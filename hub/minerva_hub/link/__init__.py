"""Device connections."""

from minerva_hub.link.endpoint import setup
from minerva_hub.link.hub import LinkHub

__all__ = ["LinkHub", "setup"]
