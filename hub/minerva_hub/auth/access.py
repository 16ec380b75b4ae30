"""Who is let in, all together: the owner and their logins, the devices, and who was wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from minerva_hub.auth.attempts import Attempts, FailureList, Limit
from minerva_hub.auth.owner import Owner
from minerva_hub.auth.sessions import Sessions
from minerva_hub.auth.tokens import DeviceTokens
from minerva_hub.store import Store

# Guesses at a password: 8 at once, then 2 a minute from an address and 12 from all together, 17,000 a day.
PASSWORDS = (Limit(burst=8, every_s=30), Limit(burst=40, every_s=5))
# Tokens cannot be guessed; this bounds what a device that is set up wrongly, or a storm of them, costs.
TOKENS = (Limit(burst=20, every_s=5), Limit(burst=200, every_s=0.5))


@dataclass(frozen=True)
class Access:
    """What decides who is let in."""

    owner: Owner
    sessions: Sessions
    tokens: DeviceTokens
    failures: FailureList
    _attempts: tuple[Attempts, Attempts]

    @classmethod
    def of(cls, store: Store, changed: Callable[[], None] = lambda: None) -> Access:
        """Over a store; `changed` is called when somebody was wrong."""
        failures = FailureList(changed)
        passwords = Attempts(of_source=PASSWORDS[0], in_all=PASSWORDS[1])
        tokens = Attempts(of_source=TOKENS[0], in_all=TOKENS[1])
        return cls(
            owner=Owner(store.logins, passwords, failures),
            sessions=Sessions(store.logins),
            tokens=DeviceTokens(tokens, failures),
            failures=failures,
            _attempts=(passwords, tokens),
        )

    def drops(self) -> dict[str, int]:
        """What was refused, by reason; wrong tokens are counted where devices come in."""
        return {
            "wrong_passwords": self.failures.counts["wrong_password"],
            "attempts_blocked": sum(attempts.blocked for attempts in self._attempts),
        }
