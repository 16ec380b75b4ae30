"""Who may ask the update server: devices that show their token, and not too often."""

from __future__ import annotations

from collections import Counter, OrderedDict

from aiohttp import hdrs, web

from minerva_hub.auth import DeviceTokens, source
from minerva_hub.ddi.problems import DdiError
from minerva_hub.errors import TooManyAttemptsError
from minerva_hub.events import DeviceRecord
from minerva_hub.fleet import Fleet
from minerva_hub.link.rate import Rate
from minerva_hub.store import Store

SCHEME = "TargetToken "
MAX_TOKEN = 128  # as in hello
PER_S, BURST = 10.0, 150  # requests of one device: an update of 128 files asks once for each
MAX_KNOWN = 5000  # devices whose pace is remembered


class Access:
    """Checks tokens and paces; `drops` counts what was refused, by its reason."""

    def __init__(self, store: Store, fleet: Fleet, tokens: DeviceTokens) -> None:
        self.drops: Counter[str] = Counter()
        self._store = store
        self._fleet = fleet
        self._tokens = tokens
        self._rates: OrderedDict[str, Rate] = OrderedDict()

    async def check(self, request: web.Request) -> DeviceRecord:
        """The device that asks; DdiError 401 or 429."""
        id_ = request.match_info["device"]
        given = request.headers.get(hdrs.AUTHORIZATION, "")
        token = given[len(SCHEME) :].strip() if given.startswith(SCHEME) else ""
        token = token if len(token) <= MAX_TOKEN else ""
        record = await self._store.device(id_)
        try:
            known = self._tokens.admits(record, token, source=source(request), device=id_)
        except TooManyAttemptsError as problem:
            self.drops["updates_blocked"] += 1
            raise DdiError(429, "too_often", str(problem)) from problem
        if not known or record is None:
            self.drops["updates_refused"] += 1
            if record is not None:
                self._fleet.refused(
                    id_, f"unauthorized: somebody asked for updates of {id_} with another token"
                )
            raise DdiError(401, "unauthorized", f"there is no device {id_[:32]} with this token")
        if not self._rate(id_).allow():
            self.drops["updates_slowed"] += 1
            raise DdiError(429, "too_often", f"{id_} asks more than {PER_S:g} times a second")
        return record

    def _rate(self, id_: str) -> Rate:
        rate = self._rates.get(id_)
        if rate is None:
            rate = self._rates[id_] = Rate(per_s=PER_S, burst=BURST)
            if len(self._rates) > MAX_KNOWN:
                self._rates.popitem(last=False)
        self._rates.move_to_end(id_)
        return rate
