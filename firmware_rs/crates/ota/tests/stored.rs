//! What is kept of updates beside the boot record, byte by byte: stored.hex, which the tools that show it read too
//! (tests/tools/test_usb_rust.py).
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

#[allow(dead_code, reason = "the flash and the releases of the power cuts")]
mod power;

use minerva_ota::flash::{Flash, Region, SECTOR, Slot};
use minerva_ota::gate::{Facts, Verdict};
use minerva_ota::keyset::KeySet;
use minerva_ota::manifest::Manifest;
use minerva_ota::slots::{Filling, Next, Slots};
use power::chip::Chip;
use power::world::{Fate, SLOT_BYTES, image, keyset, offer};

/// A device that runs a, with so many bytes of a release in b.
fn begun(bytes: usize) -> (Chip, Slots, Filling) {
    let mut chip = Chip::new(SLOT_BYTES, Slot::A, &image(0));
    let (mut slots, _) = Slots::start(&mut chip, Slot::A).unwrap();
    let offer = offer(7, Fate::Good, &[1], None);
    let text = offer.manifest.as_bytes();
    let manifest = Manifest::parse(text).unwrap();
    let mut filling = slots.begin(&mut chip, &manifest, text).unwrap();
    let end = bytes.min(offer.files.len());
    filling.write(&mut chip, &offer.files[..end]).unwrap();
    (chip, slots, filling)
}

#[test]
fn release_and_key_set_are_written_as_the_tools_read_them() {
    let (mut chip, mut slots, filling) = begun(9000);
    slots.checkpoint(&mut chip, &filling).unwrap();
    let keys = KeySet::parse(keyset(2, &[1, 2]).as_bytes()).unwrap();
    slots.set_keys(&mut chip, keys).unwrap();
    let mut lines = String::new();
    // The second copy of the release, which the checkpoint wrote; the first of the key set.
    for (name, sector, size) in [("release", 3, 92), ("keys", 4, 276)] {
        let mut bytes = vec![0; size];
        chip.read(Region::Records, sector * SECTOR, &mut bytes)
            .unwrap();
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        lines.push_str(&format!("{name} {hex}\n"));
    }
    assert_eq!(lines, include_str!("stored.hex"));
}

/// What `minerva device flash` does: an image into slot a, `otadata` erased, and boot record and release with it.
#[test]
fn a_firmware_by_usb_runs_once_what_was_recorded_is_forgotten() {
    let (mut chip, mut slots, filling) = begun(usize::MAX);
    assert_eq!(slots.install(&mut chip, filling, 1), Ok(Next::Restart));
    assert_eq!(chip.power_on(), Some(Slot::B));
    let (mut slots, _) = Slots::start(&mut chip, Slot::B).unwrap();
    let fine = Facts {
        welcomed: true,
        health_acked: true,
        microphone: Verdict::Passed,
        muted: false,
        uptime_ms: 1,
    };
    let order = slots.decide(&fine);
    assert_eq!(slots.carry_out(&mut chip, order, &fine), Ok(Next::Run));

    chip.put(Region::Slot(Slot::A), 0, &image(9));
    for at in [0, SECTOR] {
        chip.erase(Region::Select, at).unwrap();
    }
    let mut remembered = chip.clone();
    assert_eq!(remembered.power_on(), Some(Slot::A));
    let (_, next) = Slots::start(&mut remembered, Slot::A).unwrap();
    assert_eq!(next, Next::Restart, "else nothing need be forgotten");
    for sector in 0..4 {
        chip.erase(Region::Records, sector * SECTOR).unwrap();
    }
    assert_eq!(chip.power_on(), Some(Slot::A));
    let (slots, next) = Slots::start(&mut chip, Slot::A).unwrap();
    assert_eq!((next, slots.on_trial()), (Next::Run, false));
    assert_eq!(
        (slots.running_manifest(), slots.security_version()),
        (None, 0)
    );
}

/// Nothing older than the newest release that was seen is taken, whichever slot that one was for.
#[test]
fn a_lost_boot_record_does_not_lower_what_is_taken() {
    for running in [Slot::A, Slot::B] {
        let (mut chip, mut slots, filling) = begun(usize::MAX);
        slots.checkpoint(&mut chip, &filling).unwrap();
        for sector in 0..2 {
            chip.put(Region::Records, sector * SECTOR, &[0; 128]);
        }
        let (slots, _) = Slots::start(&mut chip, running).unwrap();
        assert_eq!(slots.security_version(), 7, "{running:?} runs");
        assert_eq!(slots.running_manifest().is_some(), running == Slot::B);
        let (_, kept, _) = slots.outcome().unwrap();
        assert!(!kept);
    }
}
