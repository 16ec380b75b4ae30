//! tests/vectors/sounds.bin: patches, and the scores that LiteRT's reference kernels give them.

use minerva_sound::{BANDS, HOPS, LABELS, Network};

const VECTORS: &[u8] = include_bytes!("../../../../tests/vectors/sounds.bin");
const EACH: usize = HOPS * BANDS + LABELS.len();

#[test]
fn scores_equal_the_reference_to_the_bit() {
    assert_eq!(VECTORS.len() % EACH, 0);
    let mut network = Network::new();
    for (number, vector) in VECTORS.chunks_exact(EACH).enumerate() {
        let (rows, expected) = vector.split_at(HOPS * BANDS);
        let mut patch = [[0; BANDS]; HOPS];
        for (hop, row) in patch.iter_mut().zip(rows.chunks_exact(BANDS)) {
            hop.copy_from_slice(row);
        }
        let expected: Vec<i8> = expected.iter().map(|&byte| byte as i8).collect();
        assert_eq!(network.scores(&patch).to_vec(), expected, "vector {number}");
    }
    assert!(VECTORS.len() / EACH >= LABELS.len());
}

#[test]
fn the_first_vectors_are_the_labels_in_turn() {
    let mut network = Network::new();
    for (number, vector) in VECTORS.chunks_exact(EACH).take(LABELS.len()).enumerate() {
        let mut patch = [[0; BANDS]; HOPS];
        for (hop, row) in patch.iter_mut().zip(vector.chunks(BANDS)) {
            hop.copy_from_slice(row);
        }
        let scores = network.scores(&patch);
        let best = (0..LABELS.len()).max_by_key(|&label| scores[label]);
        assert_eq!(best, Some(number), "{}", LABELS[number]);
    }
}
