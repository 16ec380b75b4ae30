"""What a person types, as an FTS5 query that can never be a syntax error."""

from __future__ import annotations

MAX_TERMS = 32  # a sentence; each term costs a lookup, and FTS5's own limit is far off


def match_expression(text: str) -> str | None:
    """The FTS5 query for all of `text`'s words, the last as a prefix; None for a blank text.

    Words past MAX_TERMS are ignored. A text of nothing but punctuation gives a query that matches nothing.
    """
    # SQLite takes neither NUL nor surrogates.
    clean = text.replace("\0", " ").encode("utf-8", "replace").decode()
    terms = [f'"{term.replace(chr(34), chr(34) * 2)}"' for term in clean.split()[:MAX_TERMS]]
    return " ".join(terms) + "*" if terms else None
