//! Finds the long runs of characters in which credentials are.
//!
//! Every token is at least seventeen such characters long. Blocks of text become masks with a bit for
//! each byte, in which a few shifts find long runs, so most of a file costs little.

/// The length of the shortest run that is examined: that of the shortest token, `xoxr-` and twelve
/// characters.
pub(super) const MIN_RUN: usize = 17;

/// Returns whether `byte` is part of a run.
pub(super) fn is_credential_byte(byte: u8) -> bool {
    // Comparisons, which the compiler turns into vector instructions. From `-` to `9` are `-./` and digits.
    (byte | 0x20).wrapping_sub(b'a') < 26
        || byte.wrapping_sub(b'-') <= b'9' - b'-'
        || matches!(byte, b'_' | b'+' | b'=' | b'~' | b'%')
}

/// The number of bytes of a block.
const BLOCK: usize = 64;

/// Returns a mask of the bytes of a block that are part of a run; the first byte is the lowest bit.
fn run_mask(block: &[u8; BLOCK]) -> u64 {
    // Moves the lowest bits of eight bytes into the highest byte.
    const GATHER: u64 = 0x0102_0408_1020_4080;
    let flags = block.map(|byte| u8::from(is_credential_byte(byte)));
    let (words, _) = flags.as_chunks::<8>();
    let bytes = words.iter().map(|word| u64::from_le_bytes(*word).wrapping_mul(GATHER) >> 56);
    bytes.rev().fold(0, |mask, byte| mask << 8 | byte)
}

/// Returns a mask of the bits of `mask` at which runs of at least [`MIN_RUN`] bits start, or continue.
fn long_run_starts(mask: u64) -> u64 {
    let sixteen = [1, 2, 4, 8].iter().fold(mask, |runs, shift| runs & runs >> shift);
    sixteen & mask >> (MIN_RUN - 1)
}

/// Calls `visit` with the start and end of every run of at least [`MIN_RUN`] characters of which a part is in
/// `bytes` from `from` until `to`. A run that starts before `from` is visited from there on.
pub(super) fn visit_credential_runs(
    bytes: &[u8],
    from: usize,
    to: usize,
    visit: &mut dyn FnMut(usize, usize),
) {
    let mut visit_long = |start: usize, end: usize| {
        if end - start >= MIN_RUN && start < to {
            visit(start, end);
        }
    };
    let (blocks, last) = bytes.get(from..).unwrap_or_default().as_chunks::<BLOCK>();
    let mut padded = [0; BLOCK];
    padded.iter_mut().zip(last).for_each(|(to, byte)| *to = *byte);
    // The length of the run before the block.
    let (mut at, mut length) = (from, 0);
    for block in blocks.iter().chain([&padded]) {
        if at - length >= to {
            return;
        }
        let mask = run_mask(block);
        if mask == u64::MAX {
            (at, length) = (at + BLOCK, length + BLOCK);
            continue;
        }
        visit_long(at - length, at + mask.trailing_ones() as usize);
        // The run at the end of the block may continue in the next one.
        length = mask.leading_ones() as usize;
        let mut inner = mask & u64::MAX >> length & u64::MAX << mask.trailing_ones();
        loop {
            let starts = long_run_starts(inner);
            if starts == 0 {
                break;
            }
            let start = starts.trailing_zeros();
            let end = start + (inner >> start).trailing_ones();
            visit_long(at + start as usize, at + end as usize);
            inner &= u64::MAX << end;
        }
        at += BLOCK;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn visited(bytes: &[u8], from: usize, to: usize) -> Vec<(usize, usize)> {
        let mut found = Vec::new();
        visit_credential_runs(bytes, from, to, &mut |start, end| found.push((start, end)));
        found
    }

    #[test]
    fn visits_long_runs() {
        let run = "a".repeat(20);
        for (text, expected) in [
            (format!(" {run} "), vec![(1, 21)]),
            (run.clone(), vec![(0, 20)]),
            (run[4..].to_owned(), vec![]),
            (format!("key={run}:{run}"), vec![(0, 24), (25, 45)]),
        ] {
            assert_eq!(visited(text.as_bytes(), 0, text.len()), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn visits_every_long_run(
            bytes in proptest::collection::vec(prop::sample::select(b"aaaaaaaaaaaaaaaaaaaaaaa=\\n ".to_vec()), 0..300),
        ) {
            let runs = bytes.split(|&byte| !is_credential_byte(byte));
            let expected = runs.filter(|run| run.len() >= MIN_RUN).count();
            prop_assert_eq!(visited(&bytes, 0, bytes.len()).len(), expected);
        }
    }
}
