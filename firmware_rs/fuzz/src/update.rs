//! Releases, and what an update server answers.

use minerva_ota::Trouble;
use minerva_ota::ddi::{Deployment, Poll, read_cancel};
use minerva_ota::http::{Answer, Range};
use minerva_ota::keyset::{self, KeySet};
use minerva_ota::manifest::{Kind, MAX_FILES, Manifest};

const LIMIT: usize = 8192;

/// The first byte says what the rest is: a manifest and its signatures, split where a line holds `--`; an answer of
/// HTTP, the same whole and in pieces; or JSON of an update server.
pub fn update(data: &[u8]) {
    let Some((&what, data)) = data.split_first() else {
        return;
    };
    match what % 4 {
        0 => release(data),
        1 => answer(data, None, usize::from(what / 4) + 1),
        2 => answer(
            data,
            Some(Range {
                first: 2,
                last: 9,
                total: 100,
            }),
            usize::from(what / 4) + 1,
        ),
        _ => json(data),
    }
}

fn release(data: &[u8]) {
    let at = data
        .windows(4)
        .position(|four| four == b"\n--\n")
        .unwrap_or(data.len());
    let (manifest, signatures) = (&data[..at], data.get(at + 4..).unwrap_or_default());
    if let Ok(found) = Manifest::parse(manifest) {
        let files: Vec<_> = found.files().collect();
        assert!((1..=MAX_FILES).contains(&files.len()));
        assert!(found.kind == Kind::Application || files.len() == 1);
        let end = files.last().map(|(at, file)| at + file.size);
        assert_eq!(end, Some(found.total));
        assert!(found.boards().count() > 0 && found.keys().count() > 0);
    }
    if let Ok(set) = KeySet::parse(data) {
        let keys: Vec<_> = set.keys().map(|(_, key)| *key).collect();
        assert_eq!(
            KeySet::new(set.version(), set.threshold(), &keys),
            Some(set)
        );
    }
    let nobody = KeySet::new(1, 1, &[[7; 32]]).expect("a key set");
    let mut room = [0; keyset::MAX_BYTES];
    assert!(
        keyset::check(manifest, signatures, &nobody, &mut room).is_err(),
        "signed by nobody"
    );
}

fn heard(data: &[u8], wanted: Option<Range>, piece: usize) -> (Vec<u8>, bool, Option<Trouble>) {
    let mut answer = Answer::new(LIMIT, wanted);
    let mut body = Vec::new();
    for part in data.chunks(piece) {
        let mut rest = part;
        loop {
            match answer.feed(&mut rest) {
                Ok(Some(bytes)) => body.extend_from_slice(bytes),
                Ok(None) => break,
                Err(trouble) => return (body, answer.is_done(), Some(trouble)),
            }
        }
        assert!(rest.is_empty() || answer.is_done());
    }
    (body, answer.is_done(), None)
}

fn answer(data: &[u8], wanted: Option<Range>, piece: usize) {
    let whole = heard(data, wanted, usize::MAX);
    assert!(whole.0.len() <= if wanted.is_some() { 8 } else { LIMIT });
    assert!(wanted.is_none() || !whole.1 || whole.0.len() == 8);
    assert_eq!(heard(data, wanted, piece), whole);
}

fn json(data: &[u8]) {
    if let Ok(poll) = Poll::read(data) {
        assert!((30..=86400).contains(&poll.sleep_s));
        let paths = [
            poll.deployment.map(|(path, _)| path),
            poll.cancel,
            poll.config,
        ];
        assert!(paths.iter().flatten().all(|path| path.starts_with('/')));
    }
    if let Ok(found) = Deployment::read(data) {
        for artifact in [found.manifest, found.signature, found.files] {
            assert!(
                artifact.path.starts_with('/')
                    && artifact.path.bytes().all(|c| c.is_ascii_graphic())
            );
        }
    }
    let _ = read_cancel(data, "/cancelAction/1");
}
