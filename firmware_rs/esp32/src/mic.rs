//! The microphone: I2S or PDM by DMA, into a buffer that bridges a quarter of a second and more.

use esp_hal::Blocking;
use esp_hal::dma::DmaRxStreamBuf;
use esp_hal::i2s::master::{Channels, DataFormat, I2s, I2sRx, I2sRxDmaTransfer, TdmConfig};
#[cfg(feature = "esp32s3")]
use esp_hal::i2s::master::{PdmConfig, PdmRxConfig, PdmSlotMode};
use esp_hal::peripherals::{DMA_CH0, I2S0};
use esp_hal::time::Rate;
use minerva_board::boards;
use minerva_board::selftest::{SelfTest, Verdict};
use minerva_device::ports::{Captured, Microphone, MicrophoneError};

use crate::chip;

const RATE_HZ: u32 = 16_000;
/// What an INMP441 gives in its first quarter of a second is its own settling, not sound.
const SETTLE_MS: u32 = 250;
/// 10 ms of 32-bit slots: what comes from the DMA at a time.
const CHUNK: usize = 640;
/// 320 ms of 32-bit slots.
const DMA_BYTES: usize = 32 * CHUNK;
const PIECE: usize = 512;

type Transfer = I2sRxDmaTransfer<'static, Blocking, DmaRxStreamBuf>;

/// The board's microphone; off until it is started.
pub struct Mic {
    wiring: boards::Microphone,
    i2s: I2S0<'static>,
    dma: DMA_CH0<'static>,
    /// Here while nothing runs.
    buffer: Option<DmaRxStreamBuf>,
    transfer: Option<Transfer>,
    settling: usize,
    self_test: SelfTest,
}

impl Mic {
    /// To be called once: the DMA's buffer is there once.
    pub fn new(wiring: boards::Microphone, i2s: I2S0<'static>, dma: DMA_CH0<'static>) -> Self {
        Self {
            wiring,
            i2s,
            dma,
            buffer: Some(esp_hal::dma_rx_stream_buffer!(DMA_BYTES, CHUNK)),
            transfer: None,
            settling: 0,
            self_test: SelfTest::default(),
        }
    }

    /// Whether there is a microphone at all.
    pub const fn verdict(&self) -> Verdict {
        self.self_test.verdict()
    }

    /// Bytes of a slot in the DMA's buffer.
    const fn slot_bytes(&self) -> usize {
        match self.wiring {
            boards::Microphone::I2s { .. } => 4,
            boards::Microphone::Pdm { .. } => 2,
        }
    }

    /// The receiver of a peripheral that is set up anew.
    fn receiver(&self) -> Result<I2sRx<'static, Blocking>, MicrophoneError> {
        // SAFETY: `self` owns both, and the driver that had them before is gone: it is in `self.transfer`, which is
        // None here. The drivers of esp-hal take what they drive, and gate its clock when they are dropped; to set
        // them up for each start is what makes a mute switch the peripheral off.
        #[allow(unsafe_code)]
        let (i2s, dma) = unsafe { (self.i2s.clone_unchecked(), self.dma.clone_unchecked()) };
        match self.wiring {
            boards::Microphone::I2s { sck, ws, sd } => {
                let config = TdmConfig::new_tdm_philips()
                    .with_sample_rate(Rate::from_hz(RATE_HZ))
                    .with_data_format(DataFormat::Data32Channel32)
                    .with_channels(Channels::LEFT);
                let i2s = I2s::new(i2s, dma, config)
                    .map_err(|_| MicrophoneError("I2S refuses its settings"))?;
                Ok(i2s
                    .i2s_rx
                    .with_bclk(chip::pin(sck))
                    .with_ws(chip::pin(ws))
                    .with_din(chip::pin(sd))
                    .build())
            }
            #[cfg(feature = "esp32s3")]
            boards::Microphone::Pdm { clk, data } => {
                let config =
                    PdmRxConfig::new_pcm_default(Rate::from_hz(RATE_HZ), PdmSlotMode::Mono);
                let i2s = I2s::new_pdm(i2s, dma, PdmConfig::rx_only(config))
                    .map_err(|_| MicrophoneError("I2S refuses its settings for PDM"))?;
                Ok(i2s
                    .i2s_rx
                    .with_clk(chip::pin(clk))
                    .with_din(chip::pin(data))
                    .build())
            }
            #[cfg(not(feature = "esp32s3"))]
            boards::Microphone::Pdm { .. } => {
                Err(MicrophoneError("this chip does not turn PDM into samples"))
            }
        }
    }
}

impl Microphone for Mic {
    fn start(&mut self) -> Result<u32, MicrophoneError> {
        self.stop();
        let Some(buffer) = self.buffer.take() else {
            return Err(MicrophoneError("the DMA's buffer was lost"));
        };
        let receiver = match self.receiver() {
            Ok(receiver) => receiver,
            Err(error) => {
                self.buffer = Some(buffer);
                return Err(error);
            }
        };
        match receiver.read(buffer) {
            Ok(transfer) => self.transfer = Some(transfer),
            Err((_, _, buffer)) => {
                self.buffer = Some(buffer);
                return Err(MicrophoneError("the DMA refuses to read"));
            }
        }
        self.settling = (RATE_HZ * SETTLE_MS / 1000) as usize;
        Ok(SETTLE_MS)
    }

    /// The peripheral's clock is gated: none reaches the microphone. What the DMA had captured is wiped.
    fn stop(&mut self) {
        if let Some(transfer) = self.transfer.take() {
            let (receiver, buffer) = transfer.stop();
            drop(receiver);
            let (descriptors, mut bytes) = buffer.split();
            bytes.fill(0);
            self.buffer = DmaRxStreamBuf::new(descriptors, bytes).ok();
        }
        self.settling = 0;
    }

    fn read(&mut self, slots: &mut [i32]) -> Result<Captured, MicrophoneError> {
        let slot_bytes = self.slot_bytes();
        let Some(transfer) = &mut self.transfer else {
            return Err(MicrophoneError("it is not on"));
        };
        // With every descriptor full the DMA has stopped for good.
        if transfer.available_bytes() >= DMA_BYTES {
            return Err(MicrophoneError("the DMA's buffer ran over"));
        }
        let mut bytes = [0; PIECE];
        while self.settling > 0 {
            let size = PIECE.min(self.settling * slot_bytes);
            let got = transfer.pop(&mut bytes[..size]);
            self.settling -= got / slot_bytes;
            if got < size {
                return Ok(Captured {
                    slots: 0,
                    caught_up: true,
                });
            }
        }
        let mut filled = 0;
        let mut caught_up = false;
        while filled < slots.len() && !caught_up {
            let size = PIECE.min((slots.len() - filled) * slot_bytes);
            let got = transfer.pop(&mut bytes[..size]);
            let heard = bytes[..got].chunks_exact(slot_bytes).map(slot);
            for (to, slot) in slots[filled..].iter_mut().zip(heard) {
                *to = slot;
            }
            filled += got / slot_bytes;
            caught_up = got < size;
        }
        self.self_test.heard(&slots[..filled]);
        Ok(Captured {
            slots: filled,
            caught_up,
        })
    }
}

/// A slot of two or four bytes, left-justified in 32 bits.
fn slot(bytes: &[u8]) -> i32 {
    match *bytes {
        [a, b, c, d] => i32::from_le_bytes([a, b, c, d]),
        [a, b] => i32::from_le_bytes([0, 0, a, b]),
        _ => 0,
    }
}
