"""The sound network: material for each label from two lists of generators, training, export, judgement.

What trains and what judges share no generator of a label, no voice, no room and no background: `families` has
both lists. Everything comes from seeds and flite's voices. 16 kHz mono float64 throughout.
"""
