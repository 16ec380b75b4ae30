//! The status light: one WS2812 or a plain LED, following minerva_device's table.

use esp_hal::Blocking;
use esp_hal::gpio::{Level, Output, OutputConfig};
use esp_hal::peripherals::RMT;
use esp_hal::rmt::{Channel, PulseCode, Rmt, Tx, TxChannelConfig, TxChannelCreator};
use esp_hal::time::Rate;
use esp_println::println;
use minerva_board::{boards, pixel};
use minerva_device::LightState;

use crate::chip;

const RMT_MHZ: u32 = 80;
const BITS: usize = 24;

enum Lamp {
    Pixel(Channel<'static, Blocking, Tx>),
    Plain {
        pin: Output<'static>,
        lit_high: bool,
    },
    /// It could not be set up, or broke.
    None,
}

/// The light of the board.
pub struct Light {
    lamp: Lamp,
    state: LightState,
    since_ms: u32,
    lit: Option<bool>,
}

impl Light {
    /// Dark until it is told to show something.
    pub fn new(wiring: boards::Light, rmt: RMT<'static>) -> Self {
        let lamp = match wiring {
            boards::Light::Pixel { pin } => channel(rmt, pin).map_or(Lamp::None, Lamp::Pixel),
            boards::Light::Plain { pin, lit_high } => Lamp::Plain {
                pin: Output::new(
                    chip::pin(pin),
                    Level::from(!lit_high),
                    OutputConfig::default(),
                ),
                lit_high,
            },
        };
        if matches!(lamp, Lamp::None) {
            println!("the light cannot be set up");
        }
        Self {
            lamp,
            state: LightState::Starting,
            since_ms: 0,
            lit: None,
        }
    }

    /// Show the state that is now; to be called often, it also does the blinking.
    pub fn show(&mut self, state: LightState, ticks_ms: u32) {
        if state != self.state {
            self.state = state;
            self.since_ms = ticks_ms;
            self.lit = None;
        }
        let lit = state.is_on(ticks_ms.wrapping_sub(self.since_ms));
        if self.lit == Some(lit) {
            return;
        }
        self.lit = Some(lit);
        match core::mem::replace(&mut self.lamp, Lamp::None) {
            Lamp::Pixel(channel) => {
                let colour = if lit {
                    state.pattern().colour
                } else {
                    (0, 0, 0)
                };
                if let Some(channel) = send(channel, colour) {
                    self.lamp = Lamp::Pixel(channel);
                }
            }
            Lamp::Plain { mut pin, lit_high } => {
                pin.set_level(Level::from(lit == lit_high));
                self.lamp = Lamp::Plain { pin, lit_high };
            }
            Lamp::None => {}
        }
    }
}

fn channel(rmt: RMT<'static>, pin: u8) -> Option<Channel<'static, Blocking, Tx>> {
    let divider = u8::try_from(RMT_MHZ * 1_000_000 / pixel::TICKS_HZ).ok()?;
    let rmt = Rmt::new(rmt, Rate::from_mhz(RMT_MHZ)).ok()?;
    let config = TxChannelConfig::default().with_clk_divider(divider);
    Some(
        rmt.channel0
            .configure_tx(&config)
            .ok()?
            .with_pin(chip::pin(pin)),
    )
}

/// Takes 30 us.
fn send(
    channel: Channel<'static, Blocking, Tx>,
    colour: (u8, u8, u8),
) -> Option<Channel<'static, Blocking, Tx>> {
    let mut codes = [PulseCode::end_marker(); BITS + 1];
    for (code, pulse) in codes.iter_mut().zip(pixel::pulses(colour)) {
        *code = PulseCode::new_clamped(Level::High, pulse.high, Level::Low, pulse.low);
    }
    channel.transmit(&codes).ok()?.wait().ok()
}
