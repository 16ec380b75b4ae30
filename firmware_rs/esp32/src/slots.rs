//! Names of the copies of the firmware.

use minerva_ota::flash::Slot;

/// As in the partition table; `factory` where there are no slots.
pub const fn name(running: Option<Slot>) -> &'static str {
    match running {
        Some(Slot::A) => "ota_0",
        Some(Slot::B) => "ota_1",
        None => "factory",
    }
}
