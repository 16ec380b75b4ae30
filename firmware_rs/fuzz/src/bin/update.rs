//! libFuzzer's program for [`minerva_fuzz::update`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| minerva_fuzz::update(data));
