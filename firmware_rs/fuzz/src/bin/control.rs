//! libFuzzer's program for [`minerva_fuzz::control`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| minerva_fuzz::control(data));
