"""Lists of models as models/models.toml has them, for tests: nothing in them is on the internet."""

from __future__ import annotations

import pytest
from minerva_hub.models import Model, listing


def table(name: str, url: str, *files: str, kind: str = "yamnet", more: str = "") -> str:
    """A table of a model whose files are at URL/resolve/main/NAME; each of `files` is TOML, `name = "x"`."""
    inside = ", ".join(f"{{ {one} }}" for one in files)
    return (
        f'[[model]]\nname = "{name}"\nkind = "{kind}"\nsource = "{url}"\nlicence = "MIT"\ninput = "sound"\n'
        f'size_mb = 1\nnote = "small"\nfile = [{inside}]\n{more}'
    )


def listed(monkeypatch: pytest.MonkeyPatch, *tables: str) -> tuple[Model, ...]:
    """Let these be all the models there are."""
    models = listing.read("\n".join(tables))
    monkeypatch.setattr(listing, "catalogue", lambda: models)
    return models
