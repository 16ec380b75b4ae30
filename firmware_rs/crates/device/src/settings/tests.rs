//! The table of what a settings file may say.
