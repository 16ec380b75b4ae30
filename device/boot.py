"""Which copy of the application runs: the one beside this file. Nothing else happens here."""

import sys

if "/" not in sys.path:
    sys.path.insert(0, "/")
