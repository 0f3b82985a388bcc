//! Messages on stderr, one line each, without allocation.

use crate::system;

const CAPACITY: usize = 512;

/// A line of text; what does not fit is left out.
pub(crate) struct Message {
    bytes: [u8; CAPACITY],
    length: usize,
}

impl Message {
    pub(crate) fn new() -> Self {
        Self { bytes: [0; CAPACITY], length: 0 }.text(b"coracle-reload: ")
    }

    pub(crate) fn text(mut self, text: &[u8]) -> Self {
        // The last byte is the line feed's.
        for byte in text.iter().take(CAPACITY - 1 - self.length) {
            if let Some(slot) = self.bytes.get_mut(self.length) {
                *slot = *byte;
                self.length += 1;
            }
        }
        self
    }

    pub(crate) fn number(self, number: u32) -> Self {
        let mut buffer = [0; 10];
        self.text(digits(number, &mut buffer))
    }

    pub(crate) fn print(mut self) {
        if let Some(slot) = self.bytes.get_mut(self.length) {
            *slot = b'\n';
        }
        system::write_stderr(self.bytes.get(..=self.length).unwrap_or_default());
    }
}

/// Returns the decimal digits of a number.
pub(crate) fn digits(number: u32, buffer: &mut [u8; 10]) -> &[u8] {
    let mut first = buffer.len();
    let mut rest = number;
    for slot in buffer.iter_mut().rev() {
        *slot = b'0' + (rest % 10) as u8;
        rest /= 10;
        first -= 1;
        if rest == 0 {
            break;
        }
    }
    buffer.get(first..).unwrap_or_default()
}
