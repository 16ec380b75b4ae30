"""Settings, board, application, run."""

import asyncio

import bootslot


def main() -> None:
    """Run the device until it restarts; wrong settings end it, so that USB can put them right."""
    if not bootslot.chosen[0]:
        return  # boot.py said why; what lies elsewhere on the flash was not checked
    from minerva import settings
    from minerva.app import App
    from minerva.errors import SettingsError

    try:
        chosen = settings.load("settings.json")
        app = App(chosen, settings.load_board(chosen.board))
    except SettingsError as e:
        print(e)
        return
    asyncio.run(app.run())


if __name__ == "__main__":
    main()
