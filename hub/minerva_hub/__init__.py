"""The Minerva hub."""
