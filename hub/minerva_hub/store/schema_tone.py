"""Version 4 of the database: the tone of an utterance, packed as rows.pack_tone; NULL where none was told."""

VERSION_4 = ("ALTER TABLE utterances ADD COLUMN tone BLOB",)
