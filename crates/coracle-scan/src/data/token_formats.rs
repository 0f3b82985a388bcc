//! The formats of tokens that have a distinctive prefix. This file has only data and the type of its
//! rows.

use crate::alphabet::{
    Alphabet, is_alphanumeric, is_alphanumeric_or_slash, is_base32, is_base64, is_base64url,
    is_base64url_or_dot, is_base64url_or_slash, is_lower_hex, is_lower_hex_or_dash, is_padded_base64url,
    is_upper_or_digit, is_word_byte,
};

/// The format of one kind of token.
pub(crate) struct TokenFormat {
    /// The kind of token and its issuer.
    pub(crate) description: &'static str,
    pub(crate) prefix: &'static str,
    pub(crate) alphabet: Alphabet,
    /// The minimum and maximum number of characters after the prefix.
    pub(crate) length: (usize, usize),
}

const fn token_format(
    description: &'static str,
    prefix: &'static str,
    alphabet: Alphabet,
    min_length: usize,
    max_length: usize,
) -> TokenFormat {
    TokenFormat { description, prefix, alphabet, length: (min_length, max_length) }
}

/// Formats of gitleaks' rules, sorted by issuer. The comment is the ID of the rule in
/// `config/gitleaks.toml` of <https://github.com/gitleaks/gitleaks>, version 8.30. Lengths follow
/// the issuers' documentation, and can differ from those of the rule.
#[rustfmt::skip]
pub(crate) const GITLEAKS_FORMATS: &[TokenFormat] = &[
    token_format("a key of 1Password", "ops_eyJ", is_padded_base64url, 200, 2000), // 1password-service-account-token
    token_format("a secret key of age", "AGE-SECRET-KEY-1", is_upper_or_digit, 58, 58), // age-secret-key
    token_format("an access key of Alibaba Cloud", "LTAI", is_alphanumeric, 20, 20), // alibaba-access-key-id
    token_format("an access key of AWS", "AKIA", is_base32, 16, 16), // aws-access-token
    token_format("an access key of AWS", "ASIA", is_base32, 16, 16), // aws-access-token
    token_format("a key of Amazon Bedrock", "ABSK", is_base64, 100, 300), // aws-amazon-bedrock-api-key-long-lived
    token_format("a key of Anthropic", "sk-ant-", is_base64url, 60, 140), // anthropic-api-key
    token_format("a token of Artifactory", "AKCp", is_alphanumeric, 60, 80), // artifactory-api-key
    token_format("a token of Atlassian", "ATATT3", is_padded_base64url, 60, 250), // atlassian-api-token
    token_format("a key of Brevo", "xkeysib-", is_base64url, 81, 81), // sendinblue-api-token
    token_format("a token of Clojars", "CLOJARS_", is_lower_hex, 60, 60), // clojars-api-token
    token_format("a token of Databricks", "dapi", is_lower_hex, 32, 32), // databricks-api-token
    token_format("a token of DigitalOcean", "dop_v1_", is_lower_hex, 64, 64), // digitalocean-pat
    token_format("a token of DigitalOcean", "doo_v1_", is_lower_hex, 64, 64), // digitalocean-access-token
    token_format("a token of DigitalOcean", "dor_v1_", is_lower_hex, 64, 64), // digitalocean-refresh-token
    token_format("a token of Doppler", "dp.pt.", is_alphanumeric, 40, 44), // doppler-api-token
    token_format("a token of Dynatrace", "dt0c01.", is_base64url_or_dot, 89, 89), // dynatrace-api-token
    token_format("a key of EasyPost", "EZAK", is_alphanumeric, 54, 54), // easypost-api-token
    token_format("a token of Fly.io", "fm2_", is_base64, 100, 2000), // flyio-access-token
    token_format("a token of Fly.io", "fo1_", is_base64url, 43, 43), // flyio-access-token
    token_format("a token of Frame.io", "fio-u-", is_padded_base64url, 64, 64), // frameio-api-token
    token_format("a token of GitHub", "github_pat_", is_word_byte, 82, 82), // github-fine-grained-pat
    token_format("a token of GitLab", "glpat-", is_base64url_or_dot, 20, 320), // gitlab-pat
    token_format("a token of GitLab", "gldt-", is_base64url_or_dot, 20, 320), // gitlab-deploy-token
    token_format("a token of GitLab", "glrt-", is_base64url_or_dot, 20, 320), // gitlab-runner-authentication-token
    token_format("a token of GitLab", "glcbt-", is_base64url_or_dot, 20, 320), // gitlab-cicd-job-token
    token_format("a token of GitLab", "glptt-", is_base64url_or_dot, 20, 320), // gitlab-ptt
    token_format("a token of GitLab", "glft-", is_base64url_or_dot, 20, 320), // gitlab-feed-token
    token_format("a token of GitLab", "glsoat-", is_base64url_or_dot, 20, 320), // gitlab-scim-token
    token_format("a token of GitLab", "glagent-", is_base64url_or_dot, 40, 320), // gitlab-kubernetes-agent-token
    token_format("a token of GitLab", "glimt-", is_base64url_or_dot, 20, 320), // gitlab-incoming-mail-token
    token_format("a secret of GitLab", "gloas-", is_base64url_or_dot, 40, 320), // gitlab-oauth-app-secret
    token_format("a token of GitLab", "GR1348941", is_base64url, 20, 20), // gitlab-rrt
    token_format("a token of Grafana", "glsa_", is_word_byte, 41, 41), // grafana-service-account-token
    token_format("a token of Grafana", "glc_", is_base64, 60, 400), // grafana-cloud-api-token
    token_format("a token of Heroku", "HRKU-AA", is_base64url, 56, 60), // heroku-api-key-v2
    token_format("a token of Hugging Face", "hf_", is_alphanumeric, 34, 40), // huggingface-access-token
    token_format("a token of Hugging Face", "api_org_", is_alphanumeric, 34, 40), // huggingface-organization-api-token
    token_format("a key of Linear", "lin_api_", is_alphanumeric, 40, 40), // linear-api-key
    token_format("a key of Mailgun", "key-", is_lower_hex, 32, 32), // mailgun-private-api-token
    token_format("a key of New Relic", "NRAK-", is_upper_or_digit, 27, 27), // new-relic-user-api-key
    token_format("a token of Notion", "ntn_", is_alphanumeric, 40, 50), // notion-api-token
    token_format("a key of Perplexity", "pplx-", is_alphanumeric, 48, 56), // perplexity-api-key
    token_format("a password of PlanetScale", "pscale_pw_", is_base64url_or_dot, 32, 64), // planetscale-password
    token_format("a token of PlanetScale", "pscale_tkn_", is_base64url_or_dot, 32, 64), // planetscale-api-token
    token_format("a token of PlanetScale", "pscale_oauth_", is_base64url_or_dot, 32, 64), // planetscale-oauth-token
    token_format("a key of Postman", "PMAK-", is_lower_hex_or_dash, 59, 59), // postman-api-token
    token_format("a token of Prefect", "pnu_", is_alphanumeric, 36, 36), // prefect-api-token
    token_format("a token of Pulumi", "pul-", is_lower_hex, 40, 40), // pulumi-api-token
    token_format("a token of PyPI", "pypi-AgE", is_base64url, 60, 500), // pypi-upload-token
    token_format("a key of RubyGems", "rubygems_", is_lower_hex, 48, 48), // rubygems-api-token
    token_format("a key of SendGrid", "SG.", is_base64url_or_dot, 66, 66), // sendgrid-api-token
    token_format("a token of Sentry", "sntrys_", is_padded_base64url, 60, 500), // sentry-org-token
    token_format("a token of Sentry", "sntryu_", is_lower_hex, 64, 64), // sentry-user-token
    token_format("a token of Shippo", "shippo_live_", is_lower_hex, 40, 40), // shippo-api-token
    token_format("a token of Shopify", "shpat_", is_lower_hex, 32, 32), // shopify-access-token
    token_format("a token of Shopify", "shpca_", is_lower_hex, 32, 32), // shopify-custom-access-token
    token_format("a token of Shopify", "shppa_", is_lower_hex, 32, 32), // shopify-private-app-access-token
    token_format("a secret of Shopify", "shpss_", is_lower_hex, 32, 32), // shopify-shared-secret
    token_format("a webhook of Slack", "hooks.slack.com/services/T", is_alphanumeric_or_slash, 40, 60), // slack-webhook-url
    token_format("a token of Slack", "xapp-", is_base64url, 60, 200), // slack-app-token
    token_format("a token of Slack", "xoxa-", is_base64url, 40, 200), // slack-legacy-workspace-token
    token_format("a token of Slack", "xoxb-", is_base64url, 40, 200), // slack-bot-token
    token_format("a token of Slack", "xoxe-", is_base64url, 40, 250), // slack-config-refresh-token
    token_format("a token of Slack", "xoxe.", is_base64url_or_dot, 40, 250), // slack-config-access-token
    token_format("a token of Slack", "xoxp-", is_base64url, 40, 200), // slack-user-token
    token_format("a token of Slack", "xoxr-", is_base64url, 40, 200), // slack-legacy-workspace-token
    token_format("a token of Slack", "xoxs-", is_base64url, 40, 200), // slack-legacy-token
    token_format("a token of SonarQube", "squ_", is_lower_hex, 40, 40), // sonar-api-token
    token_format("a token of SonarQube", "sqp_", is_lower_hex, 40, 40), // sonar-api-token
    token_format("a token of Square", "sq0atp-", is_base64url, 22, 22), // square-access-token
    token_format("a live key of Stripe", "sk_live_", is_alphanumeric, 24, 247), // stripe-access-token
    token_format("a live key of Stripe", "rk_live_", is_alphanumeric, 24, 247), // stripe-access-token
    token_format("a key of Stripe", "sk_test_", is_alphanumeric, 24, 247), // stripe-access-token
    token_format("a key of Twilio", "SK", is_lower_hex, 32, 32), // twilio-api-key
    token_format("a token of Typeform", "tfp_", is_base64url_or_dot, 40, 70), // typeform-api-token
    token_format("a token of Vault", "hvs.", is_base64url, 24, 300), // vault-service-token
    token_format("a token of Vault", "hvb.", is_base64url, 60, 300), // vault-batch-token
];

/// Formats that gitleaks has no rule for, sorted by issuer. They follow the issuers' documentation.
#[rustfmt::skip]
pub(crate) const ISSUER_FORMATS: &[TokenFormat] = &[
    token_format("a secret key of age", "AGE-SECRET-KEY-PQ-1", is_upper_or_digit, 58, 1900),
    token_format("a token of Atlassian", "ATCTT3", is_padded_base64url, 60, 250),
    token_format("an account key of Azure", "AccountKey=", is_base64, 86, 88),
    token_format("a shared access key of Azure", "SharedAccessKey=", is_base64, 43, 44),
    token_format("a shared access key of Azure", "sharedaccesskey=", is_base64, 43, 44),
    token_format("a token of Bitbucket", "ATBB", is_alphanumeric, 32, 32),
    token_format("a token of Buildkite", "bkua_", is_lower_hex, 40, 40),
    token_format("a token of Contentful", "CFPAT-", is_base64url, 43, 43),
    token_format("a token of crates.io", "cio", is_alphanumeric, 32, 32),
    token_format("a webhook of Discord", "discord.com/api/webhooks/", is_base64url_or_slash, 76, 100),
    token_format("a token of Docker Hub", "dckr_pat_", is_base64url, 27, 27),
    token_format("a token of Docker Hub", "dckr_oat_", is_base64url, 32, 40),
    token_format("a token of Doppler", "dp.st.", is_base64url_or_dot, 40, 90),
    token_format("a token of Figma", "figd_", is_base64url, 38, 44),
    token_format("a token of GitLab", "glrtr-", is_base64url_or_dot, 20, 320),
    token_format("a client secret of Google", "GOCSPX-", is_base64url, 28, 28),
    token_format("a token of Google", "ya29.", is_base64url_or_dot, 60, 1500),
    token_format("a key of Groq", "gsk_", is_alphanumeric, 52, 52),
    token_format("a token of HubSpot", "pat-na1-", is_lower_hex_or_dash, 36, 36),
    token_format("a token of HubSpot", "pat-eu1-", is_lower_hex_or_dash, 36, 36),
    token_format("a key of LangSmith", "lsv2_pt_", is_word_byte, 43, 43),
    token_format("a key of LangSmith", "lsv2_sk_", is_word_byte, 43, 43),
    token_format("a token of Mapbox", "sk.eyJ", is_base64url_or_dot, 60, 200),
    token_format("a token of Netlify", "nfp_", is_alphanumeric, 36, 40),
    token_format("a key of NVIDIA", "nvapi-", is_base64url, 60, 70),
    token_format("a key of OpenRouter", "sk-or-v1-", is_lower_hex, 64, 64),
    token_format("a token of Replicate", "r8_", is_alphanumeric, 37, 37),
    token_format("a secret of Square", "sq0csp-", is_base64url, 43, 43),
    token_format("a webhook secret of Stripe", "whsec_", is_base64, 32, 64),
    token_format("a token of Supabase", "sbp_", is_lower_hex, 40, 40),
    token_format("a key of Supabase", "sb_secret_", is_base64url, 31, 45),
    token_format("a key of Tailscale", "tskey-auth-", is_base64url, 20, 70),
    token_format("a key of Tailscale", "tskey-api-", is_base64url, 20, 70),
    token_format("a key of Tailscale", "tskey-client-", is_base64url, 20, 70),
    token_format("a key of Together", "tgp_v1_", is_base64url, 43, 43),
    token_format("a token of Vault", "hvr.", is_base64url, 24, 300),
    token_format("a private key of WireGuard", "PrivateKey=", is_base64, 44, 44),
    token_format("a key of xAI", "xai-", is_alphanumeric, 70, 90),
];

/// Tokens that end with a checksum: description and prefix. Thirty characters and a checksum of six
/// follow. The comment is the ID of gitleaks' rule, which does not verify the checksum.
pub(crate) const CHECKSUM_TOKENS: &[(&str, &str)] = &[
    ("a token of GitHub", "ghp_"), // github-pat
    ("a token of GitHub", "gho_"), // github-oauth
    ("a token of GitHub", "ghu_"), // github-app-token
    ("a token of GitHub", "ghs_"), // github-app-token
    ("a token of GitHub", "ghr_"), // github-refresh-token
    ("a token of npm", "npm_"),    // npm-access-token
];
