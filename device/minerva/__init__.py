"""Minerva: the device and wire package shared by board, hub and tests."""
