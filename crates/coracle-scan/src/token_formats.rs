//! Tokens with a distinctive format: prefix, alphabet and length.
//!
//! The formats are those of the issuers' documentation. A token with another length is not a
//! finding, and one with a wrong checksum is only a warning.

use super::entropy;
use super::finding::Severity;
use super::rule_match::RuleMatch;
use super::window::{
    Alphabet, Window, is_alphanumeric, is_base32, is_base64, is_base64url, is_base64url_or_dot,
    is_escaped_base64, is_lower_hex, is_padded_base64url, is_upper_or_digit, is_word_byte,
};

/// The format of one kind of token.
struct TokenFormat {
    /// The kind of token and its issuer.
    description: &'static str,
    prefix: &'static str,
    alphabet: Alphabet,
    /// The minimum and maximum number of characters after `start`.
    length: (usize, usize),
}

const fn token_format(
    what: &'static str,
    start: &'static str,
    alphabet: Alphabet,
    least: usize,
    most: usize,
) -> TokenFormat {
    TokenFormat { description: what, prefix: start, alphabet, length: (least, most) }
}

/// Sorted by issuer.
#[rustfmt::skip]
const TOKEN_FORMATS: &[TokenFormat] = &[
    token_format("a key of 1Password", "ops_eyJ", is_padded_base64url, 200, 2000),
    token_format("a secret key of age", "AGE-SECRET-KEY-1", is_upper_or_digit, 58, 58),
    token_format("a secret key of age", "AGE-SECRET-KEY-PQ-1", is_upper_or_digit, 58, 1900),
    token_format("an access key of Alibaba Cloud", "LTAI", is_alphanumeric, 20, 20),
    token_format("an access key of AWS", "AKIA", is_base32, 16, 16),
    token_format("an access key of AWS", "ASIA", is_base32, 16, 16),
    token_format("a key of Amazon Bedrock", "ABSK", is_base64, 100, 300),
    token_format("a key of Anthropic", "sk-ant-", is_base64url, 60, 140),
    token_format("a token of Artifactory", "AKCp", is_alphanumeric, 60, 80),
    token_format("a token of Atlassian", "ATATT3", is_padded_base64url, 60, 250),
    token_format("a token of Atlassian", "ATCTT3", is_padded_base64url, 60, 250),
    token_format("an account key of Azure", "AccountKey=", is_base64, 86, 88),
    token_format("a shared access key of Azure", "SharedAccessKey=", is_base64, 43, 44),
    token_format("a shared access key of Azure", "sharedaccesskey=", is_base64, 43, 44),
    token_format("a token of Bitbucket", "ATBB", is_alphanumeric, 32, 32),
    token_format("a key of Brevo", "xkeysib-", is_base64url, 81, 81),
    token_format("a token of Buildkite", "bkua_", is_lower_hex, 40, 40),
    token_format("a token of Clojars", "CLOJARS_", is_lower_hex, 60, 60),
    token_format("a token of Contentful", "CFPAT-", is_base64url, 43, 43),
    token_format("a token of crates.io", "cio", is_alphanumeric, 32, 32),
    token_format("a token of Databricks", "dapi", is_lower_hex, 32, 32),
    token_format("a token of DigitalOcean", "dop_v1_", is_lower_hex, 64, 64),
    token_format("a token of DigitalOcean", "doo_v1_", is_lower_hex, 64, 64),
    token_format("a token of DigitalOcean", "dor_v1_", is_lower_hex, 64, 64),
    token_format("a webhook of Discord", "discord.com/api/webhooks/", |byte| is_base64url(byte) || byte == b'/', 76, 100),
    token_format("a token of Docker Hub", "dckr_pat_", is_base64url, 27, 27),
    token_format("a token of Docker Hub", "dckr_oat_", is_base64url, 32, 40),
    token_format("a token of Doppler", "dp.pt.", is_alphanumeric, 40, 44),
    token_format("a token of Doppler", "dp.st.", is_base64url_or_dot, 40, 90),
    token_format("a token of Dynatrace", "dt0c01.", is_base64url_or_dot, 89, 89),
    token_format("a key of EasyPost", "EZAK", is_alphanumeric, 54, 54),
    token_format("a token of Figma", "figd_", is_base64url, 38, 44),
    token_format("a token of Fly.io", "fm2_", is_base64, 100, 2000),
    token_format("a token of Fly.io", "fo1_", is_base64url, 43, 43),
    token_format("a token of Frame.io", "fio-u-", is_padded_base64url, 64, 64),
    token_format("a token of GitHub", "github_pat_", is_word_byte, 82, 82),
    token_format("a token of GitLab", "glpat-", is_base64url_or_dot, 20, 320),
    token_format("a token of GitLab", "gldt-", is_base64url_or_dot, 20, 320),
    token_format("a token of GitLab", "glrt-", is_base64url_or_dot, 20, 320),
    token_format("a token of GitLab", "glrtr-", is_base64url_or_dot, 20, 320),
    token_format("a token of GitLab", "glcbt-", is_base64url_or_dot, 20, 320),
    token_format("a token of GitLab", "glptt-", is_base64url_or_dot, 20, 320),
    token_format("a token of GitLab", "glft-", is_base64url_or_dot, 20, 320),
    token_format("a token of GitLab", "glsoat-", is_base64url_or_dot, 20, 320),
    token_format("a token of GitLab", "glagent-", is_base64url_or_dot, 40, 320),
    token_format("a token of GitLab", "glimt-", is_base64url_or_dot, 20, 320),
    token_format("a secret of GitLab", "gloas-", is_base64url_or_dot, 40, 320),
    token_format("a token of GitLab", "GR1348941", is_base64url, 20, 20),
    token_format("a client secret of Google", "GOCSPX-", is_base64url, 28, 28),
    token_format("a token of Google", "ya29.", is_base64url_or_dot, 60, 1500),
    token_format("a token of Grafana", "glsa_", is_word_byte, 41, 41),
    token_format("a token of Grafana", "glc_", is_base64, 60, 400),
    token_format("a key of Groq", "gsk_", is_alphanumeric, 52, 52),
    token_format("a token of Heroku", "HRKU-AA", is_base64url, 56, 60),
    token_format("a token of HubSpot", "pat-na1-", |byte| is_lower_hex(byte) || byte == b'-', 36, 36),
    token_format("a token of HubSpot", "pat-eu1-", |byte| is_lower_hex(byte) || byte == b'-', 36, 36),
    token_format("a token of Hugging Face", "hf_", is_alphanumeric, 34, 40),
    token_format("a token of Hugging Face", "api_org_", is_alphanumeric, 34, 40),
    token_format("a key of LangSmith", "lsv2_pt_", is_word_byte, 43, 43),
    token_format("a key of LangSmith", "lsv2_sk_", is_word_byte, 43, 43),
    token_format("a key of Linear", "lin_api_", is_alphanumeric, 40, 40),
    token_format("a key of Mailgun", "key-", is_lower_hex, 32, 32),
    token_format("a token of Mapbox", "sk.eyJ", is_base64url_or_dot, 60, 200),
    token_format("a token of Netlify", "nfp_", is_alphanumeric, 36, 40),
    token_format("a key of New Relic", "NRAK-", is_upper_or_digit, 27, 27),
    token_format("a token of Notion", "ntn_", is_alphanumeric, 40, 50),
    token_format("a key of NVIDIA", "nvapi-", is_base64url, 60, 70),
    token_format("a key of OpenRouter", "sk-or-v1-", is_lower_hex, 64, 64),
    token_format("a key of Perplexity", "pplx-", is_alphanumeric, 48, 56),
    token_format("a password of PlanetScale", "pscale_pw_", is_base64url_or_dot, 32, 64),
    token_format("a token of PlanetScale", "pscale_tkn_", is_base64url_or_dot, 32, 64),
    token_format("a token of PlanetScale", "pscale_oauth_", is_base64url_or_dot, 32, 64),
    token_format("a key of Postman", "PMAK-", |byte| is_lower_hex(byte) || byte == b'-', 59, 59),
    token_format("a token of Prefect", "pnu_", is_alphanumeric, 36, 36),
    token_format("a token of Pulumi", "pul-", is_lower_hex, 40, 40),
    token_format("a token of PyPI", "pypi-AgE", is_base64url, 60, 500),
    token_format("a token of Replicate", "r8_", is_alphanumeric, 37, 37),
    token_format("a key of RubyGems", "rubygems_", is_lower_hex, 48, 48),
    token_format("a key of SendGrid", "SG.", is_base64url_or_dot, 66, 66),
    token_format("a token of Sentry", "sntrys_", is_padded_base64url, 60, 500),
    token_format("a token of Sentry", "sntryu_", is_lower_hex, 64, 64),
    token_format("a token of Shippo", "shippo_live_", is_lower_hex, 40, 40),
    token_format("a token of Shopify", "shpat_", is_lower_hex, 32, 32),
    token_format("a token of Shopify", "shpca_", is_lower_hex, 32, 32),
    token_format("a token of Shopify", "shppa_", is_lower_hex, 32, 32),
    token_format("a secret of Shopify", "shpss_", is_lower_hex, 32, 32),
    token_format("a webhook of Slack", "hooks.slack.com/services/T", |byte| is_alphanumeric(byte) || byte == b'/', 40, 60),
    token_format("a token of Slack", "xapp-", is_base64url, 60, 200),
    token_format("a token of Slack", "xoxa-", is_base64url, 40, 200),
    token_format("a token of Slack", "xoxb-", is_base64url, 40, 200),
    token_format("a token of Slack", "xoxe-", is_base64url, 40, 250),
    token_format("a token of Slack", "xoxe.", is_base64url_or_dot, 40, 250),
    token_format("a token of Slack", "xoxp-", is_base64url, 40, 200),
    token_format("a token of Slack", "xoxr-", is_base64url, 40, 200),
    token_format("a token of Slack", "xoxs-", is_base64url, 40, 200),
    token_format("a token of SonarQube", "squ_", is_lower_hex, 40, 40),
    token_format("a token of SonarQube", "sqp_", is_lower_hex, 40, 40),
    token_format("a secret of Square", "sq0csp-", is_base64url, 43, 43),
    token_format("a token of Square", "sq0atp-", is_base64url, 22, 22),
    token_format("a live key of Stripe", "sk_live_", is_alphanumeric, 24, 247),
    token_format("a live key of Stripe", "rk_live_", is_alphanumeric, 24, 247),
    token_format("a key of Stripe", "sk_test_", is_alphanumeric, 24, 247),
    token_format("a webhook secret of Stripe", "whsec_", is_base64, 32, 64),
    token_format("a token of Supabase", "sbp_", is_lower_hex, 40, 40),
    token_format("a key of Supabase", "sb_secret_", is_base64url, 31, 45),
    token_format("a key of Tailscale", "tskey-auth-", is_base64url, 20, 70),
    token_format("a key of Tailscale", "tskey-api-", is_base64url, 20, 70),
    token_format("a key of Tailscale", "tskey-client-", is_base64url, 20, 70),
    token_format("a key of Together", "tgp_v1_", is_base64url, 43, 43),
    token_format("a key of Twilio", "SK", is_lower_hex, 32, 32),
    token_format("a token of Typeform", "tfp_", is_base64url_or_dot, 40, 70),
    token_format("a token of Vault", "hvs.", is_base64url, 24, 300),
    token_format("a token of Vault", "hvb.", is_base64url, 60, 300),
    token_format("a token of Vault", "hvr.", is_base64url, 24, 300),
    token_format("a private key of WireGuard", "PrivateKey=", is_base64, 44, 44),
    token_format("a key of xAI", "xai-", is_alphanumeric, 70, 90),
];

/// Tokens that end with a checksum: description and prefix. Thirty characters and a checksum of six
/// follow.
const CHECKSUM_TOKENS: &[(&str, &str)] = &[
    ("a token of GitHub", "ghp_"),
    ("a token of GitHub", "gho_"),
    ("a token of GitHub", "ghu_"),
    ("a token of GitHub", "ghs_"),
    ("a token of GitHub", "ghr_"),
    ("a token of npm", "npm_"),
];

/// Finds a token that starts at the offset.
pub(super) fn find_token(window: &Window<'_>) -> Option<RuleMatch> {
    if !may_be_token(window.rest) {
        return None;
    }
    let fits = |form: &&TokenFormat| form.token_body(window.rest).is_some_and(entropy::is_random);
    let form = TOKEN_FORMATS.iter().find(fits).map(|form| RuleMatch::new_error("token", form.description));
    form.or_else(|| find_checksum_token(window))
        .or_else(|| find_azure_signature(window))
        .or_else(|| find_openai_key(window))
}

/// A bit set of the first two bytes of tokens, which rules out nearly every offset with one test.
#[allow(clippy::indexing_slicing, reason = "it is evaluated by the compiler")]
const FIRST_BYTE_PAIRS: [u64; 1024] = {
    const fn add(pairs: &mut [u64; 1024], start: &str) {
        let pair = (start.as_bytes()[0] as usize) << 8 | start.as_bytes()[1] as usize;
        pairs[pair / 64] |= 1 << (pair % 64);
    }
    let mut pairs = [0; 1024];
    let mut at = 0;
    while at < TOKEN_FORMATS.len() {
        add(&mut pairs, TOKEN_FORMATS[at].prefix);
        at += 1;
    }
    at = 0;
    while at < CHECKSUM_TOKENS.len() {
        add(&mut pairs, CHECKSUM_TOKENS[at].1);
        at += 1;
    }
    add(&mut pairs, "sig=");
    add(&mut pairs, "sk-");
    pairs
};

fn may_be_token(bytes: &[u8]) -> bool {
    let [first, second, ..] = bytes else { return false };
    let pair = usize::from(*first) << 8 | usize::from(*second);
    FIRST_BYTE_PAIRS.get(pair / 64).is_some_and(|bits| bits >> (pair % 64) & 1 == 1)
}

impl TokenFormat {
    /// Returns the characters after the prefix; `None` if the length is wrong.
    fn token_body<'a>(&self, at: &'a [u8]) -> Option<&'a [u8]> {
        let rest = at.strip_prefix(self.prefix.as_bytes())?;
        let body = super::window::leading_run(rest, self.alphabet);
        let body = body.strip_suffix(b".").unwrap_or(body);
        let (least, most) = self.length;
        // A longer word with the same prefix is not a token.
        let ends = rest.get(body.len()).is_none_or(|&next| !is_word_byte(next));
        ((least..=most).contains(&body.len()) && ends).then_some(body)
    }
}

/// Finds a token with a checksum. A wrong checksum is only a warning: such a token is probably an
/// example, and its issuer would reject it.
fn find_checksum_token(window: &Window<'_>) -> Option<RuleMatch> {
    let (what, rest) = CHECKSUM_TOKENS
        .iter()
        .find_map(|(what, start)| Some((what, window.rest.strip_prefix(start.as_bytes())?)))?;
    let body = super::window::leading_run(rest, is_base64url);
    if body.len() != 36 || !body.iter().all(u8::is_ascii_alphanumeric) || !entropy::is_random(body) {
        return None;
    }
    let severity = if entropy::has_crc32_checksum(body) { Severity::Error } else { Severity::Warning };
    let what = if severity == Severity::Error {
        (*what).to_owned()
    } else {
        format!("{what} with a wrong checksum")
    };
    Some(RuleMatch { rule: "token", description: what.into(), start_before: 0, severity })
}

/// The signature in a shared access URL of Azure: `sig=`, with the version `sv=` nearby.
fn find_azure_signature(window: &Window<'_>) -> Option<RuleMatch> {
    let body = super::window::leading_run(window.rest.strip_prefix(b"sig=")?, is_escaped_base64);
    let beside =
        [super::window::last_bytes(window.before, 300), window.rest.get(..300).unwrap_or(window.rest)];
    let has_version = beside.iter().any(|text| memchr::memmem::find(text, b"sv=20").is_some());
    let is_signature = (43..=100).contains(&body.len()) && entropy::is_random(body);
    (has_version && is_signature).then(|| RuleMatch::new_error("token", "a shared access signature of Azure"))
}

/// Every key of OpenAI contains `OpenAI` in base64.
fn find_openai_key(window: &Window<'_>) -> Option<RuleMatch> {
    let body = super::window::leading_run(window.rest.strip_prefix(b"sk-")?, is_base64url);
    let mark = [b"T3Blb".as_slice(), b"kFJ"].concat();
    let is_key = body.len() >= 40 && memchr::memmem::find(body, &mark).is_some() && entropy::is_random(body);
    is_key.then(|| RuleMatch::new_error("token", "a key of OpenAI"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str, at: usize) -> Option<RuleMatch> {
        find_token(&Window::new(text.as_bytes(), at))
    }

    /// Returns `size` pseudorandom characters of `alphabet`, always the same.
    fn drawn(alphabet: Alphabet, size: usize) -> String {
        let mut state = 88_172_645_463_325_252_u64;
        let mut text = String::new();
        while text.len() < size {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let [_, _, _, byte, ..] = state.to_be_bytes();
            let byte = byte & 0x7f;
            // Punctuation would end some tokens.
            if alphabet(byte) && byte.is_ascii_alphanumeric() {
                text.push(char::from(byte));
            }
        }
        text
    }

    #[test]
    fn finds_every_form_only_at_its_length() {
        for form in TOKEN_FORMATS {
            let (least, most) = form.length;
            let token = |size| format!("{}{}", form.prefix, drawn(form.alphabet, size));
            assert!(found(&token(least), 0).is_some(), "{}: {}", form.description, form.prefix);
            assert!(found(&token(most), 0).is_some(), "{}: {}", form.description, form.prefix);
            let short = found(&token(least - 1), 0);
            assert_eq!(short, None, "{}: {} is too short", form.description, form.prefix);
            let padded = format!("x {} y", token(least));
            assert!(found(&padded, 2).is_some(), "{}", form.description);
            let example = format!("{}{}", form.prefix, "x".repeat(least));
            assert_eq!(found(&example, 0), None, "{}", form.description);
        }
    }

    #[test]
    fn every_form_is_at_least_as_long_as_a_run() {
        for form in TOKEN_FORMATS {
            assert!(form.prefix.len() + form.length.0 >= crate::candidates::MIN_RUN, "{}", form.description);
            assert!(form.prefix.bytes().all(crate::candidates::is_run_byte), "{}", form.description);
        }
    }

    #[test]
    fn wrong_checksum_is_a_warning() {
        let token = ["gh", "p_zQWBuTSOoRi4A9sp", "HcVY5ncnsDkxkJ0mLq17"].concat();
        assert_eq!(found(&token, 0).unwrap().severity, Severity::Error);
        let wrong = token.replace('Q', "R");
        assert_eq!(found(&wrong, 0).unwrap().severity, Severity::Warning);
        assert_eq!(found(&token[..39], 0), None);
        assert_eq!(found(&format!("{token}x"), 0), None);
    }

    #[test]
    fn finds_azure_signatures_and_openai_keys() {
        let url = format!("?sv=2022-11-02&ss=b&sig={}%3D", drawn(is_base64, 43));
        let at = url.find("sig=").unwrap();
        assert!(found(&url, at).is_some());
        assert_eq!(found(&url.replace("sv=20", "vs=20"), at), None);
        let key =
            format!("sk-proj-{}T3Blb{}{}", drawn(is_alphanumeric, 30), "kFJ", drawn(is_alphanumeric, 30));
        assert!(found(&key, 0).is_some());
        assert_eq!(found(&key.replace("T3", "T4"), 0), None);
    }
}
