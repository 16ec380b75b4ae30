"""A device on a USB port: finding the port, its MicroPython prompt, deploying, pairing and flashing."""
