//! Joining the Wi-Fi, again and again with longer pauses, and how well it is heard.

use embassy_futures::select::{Either, select};
use embassy_time::{Duration, Timer, with_timeout};
use esp_println::println;
use esp_radio::wifi::sta::StationConfig;
use esp_radio::wifi::{AuthenticationMethodConfig, Config, Password, Ssid, WifiController};
use minerva_board::watch::{Loop, Watch};
use minerva_board::wire::Wire;
use minerva_device::backoff::Backoff;
use minerva_device::settings::Wifi;

use crate::random;

const JOIN_TIMEOUT: Duration = Duration::from_secs(15);
const LOOK: Duration = Duration::from_secs(5);

/// Stay joined.
#[embassy_executor::task]
pub async fn keep(
    mut controller: WifiController<'static>,
    wifi: &'static Wifi,
    wire: &'static Wire,
    watch: &'static Watch,
) {
    watch.alive(Loop::Wifi);
    let configured = station(wifi).and_then(|config| controller.set_config(&config).ok());
    if configured.is_none() {
        crate::stop("settings.json: the driver refuses wifi.ssid or wifi.password").await;
    }
    let mut backoff = Backoff::of_link();
    loop {
        watch.alive(Loop::Wifi);
        match with_timeout(JOIN_TIMEOUT, controller.connect_async()).await {
            Ok(Ok(_)) => {
                println!("Wi-Fi {}: joined", wifi.ssid);
                backoff.reset();
                stay(&controller, wire, watch).await;
                println!("Wi-Fi {}: lost", wifi.ssid);
            }
            Ok(Err(error)) => println!("Wi-Fi {}: {error:?}", wifi.ssid),
            Err(_) => {
                println!(
                    "Wi-Fi {}: not joined within {} s",
                    wifi.ssid,
                    JOIN_TIMEOUT.as_secs()
                );
                // The try that still goes on would make the next one fail; that there is none is fine too.
                let _ = with_timeout(LOOK, controller.disconnect_async()).await;
            }
        }
        wire.set_rssi(None);
        // At most twelve seconds: shorter than the watchdog's patience.
        watch.alive(Loop::Wifi);
        Timer::after_millis(u64::from(backoff.next_ms(random()))).await;
    }
}

/// Until the access point is gone.
async fn stay(controller: &WifiController<'static>, wire: &Wire, watch: &Watch) {
    loop {
        watch.alive(Loop::Wifi);
        let rssi = controller.rssi().ok();
        wire.set_rssi(rssi.and_then(|dbm| i8::try_from(dbm.min(0)).ok()));
        match select(controller.wait_for_disconnect_async(), Timer::after(LOOK)).await {
            Either::First(_) => return,
            Either::Second(()) => {}
        }
    }
}

fn station(wifi: &Wifi) -> Option<Config> {
    let ssid = Ssid::try_from(wifi.ssid.as_str()).ok()?;
    let authentication = if wifi.password.is_empty() {
        AuthenticationMethodConfig::Open
    } else {
        let password = Password::try_from(wifi.password.as_str()).ok()?;
        AuthenticationMethodConfig::WpaWpa2Personal(password)
    };
    let config = StationConfig::default()
        .with_ssid(ssid)
        .with_authentication(authentication);
    Some(Config::Station(config))
}
