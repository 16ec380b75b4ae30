"""One small module of pins per board."""
