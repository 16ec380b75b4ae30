//! What broke is said, then the chip begins anew; a firmware on trial is not started a second time by the bootloader.

use esp_hal::delay::Delay;
use esp_println::println;

/// So that the line leaves the chip before the restart, and a firmware that always breaks does not spin.
const PAUSE_MS: u32 = 2000;

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    println!("{info}");
    Delay::new().delay_millis(PAUSE_MS);
    esp_hal::system::software_reset()
}
