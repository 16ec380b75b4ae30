"""Minerva: the device and wire package shared by board, hub and tests."""

__version__ = "0.1.0"
