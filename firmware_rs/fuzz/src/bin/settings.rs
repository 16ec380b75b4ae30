//! libFuzzer's program for [`minerva_fuzz::settings`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| minerva_fuzz::settings(data));
