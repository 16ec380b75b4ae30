"""The hub's face for people and programs: the page, REST and its OpenAPI document.

`routes.ROUTES` is the one table: handlers are dispatched from it and the document is generated from it.
"""

from minerva_hub.web.faces import Faces, FleetFace, Updating
from minerva_hub.web.server import setup

__all__ = ["Faces", "FleetFace", "Updating", "setup"]
