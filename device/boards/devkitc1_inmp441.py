"""Espressif ESP32-S3-DevKitC-1 with an INMP441 microphone; wiring in docs/hardware.md.

Free of strapping pins (0, 3, 45, 46), USB (19, 20) and the octal PSRAM of the N8R8 modules (35 to 37).
"""

NAME = "devkitc1_inmp441"
CHIP = "esp32s3"  # of whole images
NEEDS_WIFI = True
MIC = {"id": 0, "sck": 4, "ws": 5, "sd": 6}
# The light on the board: GPIO 48 up to version 1.0, GPIO 38 from 1.1.
LED = {"kind": "ws2812", "pin": 38}
BUTTON = 0  # the one marked BOOT
