//! Finds the offsets at which a credential can start: the starts of long runs of credential
//! characters.
//!
//! Every credential is at least twenty such characters long. A program has few runs of that length,
//! so testing one byte in twenty rules out most of it, which makes scanning cheap.

/// The length of the shortest run that is examined: that of the shortest known credential, `AKIA`
/// and sixteen characters.
pub(super) const MIN_RUN: usize = 20;

/// Not part of a run.
const OUTSIDE_RUN: u8 = 0;
/// Part of a run.
const INSIDE_RUN: u8 = 1;
/// Part of a run; a credential can start after it.
const RUN_DIVIDER: u8 = 2;

const BYTE_CLASSES: [u8; 256] = byte_classes();

const fn byte_classes() -> [u8; 256] {
    let mut classes = [OUTSIDE_RUN; 256];
    let mut byte = 0;
    while byte < 256 {
        #[allow(clippy::cast_possible_truncation, reason = "it is less than 256")]
        let class = match byte as u8 {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'_' => INSIDE_RUN,
            b'-' | b'+' | b'/' | b'=' | b'.' | b'~' | b'%' => RUN_DIVIDER,
            _ => OUTSIDE_RUN,
        };
        #[allow(clippy::indexing_slicing, reason = "both have 256 elements")]
        {
            classes[byte] = class;
        }
        byte += 1;
    }
    classes
}

/// Returns whether `byte` is part of a run.
pub(super) fn is_run_byte(byte: u8) -> bool {
    byte_class(byte) != OUTSIDE_RUN
}

fn byte_class(byte: u8) -> u8 {
    BYTE_CLASSES.get(usize::from(byte)).copied().unwrap_or(OUTSIDE_RUN)
}

/// Calls `visit` for every offset of `bytes` from `from` until `to` where a run of [`MIN_RUN`]
/// characters starts: the byte before it is outside of runs or a divider. The result depends only
/// on the two bytes before the offset and on the run.
pub(super) fn visit_candidates(bytes: &[u8], from: usize, to: usize, visit: &mut dyn FnMut(usize)) {
    let is_in = |at: usize| bytes.get(at).is_some_and(|&byte| is_run_byte(byte));
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
        let length = bytes.get(start..).unwrap_or_default().iter().position(|&byte| !is_run_byte(byte));
        let end = length.map_or(bytes.len(), |length| start + length);
        let last = to.min((end + 1).saturating_sub(MIN_RUN));
        (start..last).filter(|&at| can_start_at(bytes, at)).for_each(&mut *visit);
        done = end + 1;
    }
}

/// Returns whether a credential can start at `at`. An escape such as `\n` in source code can
/// precede it.
fn can_start_at(bytes: &[u8], at: usize) -> bool {
    let before = |back: usize| at.checked_sub(back).and_then(|at| bytes.get(at)).copied();
    match before(1) {
        None => true,
        Some(b'n' | b'r' | b't') if before(2) == Some(b'\\') => true,
        Some(byte) => byte_class(byte) != INSIDE_RUN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn visited(bytes: &[u8], from: usize, to: usize) -> Vec<usize> {
        let mut found = Vec::new();
        visit_candidates(bytes, from, to, &mut |at| found.push(at));
        found
    }

    #[test]
    fn visits_starts_of_runs_and_offsets_after_dividers() {
        let run = "a".repeat(20);
        for (text, expected) in [
            (format!(" {run} "), vec![1]),
            (run.clone(), vec![0]),
            (run[1..].to_owned(), vec![]),
            (format!("{run}/{run}"), vec![0, 21]),
            (format!("key={run}"), vec![0, 4]),
            (format!("\\n{run}"), vec![1, 2]),
            (format!("{}:{run}", "b".repeat(19)), vec![20]),
        ] {
            assert_eq!(visited(text.as_bytes(), 0, text.len()), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn visits_every_start_once_for_any_split(
            bytes in proptest::collection::vec(prop::sample::select(b"aaaaaaaaaaaaaaaaaaaaaaa=\\n ".to_vec()), 0..300),
            cut in 0_usize..300
        ) {
            let expected: Vec<usize> = (0..bytes.len())
                .filter(|&at| can_start_at(&bytes, at))
                .filter(|&at| bytes.get(at..at + MIN_RUN).is_some_and(|run| run.iter().all(|&byte| is_run_byte(byte))))
                .collect();
            let cut = cut.min(bytes.len());
            let parts = [visited(&bytes, 0, cut), visited(&bytes, cut, bytes.len())].concat();
            prop_assert_eq!(parts, expected);
        }
    }
}
