//! Protocol v1 without allocation.
#![no_std]
