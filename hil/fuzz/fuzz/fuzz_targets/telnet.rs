#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| qpyflash_fuzz::run("telnet", bytes));
