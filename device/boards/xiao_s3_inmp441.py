"""Seeed XIAO ESP32S3 with an INMP441 microphone; wiring in docs/hardware.md.

The names on the board: D0 is GPIO 1, D1 is GPIO 2, D3 is GPIO 4 (D2, GPIO 3, is a strapping pin).
"""

NAME = "xiao_s3_inmp441"
CHIP = "esp32s3"  # of whole images
NEEDS_WIFI = True
MIC = {"id": 0, "sck": 1, "ws": 2, "sd": 4}
LED = {"kind": "plain", "pin": 21, "on": 0}  # the yellow one, lit by a low level
BUTTON = 0  # the one marked B
