"""The commands, a module each; none imports the hub's machinery before it runs."""
