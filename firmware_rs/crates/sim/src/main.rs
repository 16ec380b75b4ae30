//! `minerva-sim`: the device on a computer.

fn main() {}
