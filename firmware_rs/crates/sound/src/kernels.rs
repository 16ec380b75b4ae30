//! The network's operators in integers, as LiteRT's reference kernels define them.

/// A convolution whose input stands for nothing at -128.
pub(crate) struct Layer {
    /// Whether each channel has a kernel of its own and sees only itself.
    pub depth: bool,
    /// Height and width of the kernel.
    pub kernel: (usize, usize),
    /// Of both directions.
    pub stride: usize,
    /// Whether the output covers the whole input, with nothing around it.
    pub same: bool,
    /// Channels that come in.
    pub inputs: usize,
    /// Channels that go out.
    pub outputs: usize,
    /// What zero is in the output.
    pub zero: i32,
    /// i8 as bytes: (outputs, height, width, inputs), or (height, width, outputs) where `depth`.
    pub weights: &'static [u8],
    /// For each output.
    pub bias: &'static [i32],
    /// A sum times this, over 2^31, ...
    pub multiplier: &'static [i32],
    /// ... times two to the power of this.
    pub shift: &'static [i8],
}

const OFFSET: i32 = 128;

/// A layer over an input of that height and width; -> those of the output.
pub(crate) fn convolve(
    layer: &Layer,
    input: &[i8],
    height: usize,
    width: usize,
    output: &mut [i8],
) -> (usize, usize) {
    let (rows, top) = extent(height, layer.kernel.0, layer.stride, layer.same);
    let (columns, left) = extent(width, layer.kernel.1, layer.stride, layer.same);
    let places = (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column)));
    for ((row, column), pixel) in places.zip(output.chunks_exact_mut(layer.outputs)) {
        for (channel, value) in pixel.iter_mut().enumerate() {
            let mut sum = layer.bias[channel];
            for down in 0..layer.kernel.0 {
                let Some(y) = inside(row * layer.stride + down, top, height) else {
                    continue;
                };
                for across in 0..layer.kernel.1 {
                    let Some(x) = inside(column * layer.stride + across, left, width) else {
                        continue;
                    };
                    let from = (y * width + x) * layer.inputs;
                    let tap = down * layer.kernel.1 + across;
                    if layer.depth {
                        let weight = layer.weights[tap * layer.outputs + channel] as i8;
                        sum += (i32::from(input[from + channel]) + OFFSET) * i32::from(weight);
                    } else {
                        let taps = layer.kernel.0 * layer.kernel.1;
                        let at = (channel * taps + tap) * layer.inputs;
                        let weights = &layer.weights[at..at + layer.inputs];
                        sum += product(&input[from..from + layer.inputs], weights);
                    }
                }
            }
            let scaled = scaled(sum, layer.multiplier[channel], layer.shift[channel]);
            *value = (scaled + layer.zero).clamp(-128, 127) as i8;
        }
    }
    (rows, columns)
}

/// The mean of each column's and channel's values over all rows, rounded half away from zero.
pub(crate) fn mean_of_rows(input: &[i8], rows: usize, output: &mut [i8]) {
    let count = rows as i32;
    let step = output.len();
    for (at, value) in output.iter_mut().enumerate() {
        let column = input.iter().skip(at).step_by(step).take(rows);
        let sum: i32 = column.map(|&one| i32::from(one)).sum();
        let half = if sum > 0 { count / 2 } else { -(count / 2) };
        *value = ((sum + half) / count) as i8;
    }
}

fn product(values: &[i8], weights: &[u8]) -> i32 {
    let pairs = values.iter().zip(weights);
    pairs
        .map(|(&value, &weight)| (i32::from(value) + OFFSET) * i32::from(weight as i8))
        .sum()
}

/// How many outputs there are along one direction, and how much of the first kernel is before the input.
fn extent(size: usize, kernel: usize, stride: usize, same: bool) -> (usize, usize) {
    if !same {
        return ((size - kernel) / stride + 1, 0);
    }
    let count = size.div_ceil(stride);
    (
        count,
        ((count - 1) * stride + kernel).saturating_sub(size) / 2,
    )
}

fn inside(at: usize, before: usize, size: usize) -> Option<usize> {
    at.checked_sub(before).filter(|&at| at < size)
}

/// `sum` times a factor that is given as a fraction of 2^31 and a power of two, rounded twice.
fn scaled(sum: i32, multiplier: i32, shift: i8) -> i32 {
    let left = u32::from(shift.max(0) as u8);
    let right = u32::from(shift.min(0).unsigned_abs());
    let product = i64::from(sum << left) * i64::from(multiplier);
    let nudge = if product >= 0 { 1 << 30 } else { 1 - (1 << 30) };
    let high = ((product + nudge) / (1 << 31)) as i32;
    let mask = (1 << right) - 1;
    let over = high & mask;
    (high >> right) + i32::from(over > (mask >> 1) + i32::from(high < 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scaling_rounds_halves_away_from_zero() {
        let half = 1 << 30;
        for (sum, shift, expected) in [
            (10, 0, 5),
            (3, 0, 2),
            (-3, 0, -1), // the first rounding goes up from half, as in the reference
            (5, 1, 5),
            (6, -1, 2),
            (-6, -1, -2),
            (1000, -3, 63),
        ] {
            assert_eq!(scaled(sum, half, shift), expected, "{sum} {shift}");
        }
    }

    #[test]
    fn padding_is_as_tensorflow_has_it() {
        assert_eq!(extent(96, 4, 4, true), (24, 0));
        assert_eq!(extent(24, 3, 2, true), (12, 0));
        assert_eq!(extent(12, 3, 1, true), (12, 1));
        assert_eq!(extent(9, 3, 2, true), (5, 1));
        assert_eq!(extent(4, 4, 1, false), (1, 0));
    }
}
