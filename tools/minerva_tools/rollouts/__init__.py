"""Rollouts and groups over the hub's REST interface."""
