"""The tables of releases and rollouts: the database's third version."""

from __future__ import annotations

# An action is the update of one device within a rollout; it is there from the rollout's beginning, so its
# stage never depends on who is there later. Members of groups go with their device; an action outlives it.
VERSION_3: tuple[str, ...] = (
    """CREATE TABLE releases (
        id INTEGER PRIMARY KEY AUTOINCREMENT, digest TEXT NOT NULL UNIQUE, record TEXT NOT NULL
    ) STRICT""",
    """CREATE TABLE refused_releases (
        id INTEGER PRIMARY KEY AUTOINCREMENT, at_ms INTEGER NOT NULL, code TEXT NOT NULL,
        message TEXT NOT NULL, name TEXT NOT NULL, version TEXT NOT NULL
    ) STRICT""",
    """CREATE TABLE key_sets (
        version INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, text TEXT NOT NULL
    ) STRICT""",
    "CREATE TABLE device_groups (name TEXT PRIMARY KEY) STRICT",
    """CREATE TABLE group_members (
        name TEXT NOT NULL REFERENCES device_groups (name) ON DELETE CASCADE,
        device TEXT NOT NULL REFERENCES devices (id) ON DELETE CASCADE,
        PRIMARY KEY (name, device)
    ) STRICT, WITHOUT ROWID""",
    "CREATE INDEX group_members_by_device ON group_members (device)",
    """CREATE TABLE rollouts (
        id INTEGER PRIMARY KEY AUTOINCREMENT, release_id INTEGER NOT NULL REFERENCES releases (id),
        target TEXT NOT NULL, state TEXT NOT NULL, reason TEXT NOT NULL, created_ms INTEGER NOT NULL,
        changed_ms INTEGER NOT NULL, stage INTEGER NOT NULL, success_percent INTEGER NOT NULL,
        error_percent INTEGER NOT NULL, silent_s INTEGER NOT NULL, skipped TEXT NOT NULL
    ) STRICT""",
    "CREATE INDEX rollouts_by_release ON rollouts (release_id)",
    """CREATE TABLE actions (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        rollout_id INTEGER NOT NULL REFERENCES rollouts (id) ON DELETE CASCADE,
        device TEXT NOT NULL, stage INTEGER NOT NULL, state TEXT NOT NULL, detail TEXT NOT NULL,
        progress INTEGER, created_ms INTEGER NOT NULL, changed_ms INTEGER NOT NULL,
        UNIQUE (rollout_id, device)
    ) STRICT""",
    "CREATE INDEX actions_by_stage ON actions (rollout_id, stage, state)",
    "CREATE INDEX actions_by_device ON actions (device, id)",
    """CREATE INDEX actions_open ON actions (device)
        WHERE state IN ('planned', 'offered', 'running', 'canceling')""",
    """CREATE TABLE feedback (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        action_id INTEGER NOT NULL REFERENCES actions (id) ON DELETE CASCADE,
        at_ms INTEGER NOT NULL, execution TEXT NOT NULL, finished TEXT NOT NULL, progress INTEGER,
        details TEXT NOT NULL
    ) STRICT""",
    "CREATE INDEX feedback_by_action ON feedback (action_id, id)",
    """CREATE TABLE device_attributes (
        device TEXT PRIMARY KEY REFERENCES devices (id) ON DELETE CASCADE,
        at_ms INTEGER NOT NULL, attributes TEXT NOT NULL
    ) STRICT""",
)
