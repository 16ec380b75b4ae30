//! Names of the copies of the firmware.

use minerva_board::boot::Running;

/// As in the partition table; `factory` where there are no slots.
pub fn name(running: &Option<Running>) -> &'static str {
    match running {
        Some(Running { slot: 0, .. }) => "ota_0",
        Some(_) => "ota_1",
        None => "factory",
    }
}
