"""Which copy of the application runs; bootslot.py chooses. Nothing else happens here."""

from bootslot import boot

if boot()[1]:
    import machine

    # A release on trial that does not even start is left within half a minute; one that starts feeds it.
    machine.WDT(timeout=30000)

del boot  # its module may be forgotten, for memory is short
