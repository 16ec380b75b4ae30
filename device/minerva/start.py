"""Settings, board, application, run: what main.py, which no update replaces, leaves to the slot."""

import asyncio

from minerva.errors import SettingsError
from minerva.memory import unload


def run() -> None:
    """Run the device until it restarts; wrong settings end it, so that USB can put them right."""
    try:
        app = _application()
    except SettingsError as e:
        print(e)
        return
    unload("settings")
    asyncio.run(app.run())


def _application():
    from minerva import settings
    from minerva.app import App

    chosen = settings.load("settings.json")
    return App(chosen, settings.load_board(chosen.board))
