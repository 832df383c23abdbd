//! No `firmware.bin` makes the parser panic. The stated length is put right, so that more than the first line is
//! reached.

use qpyflash_protocols::asr::Plan;

/// One input.
pub fn run(body: &[u8]) {
    let _ = Plan::from_script(body.into());
    let length = "!CRANE! 00000000\n".len() + body.len();
    let script = [format!("!CRANE! {length:08x}\n").as_bytes(), body].concat();
    let _ = Plan::from_script(script.into());
}
