#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| pinwright::fuzzing::run("server_certificates", input));
