"""The minerva command."""
