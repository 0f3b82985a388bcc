//! Tokens with a distinctive format: prefix, alphabet and length.
//!
//! The formats are those of the issuers' documentation. A token with another length is not a
//! finding, and one with a wrong checksum is only a warning.

use super::chance;
use super::finding::Severity;
use super::rule::Match;
use super::window::{
    Alphabet, Window, alphanumeric, base32, base64, base64url, dotted, escaped, hexadecimal, padded,
    upper_or_digit, word,
};

/// The format of one kind of token.
struct Form {
    /// The kind of token and its issuer.
    what: &'static str,
    start: &'static str,
    alphabet: Alphabet,
    /// The minimum and maximum number of characters after `start`.
    length: (usize, usize),
}

const fn form(
    what: &'static str,
    start: &'static str,
    alphabet: Alphabet,
    least: usize,
    most: usize,
) -> Form {
    Form { what, start, alphabet, length: (least, most) }
}

/// Sorted by issuer.
#[rustfmt::skip]
const FORMS: &[Form] = &[
    form("a key of 1Password", "ops_eyJ", padded, 200, 2000),
    form("a secret key of age", "AGE-SECRET-KEY-1", upper_or_digit, 58, 58),
    form("a secret key of age", "AGE-SECRET-KEY-PQ-1", upper_or_digit, 58, 1900),
    form("an access key of Alibaba Cloud", "LTAI", alphanumeric, 20, 20),
    form("an access key of AWS", "AKIA", base32, 16, 16),
    form("an access key of AWS", "ASIA", base32, 16, 16),
    form("a key of Amazon Bedrock", "ABSK", base64, 100, 300),
    form("a key of Anthropic", "sk-ant-", base64url, 60, 140),
    form("a token of Artifactory", "AKCp", alphanumeric, 60, 80),
    form("a token of Atlassian", "ATATT3", padded, 60, 250),
    form("a token of Atlassian", "ATCTT3", padded, 60, 250),
    form("an account key of Azure", "AccountKey=", base64, 86, 88),
    form("a shared access key of Azure", "SharedAccessKey=", base64, 43, 44),
    form("a shared access key of Azure", "sharedaccesskey=", base64, 43, 44),
    form("a token of Bitbucket", "ATBB", alphanumeric, 32, 32),
    form("a key of Brevo", "xkeysib-", base64url, 81, 81),
    form("a token of Buildkite", "bkua_", hexadecimal, 40, 40),
    form("a token of Clojars", "CLOJARS_", hexadecimal, 60, 60),
    form("a token of Contentful", "CFPAT-", base64url, 43, 43),
    form("a token of crates.io", "cio", alphanumeric, 32, 32),
    form("a token of Databricks", "dapi", hexadecimal, 32, 32),
    form("a token of DigitalOcean", "dop_v1_", hexadecimal, 64, 64),
    form("a token of DigitalOcean", "doo_v1_", hexadecimal, 64, 64),
    form("a token of DigitalOcean", "dor_v1_", hexadecimal, 64, 64),
    form("a webhook of Discord", "discord.com/api/webhooks/", |byte| base64url(byte) || byte == b'/', 76, 100),
    form("a token of Docker Hub", "dckr_pat_", base64url, 27, 27),
    form("a token of Docker Hub", "dckr_oat_", base64url, 32, 40),
    form("a token of Doppler", "dp.pt.", alphanumeric, 40, 44),
    form("a token of Doppler", "dp.st.", dotted, 40, 90),
    form("a token of Dynatrace", "dt0c01.", dotted, 89, 89),
    form("a key of EasyPost", "EZAK", alphanumeric, 54, 54),
    form("a token of Figma", "figd_", base64url, 38, 44),
    form("a token of Fly.io", "fm2_", base64, 100, 2000),
    form("a token of Fly.io", "fo1_", base64url, 43, 43),
    form("a token of Frame.io", "fio-u-", padded, 64, 64),
    form("a token of GitHub", "github_pat_", word, 82, 82),
    form("a token of GitLab", "glpat-", dotted, 20, 320),
    form("a token of GitLab", "gldt-", dotted, 20, 320),
    form("a token of GitLab", "glrt-", dotted, 20, 320),
    form("a token of GitLab", "glrtr-", dotted, 20, 320),
    form("a token of GitLab", "glcbt-", dotted, 20, 320),
    form("a token of GitLab", "glptt-", dotted, 20, 320),
    form("a token of GitLab", "glft-", dotted, 20, 320),
    form("a token of GitLab", "glsoat-", dotted, 20, 320),
    form("a token of GitLab", "glagent-", dotted, 40, 320),
    form("a token of GitLab", "glimt-", dotted, 20, 320),
    form("a secret of GitLab", "gloas-", dotted, 40, 320),
    form("a token of GitLab", "GR1348941", base64url, 20, 20),
    form("a client secret of Google", "GOCSPX-", base64url, 28, 28),
    form("a token of Google", "ya29.", dotted, 60, 1500),
    form("a token of Grafana", "glsa_", word, 41, 41),
    form("a token of Grafana", "glc_", base64, 60, 400),
    form("a key of Groq", "gsk_", alphanumeric, 52, 52),
    form("a token of Heroku", "HRKU-AA", base64url, 56, 60),
    form("a token of HubSpot", "pat-na1-", |byte| hexadecimal(byte) || byte == b'-', 36, 36),
    form("a token of HubSpot", "pat-eu1-", |byte| hexadecimal(byte) || byte == b'-', 36, 36),
    form("a token of Hugging Face", "hf_", alphanumeric, 34, 40),
    form("a token of Hugging Face", "api_org_", alphanumeric, 34, 40),
    form("a key of LangSmith", "lsv2_pt_", word, 43, 43),
    form("a key of LangSmith", "lsv2_sk_", word, 43, 43),
    form("a key of Linear", "lin_api_", alphanumeric, 40, 40),
    form("a key of Mailgun", "key-", hexadecimal, 32, 32),
    form("a token of Mapbox", "sk.eyJ", dotted, 60, 200),
    form("a token of Netlify", "nfp_", alphanumeric, 36, 40),
    form("a key of New Relic", "NRAK-", upper_or_digit, 27, 27),
    form("a token of Notion", "ntn_", alphanumeric, 40, 50),
    form("a key of NVIDIA", "nvapi-", base64url, 60, 70),
    form("a key of OpenRouter", "sk-or-v1-", hexadecimal, 64, 64),
    form("a key of Perplexity", "pplx-", alphanumeric, 48, 56),
    form("a password of PlanetScale", "pscale_pw_", dotted, 32, 64),
    form("a token of PlanetScale", "pscale_tkn_", dotted, 32, 64),
    form("a token of PlanetScale", "pscale_oauth_", dotted, 32, 64),
    form("a key of Postman", "PMAK-", |byte| hexadecimal(byte) || byte == b'-', 59, 59),
    form("a token of Prefect", "pnu_", alphanumeric, 36, 36),
    form("a token of Pulumi", "pul-", hexadecimal, 40, 40),
    form("a token of PyPI", "pypi-AgE", base64url, 60, 500),
    form("a token of Replicate", "r8_", alphanumeric, 37, 37),
    form("a key of RubyGems", "rubygems_", hexadecimal, 48, 48),
    form("a key of SendGrid", "SG.", dotted, 66, 66),
    form("a token of Sentry", "sntrys_", padded, 60, 500),
    form("a token of Sentry", "sntryu_", hexadecimal, 64, 64),
    form("a token of Shippo", "shippo_live_", hexadecimal, 40, 40),
    form("a token of Shopify", "shpat_", hexadecimal, 32, 32),
    form("a token of Shopify", "shpca_", hexadecimal, 32, 32),
    form("a token of Shopify", "shppa_", hexadecimal, 32, 32),
    form("a secret of Shopify", "shpss_", hexadecimal, 32, 32),
    form("a webhook of Slack", "hooks.slack.com/services/T", |byte| alphanumeric(byte) || byte == b'/', 40, 60),
    form("a token of Slack", "xapp-", base64url, 60, 200),
    form("a token of Slack", "xoxa-", base64url, 40, 200),
    form("a token of Slack", "xoxb-", base64url, 40, 200),
    form("a token of Slack", "xoxe-", base64url, 40, 250),
    form("a token of Slack", "xoxe.", dotted, 40, 250),
    form("a token of Slack", "xoxp-", base64url, 40, 200),
    form("a token of Slack", "xoxr-", base64url, 40, 200),
    form("a token of Slack", "xoxs-", base64url, 40, 200),
    form("a token of SonarQube", "squ_", hexadecimal, 40, 40),
    form("a token of SonarQube", "sqp_", hexadecimal, 40, 40),
    form("a secret of Square", "sq0csp-", base64url, 43, 43),
    form("a token of Square", "sq0atp-", base64url, 22, 22),
    form("a live key of Stripe", "sk_live_", alphanumeric, 24, 247),
    form("a live key of Stripe", "rk_live_", alphanumeric, 24, 247),
    form("a key of Stripe", "sk_test_", alphanumeric, 24, 247),
    form("a webhook secret of Stripe", "whsec_", base64, 32, 64),
    form("a token of Supabase", "sbp_", hexadecimal, 40, 40),
    form("a key of Supabase", "sb_secret_", base64url, 31, 45),
    form("a key of Tailscale", "tskey-auth-", base64url, 20, 70),
    form("a key of Tailscale", "tskey-api-", base64url, 20, 70),
    form("a key of Tailscale", "tskey-client-", base64url, 20, 70),
    form("a key of Together", "tgp_v1_", base64url, 43, 43),
    form("a key of Twilio", "SK", hexadecimal, 32, 32),
    form("a token of Typeform", "tfp_", dotted, 40, 70),
    form("a token of Vault", "hvs.", base64url, 24, 300),
    form("a token of Vault", "hvb.", base64url, 60, 300),
    form("a token of Vault", "hvr.", base64url, 24, 300),
    form("a private key of WireGuard", "PrivateKey=", base64, 44, 44),
    form("a key of xAI", "xai-", alphanumeric, 70, 90),
];

/// Tokens that end with a checksum: description and prefix. Thirty characters and a checksum of six
/// follow.
const CHECKED: &[(&str, &str)] = &[
    ("a token of GitHub", "ghp_"),
    ("a token of GitHub", "gho_"),
    ("a token of GitHub", "ghu_"),
    ("a token of GitHub", "ghs_"),
    ("a token of GitHub", "ghr_"),
    ("a token of npm", "npm_"),
];

/// Finds a token that starts at the offset.
pub(super) fn find(window: &Window<'_>) -> Option<Match> {
    if !may_start(window.at) {
        return None;
    }
    let fits = |form: &&Form| form.body(window.at).is_some_and(chance::is_random);
    let form = FORMS.iter().find(fits).map(|form| Match::error("token", form.what));
    form.or_else(|| checked(window)).or_else(|| azure_url(window)).or_else(|| openai(window))
}

/// A bit set of the first two bytes of tokens, which rules out nearly every offset with one test.
#[allow(clippy::indexing_slicing, reason = "it is evaluated by the compiler")]
const PAIRS: [u64; 1024] = {
    const fn add(pairs: &mut [u64; 1024], start: &str) {
        let pair = (start.as_bytes()[0] as usize) << 8 | start.as_bytes()[1] as usize;
        pairs[pair / 64] |= 1 << (pair % 64);
    }
    let mut pairs = [0; 1024];
    let mut at = 0;
    while at < FORMS.len() {
        add(&mut pairs, FORMS[at].start);
        at += 1;
    }
    at = 0;
    while at < CHECKED.len() {
        add(&mut pairs, CHECKED[at].1);
        at += 1;
    }
    add(&mut pairs, "sig=");
    add(&mut pairs, "sk-");
    pairs
};

fn may_start(bytes: &[u8]) -> bool {
    let [first, second, ..] = bytes else { return false };
    let pair = usize::from(*first) << 8 | usize::from(*second);
    PAIRS.get(pair / 64).is_some_and(|bits| bits >> (pair % 64) & 1 == 1)
}

impl Form {
    /// Returns the characters after the prefix; `None` if the length is wrong.
    fn body<'a>(&self, at: &'a [u8]) -> Option<&'a [u8]> {
        let rest = at.strip_prefix(self.start.as_bytes())?;
        let body = super::window::run(rest, self.alphabet);
        let body = body.strip_suffix(b".").unwrap_or(body);
        let (least, most) = self.length;
        // A longer word with the same prefix is not a token.
        let ends = rest.get(body.len()).is_none_or(|&next| !word(next));
        ((least..=most).contains(&body.len()) && ends).then_some(body)
    }
}

/// Finds a token with a checksum. A wrong checksum is only a warning: such a token is probably an
/// example, and its issuer would reject it.
fn checked(window: &Window<'_>) -> Option<Match> {
    let (what, rest) =
        CHECKED.iter().find_map(|(what, start)| Some((what, window.at.strip_prefix(start.as_bytes())?)))?;
    let body = super::window::run(rest, base64url);
    if body.len() != 36 || !body.iter().all(u8::is_ascii_alphanumeric) || !chance::is_random(body) {
        return None;
    }
    let severity = if chance::has_checksum(body) { Severity::Error } else { Severity::Warning };
    let what = if severity == Severity::Error {
        (*what).to_owned()
    } else {
        format!("{what} with a wrong checksum")
    };
    Some(Match { rule: "token", what: what.into(), back: 0, severity })
}

/// The signature in a shared access URL of Azure: `sig=`, with the version `sv=` nearby.
fn azure_url(window: &Window<'_>) -> Option<Match> {
    let body = super::window::run(window.at.strip_prefix(b"sig=")?, escaped);
    let beside = [super::window::last(window.before, 300), window.at.get(..300).unwrap_or(window.at)];
    let has_version = beside.iter().any(|text| memchr::memmem::find(text, b"sv=20").is_some());
    let is_signature = (43..=100).contains(&body.len()) && chance::is_random(body);
    (has_version && is_signature).then(|| Match::error("token", "a shared access signature of Azure"))
}

/// Every key of OpenAI contains `OpenAI` in base64.
fn openai(window: &Window<'_>) -> Option<Match> {
    let body = super::window::run(window.at.strip_prefix(b"sk-")?, base64url);
    let mark = [b"T3Blb".as_slice(), b"kFJ"].concat();
    let is_key = body.len() >= 40 && memchr::memmem::find(body, &mark).is_some() && chance::is_random(body);
    is_key.then(|| Match::error("token", "a key of OpenAI"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str, at: usize) -> Option<Match> {
        find(&Window::of(text.as_bytes(), at))
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
        for form in FORMS {
            let (least, most) = form.length;
            let token = |size| format!("{}{}", form.start, drawn(form.alphabet, size));
            assert!(found(&token(least), 0).is_some(), "{}: {}", form.what, form.start);
            assert!(found(&token(most), 0).is_some(), "{}: {}", form.what, form.start);
            let short = found(&token(least - 1), 0);
            assert_eq!(short, None, "{}: {} is too short", form.what, form.start);
            let padded = format!("x {} y", token(least));
            assert!(found(&padded, 2).is_some(), "{}", form.what);
            let example = format!("{}{}", form.start, "x".repeat(least));
            assert_eq!(found(&example, 0), None, "{}", form.what);
        }
    }

    #[test]
    fn every_form_is_at_least_as_long_as_a_run() {
        for form in FORMS {
            assert!(form.start.len() + form.length.0 >= crate::runs::SHORTEST, "{}", form.what);
            assert!(form.start.bytes().all(crate::runs::is_inside), "{}", form.what);
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
        let url = format!("?sv=2022-11-02&ss=b&sig={}%3D", drawn(base64, 43));
        let at = url.find("sig=").unwrap();
        assert!(found(&url, at).is_some());
        assert_eq!(found(&url.replace("sv=20", "vs=20"), at), None);
        let key = format!("sk-proj-{}T3Blb{}{}", drawn(alphanumeric, 30), "kFJ", drawn(alphanumeric, 30));
        assert!(found(&key, 0).is_some());
        assert_eq!(found(&key.replace("T3", "T4"), 0), None);
    }
}
