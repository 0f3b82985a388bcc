//! Finds the long runs of characters in which credentials are.
//!
//! Every token is at least seventeen such characters long. A program has few runs of that length,
//! so testing one byte in seventeen rules out most of it, which makes scanning cheap.

/// The length of the shortest run that is examined: that of the shortest token, `xoxr-` and twelve
/// characters.
pub(super) const MIN_RUN: usize = 17;

/// For each byte, whether it is part of a run.
const CREDENTIAL_BYTES: [bool; 256] = credential_bytes();

const fn credential_bytes() -> [bool; 256] {
    let mut bytes = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        #[allow(clippy::cast_possible_truncation, reason = "it is less than 256")]
        let is_credential_byte = matches!(
            byte as u8,
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'_' | b'-' | b'+' | b'/' | b'=' | b'.' | b'~' | b'%'
        );
        #[allow(clippy::indexing_slicing, reason = "both have 256 elements")]
        {
            bytes[byte] = is_credential_byte;
        }
        byte += 1;
    }
    bytes
}

/// Returns whether `byte` is part of a run.
pub(super) fn is_credential_byte(byte: u8) -> bool {
    CREDENTIAL_BYTES.get(usize::from(byte)).copied().unwrap_or_default()
}

/// Calls `visit` with the start and end of every run of at least [`MIN_RUN`] characters of which a part is in
/// `bytes` from `from` until `to`. A run that starts before `from` is visited from there on.
pub(super) fn visit_credential_runs(
    bytes: &[u8],
    from: usize,
    to: usize,
    visit: &mut dyn FnMut(usize, usize),
) {
    let is_in = |at: usize| bytes.get(at).is_some_and(|&byte| is_credential_byte(byte));
    // All offsets before this one have been handled.
    let mut done = from;
    while done < to {
        let sample = done + MIN_RUN - 1;
        if sample >= bytes.len() {
            return;
        }
        if !is_in(sample) {
            done = sample + 1;
            continue;
        }
        let mut start = sample;
        while start > done && is_in(start - 1) {
            start -= 1;
        }
        let length =
            bytes.get(start..).unwrap_or_default().iter().position(|&byte| !is_credential_byte(byte));
        let end = length.map_or(bytes.len(), |length| start + length);
        if end - start >= MIN_RUN && start < to {
            visit(start, end);
        }
        done = end + 1;
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
