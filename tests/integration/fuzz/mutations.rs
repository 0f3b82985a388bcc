//! Mutations of inputs. Each run makes the same ones.

/// Texts that parsers treat specially.
const WORDS: [&[u8]; 24] = [
    b"..",
    b"/",
    b"../",
    b"\0",
    b"\n",
    b"\"",
    b"'",
    b"{",
    b"}",
    b"[",
    b"]",
    b"{{",
    b"}}",
    b"{%",
    b"%}",
    b"&a",
    b"*a",
    b": ",
    b"- ",
    b"$a",
    b".wh.",
    b"path=",
    b"18446744073709551616",
    b"\xff\xfe",
];

/// A linear congruential generator. Source: Knuth, MMIX.
struct Numbers(u64);

impl Numbers {
    /// Returns a number below `end`; 0 if `end` is 0.
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % end.max(1)
    }
}

/// Returns `rounds` mutations of `seeds`, each with up to eight changes.
pub(super) fn mutations(seeds: &[Vec<u8>], rounds: usize) -> impl Iterator<Item = Vec<u8>> {
    let mut numbers = Numbers(7);
    (0..rounds).map(move |round| {
        let mut bytes = seeds[round % seeds.len()].clone();
        for _ in 0..=numbers.below(8) {
            change(&mut bytes, seeds, &mut numbers);
        }
        bytes
    })
}

fn change(bytes: &mut Vec<u8>, seeds: &[Vec<u8>], numbers: &mut Numbers) {
    let at = numbers.below(bytes.len());
    let end = (at + numbers.below(64)).min(bytes.len());
    match numbers.below(8) {
        0 if at < bytes.len() => bytes[at] ^= 1 << numbers.below(8),
        1 if at < bytes.len() => bytes[at] = u8::try_from(numbers.below(256)).unwrap(),
        2 => drop(bytes.drain(at..end)),
        3 => {
            let repeated = bytes[at..end].repeat(1 + numbers.below(40));
            bytes.splice(at..at, repeated);
        }
        4 => drop(bytes.splice(at..at, WORDS[numbers.below(WORDS.len())].iter().copied())),
        5 => drop(bytes.splice(at..end, WORDS[numbers.below(WORDS.len())].iter().copied())),
        6 => {
            let other = &seeds[numbers.below(seeds.len())];
            let from = numbers.below(other.len());
            bytes.splice(at..end, other[from..].iter().copied().take(200));
        }
        _ => bytes.truncate(at),
    }
}
