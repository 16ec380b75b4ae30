"""Sounds by name: networks over log-mel patches, and events made of their scores."""
