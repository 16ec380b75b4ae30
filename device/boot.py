"""Which copy of the application runs; bootslot.py chooses. Nothing else happens here."""

import sys

if "/" not in sys.path:
    sys.path.insert(0, "/")

import bootslot

if bootslot.boot()[1]:
    import machine

    # A release on trial that does not even start is left within half a minute; one that starts feeds it.
    machine.WDT(timeout=30000)
