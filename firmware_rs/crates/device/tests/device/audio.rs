//! From the room to the hub: every sample, the gate, resends, and microphones and hubs that fail.

use minerva_dsp::adpcm;
use minerva_dsp::condition::Conditioner;
use minerva_dsp::mel64::Mel64;
use minerva_wire::control::{Config, FromHub};
use minerva_wire::media::{BEGINS, ENDS, Header, Kind, duration_ms};

use crate::world::{OnHello, Start, World, welcome};

const PCM: Config = Config {
    mode: None,
    kind: Some(Kind::PcmS16le),
    frames: None,
};

fn samples(kind: Kind, payload: &[u8]) -> Vec<i16> {
    if kind == Kind::PcmS16le {
        return payload
            .chunks(2)
            .map(|pair| i16::from_le_bytes([pair[0], pair[1]]))
            .collect();
    }
    let mut state = adpcm::State {
        predictor: i16::from_le_bytes([payload[0], payload[1]]),
        index: payload[2],
    };
    let mut out = vec![0; (payload.len() - 4) * 2];
    adpcm::decode(&mut state, &payload[4..], &mut out);
    out
}

/// Packets are numbered without a step, and follow each other in time but where one BEGINS.
fn assert_contiguous(packets: &[(Header, &[u8])]) {
    for pair in packets.windows(2) {
        let [(a, _), (b, _)] = pair else {
            unreachable!()
        };
        assert_eq!(b.seq, a.seq.wrapping_add(1));
        if b.flags & BEGINS == 0 {
            assert_eq!(
                b.time_ms,
                a.time_ms.wrapping_add(duration_ms(a.kind, a.frames)),
                "{a:?} {b:?}"
            );
            assert_eq!(a.flags & ENDS, 0);
        }
    }
}

#[test]
fn full_mode_delivers_every_sample_as_it_was() {
    for kind in [Kind::PcmS16le, Kind::ImaAdpcm] {
        let mut world = World::new(Start::default());
        world.hub.on_hello = OnHello::Welcome(minerva_wire::control::Welcome {
            kind,
            ..welcome("full")
        });
        world.microphone.room.sounds = vec![(1000, 4000, 5000)];
        world.run(5000);
        let packets: Vec<_> = world
            .hub
            .packets()
            .into_iter()
            .skip_while(|(header, _)| header.kind != kind)
            .collect();
        assert_contiguous(&packets);
        // The room begins at 250 ms of device time, when the microphone has settled.
        let first_ms = u64::from(packets[0].0.time_ms);
        assert_eq!(world.microphone.given[0].0, 250 * 16);
        let mut conditioner = Conditioner::new(0.0);
        let slots: Vec<i32> = world
            .microphone
            .given
            .iter()
            .map(|(_, slot)| *slot)
            .collect();
        let mut heard = vec![0; slots.len()];
        conditioner.process(&slots, &mut heard);
        let skipped = (first_ms as usize - 250) * 16;
        let sent: Vec<i16> = packets
            .iter()
            .flat_map(|(header, payload)| samples(header.kind, payload))
            .collect();
        let heard = &heard[skipped..skipped + sent.len()];
        assert!(sent.len() > 4 * 16_000);
        if kind == Kind::PcmS16le {
            assert_eq!(sent, heard);
        } else {
            let error: i64 = sent
                .iter()
                .zip(heard)
                .map(|(a, b)| (i64::from(*a) - i64::from(*b)).pow(2))
                .sum();
            let power: i64 = heard.iter().map(|b| i64::from(*b).pow(2)).sum();
            assert!(
                error * 8 < power,
                "9 dB at least on white noise: {error} of {power}"
            );
        }
    }
}

#[test]
fn features_are_those_of_the_sound_at_their_time() {
    let mut world = World::new(Start {
        ceiling: "features",
        ..Start::default()
    });
    world.microphone.room.sounds = vec![(1000, 1003, 20_000), (2000, 4000, 5000)];
    world.run(5000);
    let slots: Vec<i32> = world
        .microphone
        .given
        .iter()
        .map(|(_, slot)| *slot)
        .collect();
    let mut heard = vec![0; slots.len()];
    Conditioner::new(0.0).process(&slots, &mut heard);
    let mut want = Vec::new();
    Mel64::new().push(&heard, &mut |hop: &[u8; 64]| want.push(*hop));
    let mut compared = 0;
    for (header, payload) in world.hub.packets() {
        let first = (header.time_ms as usize - 250) / 10;
        for (n, hop) in payload.chunks(64).enumerate() {
            assert_eq!(hop, want[first + n], "at {} ms", header.time_ms);
            compared += 1;
        }
    }
    assert!(compared > 400);
}

#[test]
fn speech_mode_sends_the_pre_roll_the_sound_and_its_end() {
    let mut world = World::in_mode("speech");
    world.microphone.room.sounds = vec![(5000, 6000, 6000), (15_000, 16_000, 6000)];
    world.run(25_000);
    let packets = world.hub.packets();
    assert_contiguous(&packets);
    let begins: Vec<u64> = packets
        .iter()
        .filter(|(header, _)| header.flags & BEGINS != 0)
        .map(|(header, _)| header.time_ms.into())
        .collect();
    let ends: Vec<u64> = packets
        .iter()
        .filter(|(header, _)| header.flags & ENDS != 0)
        .map(|(header, _)| header.time_ms.into())
        .collect();
    assert_eq!((begins.len(), ends.len()), (2, 2), "{begins:?} {ends:?}");
    for (at_ms, (begin, end)) in [5000, 15_000].into_iter().zip(begins.iter().zip(&ends)) {
        assert!(
            (at_ms - 540..=at_ms - 400).contains(begin),
            "480 ms of pre-roll: {begin}"
        );
        assert!(
            (at_ms + 1900..at_ms + 3300).contains(end),
            "held after its end: {end}"
        );
    }
    assert_eq!(world.hub.last("health")["drops"]["overwritten"], 0);
}

#[test]
fn kind_and_frames_change_between_packets() {
    let mut world = World::in_mode("full");
    world.run(2000);
    for (kind, frames) in [
        (Kind::PcmS16le, 3),
        (Kind::PcmS16le, 10),
        (Kind::ImaAdpcm, 1),
        (Kind::ImaAdpcm, 7),
    ] {
        world.hub.order(&FromHub::Config(Config {
            kind: Some(kind),
            frames: Some(frames),
            ..Config::default()
        }));
        world.run(1000);
        let last = world.hub.packets().last().unwrap().0;
        assert_eq!((last.kind, last.frames), (kind, frames));
    }
    assert_contiguous(&world.hub.packets());
    assert_eq!(
        world
            .hub
            .packets()
            .iter()
            .filter(|(header, _)| header.flags != 0)
            .count(),
        1
    );
}

#[test]
fn a_small_ring_gets_fewer_frames_of_pcm() {
    let mut world = World::new(Start {
        ring_bytes: 16_384,
        ..Start::default()
    });
    world.run(1000);
    world.hub.order(&FromHub::Config(Config {
        frames: Some(10),
        ..PCM
    }));
    world.run(1000);
    assert_eq!(world.hub.packets().last().unwrap().0.frames, 3);
}

#[test]
fn a_broken_connection_loses_and_repeats_nothing() {
    let mut world = World::in_mode("full");
    world.run(3000);
    world.hub.cut();
    let settled = world.hub.packets().last().unwrap().0.seq;
    world.hub.resume_from(Some(settled));
    world.run(4000);
    let packets = world.hub.packets();
    assert_contiguous(&packets);
    assert!(packets.last().unwrap().0.seq > settled + 50);
    assert_eq!(world.hub.last("health")["drops"]["overwritten"], 0);
}

#[test]
fn what_the_hub_has_not_settled_is_sent_again_oldest_first() {
    let mut world = World::in_mode("full");
    world.run(3000);
    for (resume, first) in [
        (Some(20), 21),
        (Some(0), 1),
        (None, 0),
        (Some(2_000_000_000), 0), // never used: as None
    ] {
        world.hub.cut();
        world.hub.resume_from(resume);
        let mark = world.hub.packets().len();
        world.run(2500); // the pause grows each time
        let packets = &world.hub.packets()[mark..];
        assert_contiguous(packets);
        assert_eq!(packets[0].0.seq, first, "{resume:?}");
    }
}

#[test]
fn what_the_ring_could_not_keep_is_counted_and_the_rest_is_in_order() {
    let mut world = World::new(Start {
        ring_bytes: 8192,
        ..Start::default()
    });
    world.run(2000);
    world.hub.takes = 0;
    world.run(5000);
    world.hub.takes = usize::MAX;
    world.run(12_000);
    let packets = world.hub.packets();
    let lost: u64 = packets
        .windows(2)
        .map(|pair| u64::from(pair[1].0.seq - pair[0].0.seq - 1))
        .sum();
    assert!(lost > 60, "{lost}");
    assert_eq!(world.hub.last("health")["drops"]["overwritten"], lost);
}

#[test]
fn time_and_numbers_wrap() {
    for wrap in [1_u64 << 30, 1 << 32, 1 << 33] {
        let mut world = World::new(Start {
            now_ms: wrap - 3000,
            ..Start::default()
        });
        world.run(6000);
        let packets = world.hub.packets();
        assert_contiguous(&packets);
        assert!(packets.len() > 80);
        let times: Vec<u64> = world
            .hub
            .texts("level")
            .iter()
            .map(|level| level["time_ms"].as_u64().unwrap())
            .collect();
        assert!(
            times
                .windows(2)
                .all(|pair| pair[1] > pair[0] && pair[1] - pair[0] < 400)
        );
        assert!(times[0] < wrap && *times.last().unwrap() > wrap);
        assert_eq!(world.hub.last("health")["drops"]["discontinuities"], 0);
    }
}

#[test]
fn a_microphone_that_clips_breaks_nothing() {
    let mut world = World::in_mode("full");
    world.microphone.room.clips = true;
    world.hub.order(&FromHub::Config(PCM));
    world.run(5000);
    assert_contiguous(&world.hub.packets());
    let level = world.hub.last("level");
    assert!(
        level["peak_db"].as_f64().unwrap() > -0.1 && level["rms_db"].as_f64().unwrap() > -2.0,
        "{level}"
    );
}

#[test]
fn a_silent_microphone_is_started_anew_and_counted() {
    let mut world = World::in_mode("full");
    world.run(2000);
    world.microphone.silent = true;
    world.run(11_500);
    assert!(world.noted("microphone gave nothing for 5 s: started anew"));
    world.microphone.silent = false;
    world.run(10_000);
    assert_eq!(world.hub.last("health")["drops"]["mic_restarts"], 2);
    assert_eq!(world.microphone.starts.len(), 3);
    let packets = world.hub.packets();
    assert_contiguous(&packets);
    assert_eq!(
        packets
            .iter()
            .filter(|(header, _)| header.flags & BEGINS != 0)
            .count(),
        2
    );
}

#[test]
fn a_microphone_that_fails_is_tried_again_with_patience() {
    let mut world = World::in_mode("full");
    world.microphone.refuses = 4;
    world.run(3000);
    assert!(world.noted("microphone: I2S is taken"));
    assert!(world.microphone.starts.is_empty() && world.device.online());
    world.run(5000);
    assert_eq!(world.microphone.starts.len(), 1);
    world.microphone.breaks = 1;
    world.run(12_000);
    assert!(world.noted("microphone: I2S overran"));
    assert_eq!(world.microphone.starts.len(), 2);
    assert_eq!(world.hub.last("health")["drops"]["mic_restarts"], 5);
    assert_contiguous(&world.hub.packets());
}

#[test]
fn a_stall_longer_than_the_microphones_buffer_is_one_discontinuity() {
    let mut world = World::in_mode("full");
    world.run(3000);
    world.time.set(world.now() + 700);
    world.run(8000);
    let packets = world.hub.packets();
    assert_contiguous(&packets);
    assert_eq!(world.hub.last("health")["drops"]["discontinuities"], 1);
    let again: Vec<_> = packets
        .iter()
        .filter(|(header, _)| header.flags & BEGINS != 0)
        .collect();
    assert_eq!(again.len(), 2);
    // Its time is that of its samples: near the end of the stall.
    let begun_ms = again[1].0.time_ms;
    assert!((3400..4100).contains(&begun_ms), "{begun_ms}");
}

#[test]
fn levels_are_those_of_the_room() {
    let mut world = World::in_mode("events");
    world.microphone.room.sounds = vec![(2000, 10_000, 3276)];
    world.run(6000);
    // Uniform noise of amplitude a has an RMS of a / sqrt(3).
    let want_db = 20.0 * (0.1_f64 / 3.0_f64.sqrt()).log10();
    let level = world.hub.last("level");
    assert!(
        (level["rms_db"].as_f64().unwrap() - want_db).abs() < 1.0,
        "{level} {want_db}"
    );
    assert!(
        (level["peak_db"].as_f64().unwrap() + 20.0).abs() < 1.0,
        "{level}"
    );
}
