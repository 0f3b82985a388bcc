//! PEM blocks. Text around them, and blocks of other kinds such as `EC PARAMETERS`, are allowed.
//! Source: RFC 7468.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";

/// The content of one block.
pub(crate) struct PemBlock {
    pub(crate) label: String,
    /// `None` if it is not base64.
    pub(crate) content: Option<Zeroizing<Vec<u8>>>,
}

/// Parses all blocks of `text`.
pub(crate) fn parse(text: &[u8]) -> Vec<PemBlock> {
    let Ok(text) = std::str::from_utf8(text) else { return Vec::new() };
    let (mut rest, mut found) = (text, Vec::new());
    while let Some((_, after)) = rest.split_once(BEGIN) {
        let Some((label, body)) = after.split_once(DASHES) else { break };
        let Some((body, after)) = body.split_once(&format!("{END}{label}{DASHES}")) else { break };
        let base64 = Zeroizing::new(body.split_ascii_whitespace().collect::<String>());
        let content = STANDARD.decode(base64.as_bytes()).ok().map(Zeroizing::new);
        found.push(PemBlock { label: label.to_owned(), content });
        rest = after;
    }
    found
}

/// Writes one block, with 64 characters a line.
pub(crate) fn encode(label: &str, content: &[u8]) -> Zeroizing<String> {
    let base64 = Zeroizing::new(STANDARD.encode(content));
    let mut text = Zeroizing::new(format!("{BEGIN}{label}{DASHES}\n"));
    for (index, character) in base64.chars().enumerate() {
        if index > 0 && index % 64 == 0 {
            text.push('\n');
        }
        text.push(character);
    }
    text.push_str(&format!("\n{END}{label}{DASHES}\n"));
    text
}
