"""The border to the hardware: the only modules that may import machine, network and esp32."""
