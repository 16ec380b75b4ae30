//! The rest of a device's world: releases that somebody signed, a server that offers them, a hub that is there or not.

use ed25519_dalek::{Signer, SigningKey};
use minerva_ota::flash::Slot;
use minerva_ota::gate::{Facts, Order, TRIAL_MS, Verdict};
use minerva_ota::keyset::{self, KeySet};
use minerva_ota::manifest::{Target, Variant};
use minerva_ota::sign::{KEYSET_DOMAIN, MANIFEST_DOMAIN, key_id, sha256, signed_text};
use minerva_ota::slots::{self, CHECKPOINT, Next, Slots};

use super::chip::Chip;

/// Bytes of a slot.
pub const SLOT_BYTES: usize = 96 * 1024;
const IMAGE_BYTES: usize = 75_003; // neither sectors nor pages nor words

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn key(n: u8) -> SigningKey {
    SigningKey::from_bytes(&[n; 32])
}

fn signatures(keys: &[u8], message: &[u8]) -> String {
    let each = keys.iter().map(|n| {
        let (id, signature) = (
            key_id(key(*n).verifying_key().as_bytes()),
            key(*n).sign(message),
        );
        format!("[\"{}\",\"{}\"]", hex(&id), hex(&signature.to_bytes()))
    });
    format!("[{}]", each.collect::<Vec<_>>().join(","))
}

/// The text of a key set.
pub fn keyset(version: u32, keys: &[u8]) -> String {
    let all = keys
        .iter()
        .map(|n| format!("\"{}\"", hex(key(*n).verifying_key().as_bytes())));
    let all = all.collect::<Vec<_>>().join(",");
    format!(
        "{{\"format\":1,\"version\":{version},\"threshold\":{},\"keys\":[{all}]}}",
        keys.len()
    )
}

/// A firmware: it says how long it is and what it is, and carries a checksum for the bootloader.
pub fn image(version: u8) -> Vec<u8> {
    let mut out = b"IMG!".to_vec();
    out.extend(u32::try_from(IMAGE_BYTES).unwrap().to_le_bytes());
    out.push(version);
    let mut x = u32::from(version) + 1;
    while out.len() < IMAGE_BYTES - 32 {
        x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        out.push(u8::try_from(x >> 24).unwrap());
    }
    let sum = sha256(&out);
    out.extend(sum);
    out
}

/// What becomes of a release on trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// All is well.
    Good,
    /// Its microphone gives nothing.
    Deaf,
    /// It never reaches the hub, where others do.
    Lonely,
    /// It crashes at once.
    Crashes,
    /// The hub is away: neither this nor the one before reaches it, until the trial is over.
    Outage,
    /// What comes of it first is damaged.
    Damaged,
}

/// One release at the server.
#[derive(Clone)]
pub struct Offer {
    /// Its version.
    pub version: u8,
    /// What becomes of it.
    pub fate: Fate,
    /// Its manifest.json.
    pub manifest: String,
    /// Its manifest.sig.
    pub sig: String,
    /// Its image.
    pub files: Vec<u8>,
}

/// A release signed by `keys`, with a rotation (the text of the key set, those who sign it) where there is one.
pub fn offer(version: u8, fate: Fate, keys: &[u8], rotation: Option<(&str, &[u8])>) -> Offer {
    let files = image(version);
    let named = keys
        .iter()
        .map(|n| format!("\"{}\"", hex(&key_id(key(*n).verifying_key().as_bytes()))));
    let manifest = format!(
        "{{\"format\":1,\"name\":\"minerva\",\"version\":\"0.{version}\",\"security_version\":{version},\"kind\":\"image\",\
         \"variant\":\"rust\",\"boards\":[\"devkitc6_inmp441\"],\"abi\":\"esp32c6\",\"created\":1,\"expires\":2,\
         \"keys\":[{}],\"files\":[[\"firmware.bin\",{},\"{}\"]]}}",
        named.collect::<Vec<_>>().join(","),
        files.len(),
        hex(&sha256(&files)),
    );
    let rotation = rotation.map_or(String::new(), |(text, keys)| {
        let signed = signatures(keys, &signed_text(KEYSET_DOMAIN, text.as_bytes()));
        format!(
            "{{\"keyset\":\"{}\",\"signatures\":{signed}}}",
            text.replace('"', "\\\"")
        )
    });
    let sig = format!(
        "{{\"format\":1,\"signatures\":{},\"keysets\":[{rotation}]}}",
        signatures(keys, &signed_text(MANIFEST_DOMAIN, manifest.as_bytes()))
    );
    Offer {
        version,
        fate,
        manifest,
        sig,
        files,
    }
}

/// The server and the hub.
#[derive(Clone)]
pub struct World {
    offers: Vec<Offer>,
    given: String,
    /// What became of each offer, as the server was told.
    pub told: Vec<bool>,
    /// Starts without a hub so far.
    outage: u8,
    damaged: u8,
    /// How often something ran that no server offered, or that was not whole.
    pub unverified: usize,
}

impl World {
    /// A server with `offers`, of which one follows the other; the device trusts key 1.
    pub fn new(offers: Vec<Offer>) -> Self {
        Self {
            offers,
            given: keyset(1, &[1]),
            told: Vec::new(),
            outage: 0,
            damaged: 0,
            unverified: 0,
        }
    }

    fn fate(&self, version: u8) -> Fate {
        self.offers
            .iter()
            .find(|offer| offer.version == version)
            .map_or(Fate::Good, |offer| offer.fate)
    }

    /// The version that is to run in the end: the last good one.
    pub fn goal(&self) -> u8 {
        let stays = |offer: &&Offer| matches!(offer.fate, Fate::Good | Fate::Damaged);
        self.offers
            .iter()
            .rfind(stays)
            .map_or(0, |offer| offer.version)
    }

    /// Whether the server was told of each offer, and rightly.
    pub fn is_done(&self) -> bool {
        let right = |(offer, stays): (&Offer, &bool)| {
            *stays == matches!(offer.fate, Fate::Good | Fate::Damaged)
        };
        self.told.len() == self.offers.len() && self.offers.iter().zip(&self.told).all(right)
    }

    fn facts(&mut self, version: u8, on_trial: bool) -> Facts {
        let fate = self.fate(version);
        let due = self
            .offers
            .get(self.told.len())
            .is_some_and(|offer| offer.fate == Fate::Outage);
        // The hub goes away when the release runs first, and is back after all its turns.
        let away = due && self.outage < 8 && (self.outage > 0 || on_trial);
        self.outage += u8::from(away);
        let lonely = away || (fate == Fate::Lonely && on_trial);
        Facts {
            welcomed: !lonely,
            health_acked: !lonely,
            microphone: if fate == Fate::Deaf {
                Verdict::Failed
            } else {
                Verdict::Passed
            },
            muted: false,
            uptime_ms: TRIAL_MS,
        }
    }

    /// One session, from the bootloader's start to a restart or to where nothing is left to do (then true).
    pub fn session(&mut self, chip: &mut Chip, running: Slot) -> Option<bool> {
        let version = chip.image(running).map_or(u8::MAX, |image| image[8]);
        let known = version == 0 || self.offers.iter().any(|offer| offer.version == version);
        if !known || chip.image(running) != Some(&image(version)) {
            self.unverified += 1;
        }
        let (mut slots, next) = Slots::start(chip, running).ok()?;
        if next == Next::Restart {
            return Some(false);
        }
        if slots.on_trial() && self.fate(version) == Fate::Crashes {
            return Some(false);
        }
        let facts = self.facts(version, slots.on_trial());
        let order = slots.decide(&facts);
        if slots.carry_out(chip, order, &facts).ok()? == Next::Restart {
            return Some(false);
        }
        assert!(!slots.on_trial() || order == Order::Wait, "{order:?}");
        if let Some((action, stays, _)) = slots.outcome() {
            // The server hears of an action once, as its number says; a lost record knows no number.
            if usize::try_from(action) == Ok(self.told.len() + 1) {
                self.told.push(stays);
            }
            slots.reported(chip).ok()?;
        }
        if slots.on_trial() || !facts.welcomed {
            return Some(false);
        }
        self.update(chip, &mut slots)
    }

    fn update(&mut self, chip: &mut Chip, slots: &mut Slots) -> Option<bool> {
        let Some(offer) = self.offers.get(self.told.len()).cloned() else {
            return Some(true);
        };
        if slots.running_manifest() == Some(sha256(offer.manifest.as_bytes())) {
            self.told.push(true);
            return Some(false);
        }
        let given = KeySet::parse(self.given.as_bytes()).unwrap();
        let target = Target {
            variant: Variant::Rust,
            board: "devkitc6_inmp441",
            abi: "esp32c6",
            security_version: slots.security_version(),
            utc_s: None,
        };
        let bytes = offer.manifest.as_bytes();
        let mut room = [0; keyset::MAX_BYTES];
        let manifest = slots::accept(
            slots,
            chip,
            &given,
            &target,
            bytes,
            offer.sig.as_bytes(),
            &mut room,
        )
        .ok()?;
        let mut filling = slots.begin(chip, &manifest, bytes).ok()?;
        while filling.restore(chip).ok()? {}
        while !filling.is_done() {
            let at = usize::try_from(filling.got()).unwrap();
            let end = offer
                .files
                .len()
                .min(at + usize::try_from(CHECKPOINT).unwrap() / 4);
            let mut piece = offer.files[at..end].to_vec();
            if offer.fate == Fate::Damaged && self.damaged < 2 && end == offer.files.len() {
                self.damaged += 1;
                piece[0] ^= 1;
            }
            for part in piece.chunks(700) {
                if filling.write(chip, part).is_err() {
                    break;
                }
            }
            slots.checkpoint(chip, &filling).ok()?;
        }
        let action = u64::try_from(self.told.len()).unwrap() + 1;
        slots.install(chip, filling, action).ok().map(|_| false)
    }
}
