"""Version 5 of the database: voices of the people whom the owner enrolled by name, and of nobody else."""

VERSION_5 = (
    """CREATE TABLE enrolments (
        id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, space TEXT NOT NULL,
        place BLOB NOT NULL, voiced_s REAL NOT NULL, created_ms INTEGER NOT NULL
    ) STRICT""",
    "CREATE INDEX enrolments_by_name ON enrolments (name)",
)
