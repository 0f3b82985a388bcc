//! Certificates in PEM files, and the names of their subjects.
//!
//! Source: RFC 7468; RFC 5280, 4.1.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use memchr::memmem;

const BEGIN: &[u8] = b"-----BEGIN CERTIFICATE-----";
const END: &[u8] = b"-----END CERTIFICATE-----";

/// A certificate in a PEM file.
pub(super) struct PemBlock<'a> {
    /// The text, with the comments before it and the line break after it.
    pub(super) text: &'a [u8],
    /// The Base64 text without line breaks.
    pub(super) body: Vec<u8>,
}

/// Returns the certificates in `bytes`, and the text after the last certificate.
pub(super) fn pem_blocks(bytes: &[u8]) -> (Vec<PemBlock<'_>>, &[u8]) {
    let (mut blocks, mut rest) = (Vec::new(), bytes);
    while let Some((block, after)) = first_block(rest) {
        blocks.push(block);
        rest = after;
    }
    (blocks, rest)
}

fn first_block(bytes: &[u8]) -> Option<(PemBlock<'_>, &[u8])> {
    let start = memmem::find(bytes, BEGIN)? + BEGIN.len();
    let size = memmem::find(bytes.get(start..)?, END)?;
    let body = bytes.get(start..start + size)?;
    let mut end = start + size + END.len();
    let line_break = bytes
        .get(end..)?
        .iter()
        .take_while(|byte| byte.is_ascii_whitespace())
        .position(|byte| *byte == b'\n');
    end += line_break.map_or(0, |at| at + 1);
    let (text, after) = bytes.split_at_checked(end)?;
    let body = body.iter().filter(|byte| !byte.is_ascii_whitespace()).copied().collect();
    Some((PemBlock { text, body }, after))
}

/// Object identifiers of parts of a name, the most specific first: common name, organisational
/// unit, organisation.
const NAME_PARTS: [&[u8]; 3] = [&[0x55, 4, 3], &[0x55, 4, 11], &[0x55, 4, 10]];
const SEQUENCE: u8 = 0x30;
/// The tag of the optional version, `[0] EXPLICIT`.
const VERSION: u8 = 0xa0;

/// Returns the name of the subject of the certificate in `body`. `None` if it has no name or is damaged.
pub(super) fn subject_name(body: &[u8]) -> Option<Vec<u8>> {
    let der = STANDARD.decode(body).ok()?;
    let (_, certificate, _) = der_element(&der)?;
    let (_, mut fields, _) = der_element(certificate)?;
    if let Some((VERSION, _, rest)) = der_element(fields) {
        fields = rest;
    }
    // Serial number, signature algorithm, issuer, validity.
    for _ in 0..4 {
        fields = der_element(fields)?.2;
    }
    let (SEQUENCE, subject, _) = der_element(fields)? else { return None };
    let parts: Vec<(&[u8], &[u8])> = der_elements(subject)
        .flat_map(der_elements)
        .filter_map(|part| {
            let (_, identifier, rest) = der_element(part)?;
            Some((identifier, der_element(rest)?.1))
        })
        .collect();
    let named = |wanted: &&[u8]| parts.iter().find(|(identifier, _)| identifier == wanted);
    NAME_PARTS.iter().find_map(named).map(|(_, value)| value.to_vec())
}

/// Iterates over the contents of consecutive elements.
fn der_elements(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (_, content, rest) = der_element(bytes)?;
        bytes = rest;
        Some(content)
    })
}

/// Returns the tag and the content of the first element, and what follows it.
fn der_element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, length], rest) = bytes.split_first_chunk::<2>()?;
    let (size, rest) = if length < 0x80 {
        (usize::from(length), rest)
    } else {
        let (digits, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
        let add = |size: usize, digit: &u8| size.checked_mul(256)?.checked_add(usize::from(*digit));
        (digits.iter().try_fold(0_usize, add)?, rest)
    };
    let (content, rest) = rest.split_at_checked(size)?;
    Some((tag, content, rest))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    fn element(tag: u8, content: &[u8]) -> Vec<u8> {
        let mut bytes = vec![tag, 0x82];
        bytes.extend(u16::try_from(content.len()).unwrap().to_be_bytes());
        bytes.extend(content);
        bytes
    }

    pub(in crate::implicit) fn name_part(identifier: u8, text: &str) -> Vec<u8> {
        let pair = [element(6, &[0x55, 4, identifier]), element(12, text.as_bytes())].concat();
        element(0x31, &element(SEQUENCE, &pair))
    }

    /// A certificate with this subject, in Base64.
    pub(in crate::implicit) fn certificate(subject: &[u8]) -> String {
        let field = |tag| element(tag, b"x");
        let fields = [
            field(VERSION),
            field(2),
            field(SEQUENCE),
            element(SEQUENCE, &name_part(3, "issuer")),
            field(SEQUENCE),
            element(SEQUENCE, subject),
        ];
        STANDARD.encode(element(SEQUENCE, &element(SEQUENCE, &fields.concat())))
    }

    #[test]
    fn subject_is_named_by_its_most_telling_part() {
        let name = |subject: &[u8]| subject_name(certificate(subject).as_bytes());
        let organisation = name_part(10, "Acme");
        assert_eq!(name(&[organisation.clone(), name_part(3, "Acme Root")].concat()).unwrap(), b"Acme Root");
        assert_eq!(name(&organisation).unwrap(), b"Acme");
        assert_eq!(name(b""), None);
        let whole = certificate(&organisation);
        for end in 0..whole.len() {
            subject_name(&whole.as_bytes()[..end]);
        }
    }

    #[test]
    fn blocks_and_rest_are_the_whole_text() {
        let text = b"# One\n-----BEGIN CERTIFICATE-----\nAA\nBB\n-----END CERTIFICATE-----\n\n# Two\r\n\
            -----BEGIN CERTIFICATE-----\r\nCC\r\n-----END CERTIFICATE-----\r\nend";
        let (blocks, rest) = pem_blocks(text);
        assert_eq!(
            blocks.iter().map(|block| block.body.as_slice()).collect::<Vec<_>>(),
            [&b"AABB"[..], b"CC"]
        );
        let all: Vec<u8> = blocks.iter().flat_map(|block| block.text).chain(rest).copied().collect();
        assert_eq!(all, text);
        assert_eq!(rest, b"end");
        assert!(blocks[1].text.starts_with(b"\n# Two"));
    }
}
