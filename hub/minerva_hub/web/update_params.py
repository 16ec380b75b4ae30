"""What requests about releases, groups and rollouts carry, as structs."""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import Meta

from minerva_hub.events import (
    Action,
    Feedback,
    Group,
    Record,
    RefusedRelease,
    Release,
    Rollout,
    TrustedKeys,
)
from minerva_hub.rollouts import Plan, Target
from minerva_hub.rollouts.plan import MAX_TARGETS
from minerva_hub.web.params import DeviceId, Id, Params

NAMES_BODY = MAX_TARGETS * 40  # bytes: a device's id has 32 characters

GroupName = Annotated[
    str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,31}\Z", description="a group's name: a-z, 0-9 and hyphens")
]


class ItemPath(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The place of a release or a rollout in the path."""

    id: Id


class GroupPath(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A group's place in the path."""

    name: GroupName


class GroupBody(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The devices of a group."""

    max_body: ClassVar[int] = NAMES_BODY
    devices: Annotated[tuple[DeviceId, ...], Meta(max_length=MAX_TARGETS)]


class KeysBody(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The text of a key set; `replace`: also where another one is trusted already."""

    max_body: ClassVar[int] = 8192  # its 2048 characters, all of them escaped
    text: Annotated[str, Meta(min_length=1, max_length=2048)]
    replace: bool = False


class RolloutBody(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which release goes to which devices, and how."""

    max_body: ClassVar[int] = NAMES_BODY
    release: Id
    target: Target = Target()
    plan: Plan = Plan()


class ReleaseList(Record, frozen=True, kw_only=True):
    """All releases, newest first."""

    items: tuple[Release, ...]


class RefusedList(Record, frozen=True, kw_only=True):
    """The newest uploads that were refused, newest first."""

    items: tuple[RefusedRelease, ...]


class KeysState(Record, frozen=True, kw_only=True):
    """The key set that releases must be signed by; null before the owner gave one."""

    trusted: TrustedKeys | None


class GroupList(Record, frozen=True, kw_only=True):
    """All groups by name."""

    items: tuple[Group, ...]


class RolloutList(Record, frozen=True, kw_only=True):
    """Rollouts, newest first."""

    items: tuple[Rollout, ...]


class RolloutDetails(Record, frozen=True, kw_only=True):
    """A rollout and each of its devices, by stage."""

    rollout: Rollout
    devices: tuple[Action, ...]


class DeviceUpdates(Record, frozen=True, kw_only=True):
    """The updates of a device, newest first, what it said about them, and what it says it is."""

    actions: tuple[Action, ...]
    feedback: tuple[Feedback, ...]
    attributes: dict[str, str]
