"""`minerva profile`: where the hub's processor time and waiting go, and the standing rule's verdict."""

from minerva_tools.profiling.flame import folded_text, svg
from minerva_tools.profiling.running import Profile, profile
from minerva_tools.profiling.verdict import Row, Verdict, judge, record, rows

__all__ = ["Profile", "Row", "Verdict", "folded_text", "judge", "profile", "record", "rows", "svg"]
