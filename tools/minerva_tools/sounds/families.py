"""Which generators train and which judge: two lists for each label, without a member in common.

The same holds for rooms, and for the backgrounds that sounds are heard over: the noises of each list.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Literal

import numpy as np

from minerva_tools.material.noises import Samples
from minerva_tools.sounds import alarms, beds, household, telephone

Family = Callable[[np.random.Generator], Samples]
Room = Callable[[Samples, np.random.Generator], Samples]
Which = Literal["train", "held"]

TRAIN: Final[Mapping[str, tuple[Family, ...]]] = {
    "smoke_alarm": (alarms.smoke_piezo, alarms.smoke_horn, alarms.smoke_low, alarms.smoke_low_driven),
    "co_alarm": (alarms.monoxide_piezo, alarms.monoxide_horn),
    "doorbell": (
        household.doorbell_bars,
        household.doorbell_tune,
        household.doorbell_electronic,
        household.doorbell_hammer,
        household.doorbell_struck,
    ),
    "ringback": (telephone.ringback_two, telephone.ringback_one, telephone.ringback_shaken),
    "busy": (telephone.busy_two, telephone.busy_one),
    "dtmf_tone": (telephone.dtmf_sines,),
    "hold_music": (telephone.hold_line, telephone.hold_any),
    "speech": (beds.speech_rms, beds.speech_awb, beds.speech_formants),
    "music": (beds.music_known, beds.music_any),
    "knock": (household.knock_burst, household.knock_thump, household.knock_table),
    "glass_break": (household.glass_fragments, household.glass_pane, household.glass_dish),
    "appliance_beep": (household.beep_sine, household.beep_square, household.beep_clock),
    "noise": (beds.noise_known, beds.noise_room),
    "silence": (beds.quiet_room,),
}
HELD: Final[Mapping[str, tuple[Family, ...]]] = {
    "smoke_alarm": (alarms.smoke_resonator, alarms.smoke_chirp, alarms.smoke_low_pulse),
    "co_alarm": (alarms.monoxide_resonator, alarms.monoxide_chirp),
    "doorbell": (household.doorbell_fm, household.doorbell_tubes),
    "ringback": (telephone.ringback_exchange, telephone.ringback_stairs),
    "busy": (telephone.busy_exchange, telephone.busy_stairs),
    "dtmf_tone": (telephone.dtmf_stairs, telephone.dtmf_resonators),
    "hold_music": (telephone.hold_mobile, telephone.hold_speaker),
    "speech": (beds.speech_slt, beds.speech_kal),
    "music": (beds.music_unseen, beds.music_brass),
    "knock": (household.knock_panel, household.knock_window),
    "glass_break": (household.glass_shower, household.glass_bottle),
    "appliance_beep": (household.beep_piezo, household.beep_pair),
    "noise": (beds.noise_vacuum, beds.noise_rain, beds.noise_wind, beds.noise_water),
    "silence": (beds.quiet_hum,),
}
ROOMS: Final[Mapping[Which, tuple[Room, ...]]] = {"train": (beds.room_diffuse,), "held": (beds.room_box,)}


def families(which: Which) -> Mapping[str, tuple[Family, ...]]:
    """The list of that name."""
    return TRAIN if which == "train" else HELD
