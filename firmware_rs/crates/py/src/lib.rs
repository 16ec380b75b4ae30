//! `minerva_native`: the device's features for Python.
