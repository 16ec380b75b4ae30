"""A page in Chromium as the tests of the page see it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from web_fakes import TestHub


@dataclass
class Watched:
    """A page and what went wrong on it; `expected` are parts of console errors that a test provokes."""

    page: Any
    hub: TestHub
    console: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)

    async def open(self, place: str = "live") -> None:
        """Go to a place and wait for the hub's first word."""
        await self.page.goto("about:blank")
        await self.page.goto(f"{self.hub.url}/#/{place}")
        await self.page.wait_for_selector("#link[data-up=true]")

    def faults(self) -> list[str]:
        """Errors on the console, and requests that left the hub."""
        wrong = [text for text in self.console if not any(part in text for part in self.expected)]
        own = (self.hub.url, "about:", "data:", "blob:")
        return wrong + [url for url in self.requests if not url.startswith(own)]
