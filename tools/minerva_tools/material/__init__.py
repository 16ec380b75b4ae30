"""Sounds made by rule, to train and to judge the gate: voices in noise, noises, music, alarms.

Everything comes from seeds and flite's voices, nothing is downloaded. 16 kHz mono float64 throughout.
"""
