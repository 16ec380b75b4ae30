"""Sound as the hub takes it: packets of devices and files, all to int16 mono at 16 kHz."""

from minerva_hub.audio.files import AudioFile, read_audio
from minerva_hub.audio.packets import decode_adpcm, decode_pcm

__all__ = ["AudioFile", "decode_adpcm", "decode_pcm", "read_audio"]
