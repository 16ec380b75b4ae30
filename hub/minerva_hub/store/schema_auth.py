"""Version 2 of the database: the owner's password and logins. Nothing in it lets anybody in."""

VERSION_2 = (
    """CREATE TABLE owner (
        id INTEGER PRIMARY KEY CHECK (id = 1), password_hash TEXT NOT NULL, changed_ms INTEGER NOT NULL
    ) STRICT""",
    """CREATE TABLE logins (
        id_hash TEXT PRIMARY KEY, created_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL,
        address TEXT NOT NULL, agent TEXT NOT NULL
    ) STRICT""",
)
