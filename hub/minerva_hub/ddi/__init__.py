"""The update server that devices ask: the resources of hawkBit's Direct Device Integration API, version 1.

Links, files and feedback are as hawkBit's documentation has them, so a hub may be replaced by an Eclipse
hawkBit server, and other DDI clients may ask the hub.
"""

from __future__ import annotations

from aiohttp import web

from minerva_hub.auth import DeviceTokens
from minerva_hub.ddi.access import Access
from minerva_hub.ddi.problems import told
from minerva_hub.ddi.resources import ROOT, Resources
from minerva_hub.fleet import Fleet
from minerva_hub.rollouts import Rollouts
from minerva_hub.rollouts.shelf import Shelf
from minerva_hub.store import Store

POLL_S = 300  # between two questions of a device; while it is linked the hub tells it at once


def setup(
    app: web.Application,
    *,
    store: Store,
    fleet: Fleet,
    tokens: DeviceTokens,
    rollouts: Rollouts,
    shelf: Shelf,
    poll_s: int = POLL_S,
) -> Access:
    """Add the resources to the application; what is given back counts the requests that were refused."""
    access = Access(store, fleet, tokens)
    has = Resources(store=store, rollouts=rollouts, shelf=shelf, access=access, poll_s=poll_s)
    router = app.router
    files = f"{ROOT}/softwaremodules/{{module}}/artifacts"
    router.add_get(ROOT, told(has.base))
    router.add_get(f"{ROOT}/deploymentBase/{{action}}", told(has.deployment))
    router.add_post(f"{ROOT}/deploymentBase/{{action}}/feedback", told(has.feedback))
    router.add_get(f"{ROOT}/installedBase/{{action}}", told(has.installed))
    router.add_get(f"{ROOT}/cancelAction/{{action}}", told(has.cancel))
    router.add_post(f"{ROOT}/cancelAction/{{action}}/feedback", told(has.cancel_feedback))
    router.add_put(f"{ROOT}/configData", told(has.configure))
    router.add_get(files, told(has.artifacts))
    router.add_get(f"{files}/{{filename}}.MD5SUM", told(has.md5sum))
    router.add_get(f"{files}/{{filename}}", told(has.artifact))
    return access
