//! The boards: a name as in settings.json, the chip, and its pins by number.

/// The chip that an image is built for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chip {
    /// The product.
    Esp32S3,
    /// A build proof: it has no FPU.
    Esp32C6,
    /// A build proof: it has no FPU.
    Esp32C3,
}

impl Chip {
    /// Whether features are computed on it in real time.
    pub const fn has_fpu(self) -> bool {
        matches!(self, Self::Esp32S3)
    }

    /// As in the chip's data sheet, for the log.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Esp32S3 => "ESP32-S3",
            Self::Esp32C6 => "ESP32-C6",
            Self::Esp32C3 => "ESP32-C3",
        }
    }
}

/// How the microphone is wired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Microphone {
    /// An INMP441 on I2S; its L/R is at ground, so it speaks in the left slot.
    I2s {
        /// Bit clock.
        sck: u8,
        /// Word select.
        ws: u8,
        /// Data from the microphone.
        sd: u8,
    },
    /// A microphone with a PDM output; only the S3 turns that into samples by itself.
    Pdm {
        /// Clock.
        clk: u8,
        /// Data from the microphone.
        data: u8,
    },
}

/// How the status light is wired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Light {
    /// One WS2812.
    Pixel {
        /// Its data pin.
        pin: u8,
    },
    /// An LED of one colour.
    Plain {
        /// Its pin.
        pin: u8,
        /// The level that lights it.
        lit_high: bool,
    },
}

/// One board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Board {
    /// `board` in settings.json.
    pub name: &'static str,
    /// Its chip.
    pub chip: Chip,
    /// Its microphone.
    pub microphone: Microphone,
    /// Its light.
    pub light: Light,
    /// Its button, to ground.
    pub button: u8,
}

/// All boards; those of the MicroPython application have the same names and pins there (`device/boards/`).
pub const BOARDS: [Board; 5] = [
    Board {
        name: "devkitc1_inmp441",
        chip: Chip::Esp32S3,
        microphone: Microphone::I2s {
            sck: 4,
            ws: 5,
            sd: 6,
        },
        light: Light::Pixel { pin: 38 }, // GPIO 48 up to version 1.0 of the board
        button: 0,
    },
    Board {
        name: "xiao_s3_inmp441",
        chip: Chip::Esp32S3,
        microphone: Microphone::I2s {
            sck: 1,
            ws: 2,
            sd: 4,
        },
        light: Light::Plain {
            pin: 21,
            lit_high: false,
        },
        button: 0,
    },
    Board {
        name: "xiao_s3_sense",
        chip: Chip::Esp32S3,
        microphone: Microphone::Pdm { clk: 42, data: 41 },
        light: Light::Plain {
            pin: 21,
            lit_high: false,
        },
        button: 0,
    },
    Board {
        name: "devkitc6_inmp441",
        chip: Chip::Esp32C6,
        microphone: Microphone::I2s {
            sck: 18,
            ws: 19,
            sd: 20,
        },
        light: Light::Pixel { pin: 8 },
        button: 9,
    },
    Board {
        name: "devkitc3_inmp441",
        chip: Chip::Esp32C3,
        microphone: Microphone::I2s {
            sck: 4,
            ws: 5,
            sd: 6,
        },
        light: Light::Pixel { pin: 8 },
        button: 9,
    },
];

/// The board of that name, if this chip can be it.
///
/// # Errors
///
/// Why it cannot; for the log, after the name.
pub fn find(name: &str, chip: Chip) -> Result<&'static Board, &'static str> {
    let Some(board) = BOARDS.iter().find(|board| board.name == name) else {
        return Err("is no board of this firmware");
    };
    if board.chip != chip {
        return Err("is a board with another chip than this image is for");
    }
    Ok(board)
}

#[cfg(test)]
mod tests {
    use super::*;
    extern crate std;
    use std::vec::Vec;

    fn pins(board: &Board) -> Vec<u8> {
        let mut pins = match board.microphone {
            Microphone::I2s { sck, ws, sd } => [sck, ws, sd].to_vec(),
            Microphone::Pdm { clk, data } => [clk, data].to_vec(),
        };
        pins.push(match board.light {
            Light::Pixel { pin } | Light::Plain { pin, .. } => pin,
        });
        pins.push(board.button);
        pins
    }

    /// Pins that exist, and that neither flash, PSRAM nor USB needs.
    fn free(chip: Chip) -> Vec<u8> {
        match chip {
            // 22 to 25 do not exist, 26 to 32 are flash, 33 to 37 octal PSRAM, 19 and 20 USB.
            Chip::Esp32S3 => (0..=18).chain([21]).chain(38..=48).collect(),
            Chip::Esp32C6 => (0..=11).chain(14..=23).collect(), // 24 to 30 flash, 12 and 13 USB
            Chip::Esp32C3 => (0..=10).chain([20, 21]).collect(), // 11 to 17 flash, 18 and 19 USB
        }
    }

    fn strapping(chip: Chip) -> &'static [u8] {
        match chip {
            Chip::Esp32S3 => &[0, 3, 45, 46],
            Chip::Esp32C6 => &[4, 5, 8, 9, 15],
            Chip::Esp32C3 => &[2, 8, 9],
        }
    }

    #[test]
    fn every_pin_is_free_on_its_chip_and_used_once() {
        for board in &BOARDS {
            let pins = pins(board);
            for (i, pin) in pins.iter().enumerate() {
                assert!(free(board.chip).contains(pin), "{}: {pin}", board.name);
                assert!(!pins[..i].contains(pin), "{}: {pin} twice", board.name);
            }
        }
    }

    #[test]
    fn microphones_keep_off_the_strapping_pins() {
        for board in &BOARDS {
            let all = pins(board);
            for pin in &all[..all.len() - 2] {
                assert!(
                    !strapping(board.chip).contains(pin),
                    "{}: {pin}",
                    board.name
                );
            }
        }
    }

    #[test]
    fn only_a_chip_that_can_has_a_pdm_microphone() {
        for board in &BOARDS {
            let pdm = matches!(board.microphone, Microphone::Pdm { .. });
            assert!(!pdm || board.chip == Chip::Esp32S3, "{}", board.name);
        }
    }

    #[test]
    fn a_board_is_found_by_its_name_on_its_chip() {
        for board in &BOARDS {
            assert_eq!(find(board.name, board.chip), Ok(board));
        }
        assert!(find("virtual", Chip::Esp32S3).is_err());
        assert!(
            find("xiao_s3_sense", Chip::Esp32C6)
                .unwrap_err()
                .contains("another chip")
        );
    }
}
