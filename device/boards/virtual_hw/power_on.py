"""Power on a virtual device with slots: what a board does with the boot.py and main.py of its flash.

Both run with the same names, an error in either ends at the prompt, and there a watchdog that was started
resets the board. Run in the folder that is the flash.
"""

import sys

sys.path[0] = ""  # a board looks in the root of its flash, not beside this file


def power_on():
    """Run boot.py and main.py; ends with status 42 where a board resets, 0 where it is at its prompt."""
    names = {"__name__": "__main__"}
    try:
        for script in ("boot.py", "main.py"):
            with open(script) as f:
                exec(f.read(), names)  # noqa: S102 - as a board does
    except SystemExit:
        raise
    except Exception as e:
        sys.print_exception(e)  # type: ignore
    machine = sys.modules.get("machine")
    if machine is not None and machine.WDT.armed():  # type: ignore
        print("virtual board: watchdog")
        machine.reset()


power_on()
