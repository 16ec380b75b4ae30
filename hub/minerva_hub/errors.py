"""The hub's error tree: what the owner did, what a peer did and what we did are different types."""

from __future__ import annotations


class MinervaError(Exception):
    """Base of every error this package raises on purpose."""


class UserError(MinervaError):
    """Something the owner gave (a setting, a file, an argument) cannot be used; says what is allowed."""


class ConfigError(UserError):
    """A setting is unknown, mistyped or out of range; names the file, the key and what is allowed."""


class AudioFileError(UserError):
    """A file is missing, empty, truncated or not audio."""


class EngineUnavailableError(UserError):
    """The engine that was asked for cannot run here; says what it lacks and what would work instead."""


class EngineError(MinervaError):
    """An engine failed on what it was given; names the engine and what it said."""


class IdentityError(UserError):
    """The hub's keys and certificates are damaged, or cannot be read or written; names the file."""


class LoginError(MinervaError):
    """Somebody may not do this; `code` is for programs, the text for people."""

    code = "login"


class WrongPasswordError(LoginError):
    """The password is not the owner's."""

    code = "wrong_password"


class NoPasswordError(LoginError):
    """The owner has set no password yet, so nobody is let in from the network."""

    code = "no_password"


class TooManyAttemptsError(LoginError):
    """Too many were wrong: not even looked at; `wait_s` says when the next one is."""

    code = "too_many_attempts"

    def __init__(self, message: str, wait_s: float) -> None:
        super().__init__(message)
        self.wait_s = wait_s


class DownloadError(MinervaError):
    """A download did not come to its end; says whose fault it is, and what is kept of it."""


class BusyError(MinervaError):
    """Too much of this is under way; try again in a moment."""


class PeerError(MinervaError):
    """A device or client broke the protocol; ends that connection only.

    `code` is the machine-readable code of docs/protocol.md, the text names value, limit and whose it is.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class StoreError(MinervaError):
    """The database could not do what was asked."""


class StoreFullError(StoreError):
    """The disk is full: nothing stored was lost, the write may be tried again."""


class NewerDatabaseError(StoreError):
    """The database was written by a newer Minerva; it is left untouched."""


class UnknownSessionError(StoreError):
    """The session does not exist, or its owner deleted it while it went on: begin another."""


class UnknownItemError(StoreError):
    """A release, group, rollout, device or model that was named does not exist."""


class ConflictError(StoreError):
    """What is asked does not fit what is there: in use, there already, ended; says what stands in the way."""


class StoreBusyError(StoreError):
    """Another process held the database too long: nothing was stored, the write may be tried again."""
