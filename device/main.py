"""Run the slot that boot.py chose."""

import gc


def main() -> None:
    """Run the device; nothing where no slot is whole."""
    from bootslot import chosen

    if not chosen[0]:
        return  # boot.py said why; what lies elsewhere on the flash was not checked
    gc.collect()  # what boot.py left would lie between all that is loaded now
    from minerva.start import run

    run()


if __name__ == "__main__":
    main()
