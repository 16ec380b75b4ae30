"""The timeline's database: SQLite, embedded. Only this package knows SQL."""

from minerva_hub.store.store import Store
from minerva_hub.store.timeline import MAX_ROWS

__all__ = ["MAX_ROWS", "Store"]
