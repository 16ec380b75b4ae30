"""Sound as the hub takes it: packets of devices and files, all to int16 mono at 16 kHz."""

from minerva_hub.audio.files import AudioFile, read_audio
from minerva_hub.audio.packets import Features, decode_adpcm, decode_logmel, decode_pcm

__all__ = ["AudioFile", "Features", "decode_adpcm", "decode_logmel", "decode_pcm", "read_audio"]
