"""Settings, board, application, run: what main.py, which no update replaces, leaves to the slot.

The order is for the heap: what is needed only now comes first and goes again, then all that stays, then the
largest piece, the ring. Meanwhile garbage is collected often, for it would lie in between.
"""

import asyncio

from minerva.errors import SettingsError
from minerva.memory import collect_every, unload
from minerva.port import const, heap_free
from minerva.probation import Probation
from minerva.ring import is_short, reserve

_OFTEN = const(4096)  # bytes


def run() -> None:
    """Run the device until it restarts; wrong settings end it, so that USB can put them right."""
    usual = collect_every(_OFTEN)
    try:
        app = application()
    except SettingsError as e:
        print(e)
        return
    collect_every(usual)
    asyncio.run(app.run())


def application():
    """The application as settings.json and boot.py want it; SettingsError."""
    probation = Probation()
    chosen, board = _settings()
    unload("minerva.settings")
    if chosen.update is None:
        unload("bootslot")  # it is not compiled, so to load it once more would take more than it has
    from minerva.app import App

    if chosen.update is not None and is_short(heap_free()):
        from minerva.updating import warm_up

        warm_up()
    return App(chosen, board, probation, reserve(chosen, probation.judging))


def _settings() -> tuple:
    from minerva import settings

    chosen = settings.load("settings.json")
    return chosen, settings.load_board(chosen.board)
