"""A port for programs that speak to cf-voice: sound in, words, tone and sounds out (docs/cf-voice.md).

It knows no password, so it is off unless the owner switches it on, and beyond loopback it needs a list of who
may come in. Nothing of a session is stored.
"""

from minerva_hub.cf_voice.service import CfVoice

__all__ = ["CfVoice"]
