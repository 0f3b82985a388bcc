//! More than a hundred secrets. Each is composed here from parts, so that no scanner reports this
//! file.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

/// A file with a secret.
pub struct PlantedFile {
    /// The path below the directory that is included.
    pub file: String,
    pub text: Vec<u8>,
}

pub const HEX_DIGITS: &str = "0123456789abcdef";
const DIGITS: &str = "0123456789";
const BASE32: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const ALPHANUMERIC: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const BASE64_DIGITS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Returns `size` pseudorandom characters of `alphabet`, always the same.
pub fn random_text(alphabet: &str, size: usize) -> String {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64 ^ (size as u64) << 32;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        alphabet.as_bytes()[(state >> 20) as usize % alphabet.len()] as char
    };
    (0..size).map(|_| next()).collect()
}

/// Returns a token with prefix `start`, a random body and GitHub's checksum.
pub fn token_with_checksum(start: &str) -> String {
    let body = random_text(ALPHANUMERIC, 30);
    let mut crc = flate2::Crc::new();
    crc.update(body.as_bytes());
    let base62 = format!("{}{}{}", DIGITS, &ALPHANUMERIC[..26], &ALPHANUMERIC[26..52]);
    let mut rest = crc.sum() as usize;
    let mut sum = Vec::new();
    for _ in 0..6 {
        sum.insert(0, base62.as_bytes()[rest % 62]);
        rest /= 62;
    }
    format!("{start}{body}{}", String::from_utf8(sum).unwrap())
}

/// Returns a PEM block with lines of 64 characters.
pub fn pem_block(kind: &str, extra: &str) -> String {
    let line = random_text(BASE64_DIGITS, 64);
    let dashes = "-".repeat(5);
    format!("{dashes}BEGIN {kind}{dashes}\n{extra}{line}\n{line}\n{line}\n{dashes}END {kind}{dashes}\n")
}

/// Tokens: the name of a file, and the token, composed from parts.
#[rustfmt::skip]
fn tokens() -> Vec<(&'static str, String)> {
    let (hex, alnum) = (|size| random_text(HEX_DIGITS, size), |size| random_text(ALPHANUMERIC, size));
    let token = |start: &str, body: String| [start, &body].concat();
    vec![
        ("age.txt", token("AGE-SECRET-KEY-", format!("1{}", random_text("QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L", 58)))),
        ("alibaba.js", token("LT", format!("AI{}", alnum(20)))),
        ("anthropic.py", token("sk-", format!("ant-api03-{}", alnum(93)))),
        ("artifactory.txt", token("AK", format!("Cp{}", alnum(69)))),
        ("atlassian.txt", token("ATA", format!("TT3{}", alnum(180)))),
        ("aws-id.js", token("AK", format!("IA{}", random_text(BASE32, 16)))),
        ("aws-session.js", token("AS", format!("IA{}", random_text(BASE32, 16)))),
        ("aws-secret.sh", format!("AWS_SECRET_{}_KEY={}", "ACCESS", random_text(BASE64_DIGITS, 40))),
        ("aws-credentials.txt", format!("aws_secret_{}_key = {}\n", "access", random_text(BASE64_DIGITS, 40))),
        ("aws.json", format!("{{\"Secret{}Key\": \"{}\"}}", "Access", random_text(BASE64_DIGITS, 40))),
        ("azure-storage.txt", format!("DefaultEndpointsProtocol=https;AccountName=shop;Account{}={}==", "Key", random_text(BASE64_DIGITS, 86))),
        ("azure-bus.txt", format!("Endpoint=sb://shop/;SharedAccessKeyName=root;SharedAccess{}={}=", "Key", random_text(BASE64_DIGITS, 43))),
        ("azure-sas.html", format!("https://shop.blob/x?sv=2022-11-02&ss=b&sig={}%3D", random_text(ALPHANUMERIC, 43))),
        ("azure-entra.js", format!("secret: '{}8{}~{}'", random_text(ALPHANUMERIC, 3), "Q", random_text(ALPHANUMERIC, 34))),
        ("bitbucket.txt", token("ATB", format!("B{}", alnum(32)))),
        ("buildkite.txt", token("bk", format!("ua_{}", hex(40)))),
        ("clojars.txt", token("CLOJ", format!("ARS_{}", hex(60)))),
        ("contentful.js", token("CFP", format!("AT-{}", alnum(43)))),
        ("cargo.txt", token("ci", format!("o{}", alnum(32)))),
        ("databricks.py", token("da", format!("pi{}", hex(32)))),
        ("digitalocean.tf", token("dop", format!("_v1_{}", hex(64)))),
        ("digitalocean-refresh.tf", token("dor", format!("_v1_{}", hex(64)))),
        ("discord.js", format!("https://{}.com/api/webhooks/{}/{}", "discord", random_text(DIGITS, 18), alnum(68))),
        ("docker-hub.txt", token("dckr", format!("_pat_{}", alnum(27)))),
        ("doppler.txt", token("dp", format!(".pt.{}", alnum(43)))),
        ("figma.js", token("fi", format!("gd_{}", alnum(40)))),
        ("fly.txt", token("fo", format!("1_{}", alnum(43)))),
        ("github.md", token_with_checksum(&["gh", "p_"].concat())),
        ("github-oauth.md", token_with_checksum(&["gh", "o_"].concat())),
        ("github-server.md", token_with_checksum(&["gh", "s_"].concat())),
        ("github-user.md", token_with_checksum(&["gh", "u_"].concat())),
        ("github-fine.md", token("github", format!("_pat_{}_{}", alnum(22), alnum(59)))),
        ("gitlab.md", token("gl", format!("pat-{}", alnum(20)))),
        ("gitlab-deploy.md", token("gl", format!("dt-{}", alnum(20)))),
        ("gitlab-runner.md", token("gl", format!("rt-{}", alnum(20)))),
        ("gitlab-trigger.md", token("gl", format!("ptt-{}", alnum(40)))),
        ("google-client.json", token("GOC", format!("SPX-{}", alnum(28)))),
        ("google-access.txt", token("ya", format!("29.{}", alnum(120)))),
        ("grafana.txt", token("gl", format!("sa_{}_{}", alnum(32), hex(8)))),
        ("groq.py", token("gs", format!("k_{}", alnum(52)))),
        ("hubspot.js", format!("pat-{}-{}-{}-{}-{}-{}", "na1", hex(8), &hex(12)[..4], &hex(12)[4..8], &hex(12)[8..], hex(12))),
        ("hugging-face.py", token("h", format!("f_{}", alnum(34)))),
        ("langsmith.py", token("ls", format!("v2_pt_{}_{}", hex(32), hex(10)))),
        ("linear.js", token("lin", format!("_api_{}", alnum(40)))),
        ("mailgun.php", token("ke", format!("y-{}", hex(32)))),
        ("new-relic.txt", token("NR", format!("AK-{}", random_text(&BASE32[..26], 27)))),
        ("notion.js", token("nt", format!("n_{}", alnum(46)))),
        ("npm.txt", token_with_checksum(&["np", "m_"].concat())),
        ("npmrc.txt", format!("//registry.npmjs.org/:_auth{}={}", "Token", token_with_checksum(&["np", "m_"].concat()))),
        ("openai.py", format!("sk-{}T3Blb{}{}", alnum(20), "kFJ", random_text(ALPHANUMERIC, 21))),
        ("openai-project.py", format!("sk-proj-{}T3Blb{}{}", alnum(74), "kFJ", random_text(ALPHANUMERIC, 73))),
        ("openrouter.py", token("sk-", format!("or-v1-{}", hex(64)))),
        ("perplexity.py", token("pp", format!("lx-{}", alnum(48)))),
        ("planetscale.js", token("psc", format!("ale_pw_{}", alnum(43)))),
        ("postman.json", token("PM", format!("AK-{}-{}", hex(24), hex(34)))),
        ("pulumi.txt", token("pu", format!("l-{}", hex(40)))),
        ("pypi.txt", token("py", format!("pi-AgEIcHlwaS5vcmc{}", alnum(120)))),
        ("replicate.py", token("r", format!("8_{}", alnum(37)))),
        ("rubygems.txt", token("ruby", format!("gems_{}", hex(48)))),
        ("sendgrid.php", format!("S{}.{}.{}", "G", alnum(22), alnum(43))),
        ("sentry.txt", token("sn", format!("tryu_{}", hex(64)))),
        ("shopify.rb", token("sh", format!("pat_{}", hex(32)))),
        ("shopify-secret.rb", token("sh", format!("pss_{}", hex(32)))),
        ("slack.py", format!("xo{}-{}-{}-{}", "xb", random_text(DIGITS, 12), random_text(DIGITS, 13), alnum(24))),
        ("slack-app.py", format!("xa{}-1-{}-{}-{}", "pp", alnum(11), random_text(DIGITS, 13), hex(64))),
        ("slack-hook.sh", format!("https://hooks.{}.com/services/T{}/B{}/{}", "slack", random_text(BASE32, 8), random_text(BASE32, 10), alnum(24))),
        ("sonar.txt", token("sq", format!("u_{}", hex(40)))),
        ("square.js", token("sq", format!("0csp-{}", alnum(43)))),
        ("stripe.js", token("sk", format!("_live_{}", alnum(24)))),
        ("stripe-restricted.js", token("rk", format!("_live_{}", alnum(99)))),
        ("stripe-webhook.js", token("wh", format!("sec_{}", alnum(32)))),
        ("supabase.ts", token("sb", format!("p_{}", hex(40)))),
        ("tailscale.txt", token("ts", format!("key-auth-{}-{}", alnum(12), alnum(32)))),
        ("telegram.py", format!("{}:{}{}", random_text("123456789", 10), "AA", alnum(33))),
        ("terraform.tf", format!("{}.atlas{}.{}", alnum(14), "v1", alnum(67))),
        ("twilio.py", token("S", format!("K{}", hex(32)))),
        ("vault.hcl", token("hv", format!("s.{}", alnum(90)))),
        ("web-token.txt", format!("{}.{}.{}", BASE64_STANDARD.encode(b"{\"alg\":\"HS256\",\"typ\":\"JWT\"}").replace('=', ""), BASE64_STANDARD.encode(b"{\"sub\":\"shop\",\"iat\":1700000001} ").replace('=', ""), alnum(43))),
        ("xai.py", token("xa", format!("i-{}", alnum(80)))),
    ]
}

/// Keys, files with logins and configuration.
#[rustfmt::skip]
fn files() -> Vec<(&'static str, Vec<u8>)> {
    let private = ["PRIVATE", "KEY"].join(" ");
    let pem = |kind: &str| pem_block(&format!("{kind}{private}"), "");
    let password = random_text(ALPHANUMERIC, 12);
    let kubeconfig = "apiVersion: v1\nkind: Config\nclusters: []\ncontexts: []\ncurrent-context: prod\nusers:\n- name: ada\n  user:\n";
    let der = |head: &[u8]| [head, random_text(BASE64_DIGITS, 300).as_bytes()].concat();
    let text = |text: String| text.into_bytes();
    vec![
        ("keys/rsa", text(pem("RSA "))),
        ("keys/ec", text(pem("EC "))),
        ("keys/dsa", text(pem("DSA "))),
        ("keys/pkcs8", text(pem(""))),
        ("keys/encrypted", text(pem("ENCRYPTED "))),
        ("keys/openssh", text(pem("OPENSSH "))),
        ("keys/traditional", text(pem_block(&format!("RSA {private}"), &format!("Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,{}\n\n", random_text(HEX_DIGITS, 16))))),
        ("keys/pgp.asc", text(pem_block(&format!("PGP {private} BLOCK"), "Comment: ada\n\n"))),
        ("keys/one-line.js", text(format!("const key = {:?};", pem("")))),
        ("keys/service-account.txt", text(format!("{{\"type\": \"service_account\", \"private_key\": {:?}}}", pem("")))),
        ("keys/putty.txt", text(format!("PuTTY-User-Key-{}-3: ssh-rsa\nEncryption: none\nPrivate-Lines: 1\n{}\n", "File", random_text(BASE64_DIGITS, 64)))),
        ("keys/openvpn.txt", text(pem_block(&["OpenVPN Static", "key V1"].join(" "), ""))),
        ("keys/secret.txt", text(format!("  tls.key: {}\n", BASE64_STANDARD.encode(pem("").as_bytes())))),
        ("keys/wireguard.txt", text(format!("[Interface]\nPrivate{} = {}=\n", "Key", random_text(BASE64_DIGITS, 43)))),
        ("keys/pkcs1.der", der(&[0x30, 0x82, 4, 0xa4, 2, 1, 0, 2, 0x82, 1, 1, 0])),
        ("keys/pkcs8.der", der(&[0x30, 0x82, 4, 0xbd, 2, 1, 0, 0x30, 13, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7])),
        ("keys/ed25519.der", der(&[0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20])),
        ("keys/store.bin", der(&[0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 1])),
        ("keys/store12.bin", der(&[0x30, 0x82, 9, 9, 2, 1, 3, 0x30, 0x82, 9, 9, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 1])),
        ("keys/gnupg", text(format!("(11:private-{}(3:rsa(1:n257:", "key"))),
        ("logins/netrc", text(format!("machine git.acme.dev login ada pass{} {password}\n", "word"))),
        ("logins/docker.txt", text(format!("{{\"auths\": {{\"r.acme.dev\": {{\"auth\": \"{}\"}}}}}}", BASE64_STANDARD.encode(format!("ada:{password}").as_bytes())))),
        ("logins/git", text(format!("https://ada:{password}@git.acme.dev\n"))),
        ("logins/shadow", text(format!("ada:$6${}${}:19000:0:99999:7:::\n", random_text(ALPHANUMERIC, 8), random_text(ALPHANUMERIC, 86)))),
        ("logins/htpasswd", text(format!("ada:$2y$10${}\n", random_text(ALPHANUMERIC, 53)))),
        ("logins/kube-token", text(format!("{kubeconfig}    token: {}\n", random_text(ALPHANUMERIC, 32)))),
        ("logins/kube-key", text(format!("{kubeconfig}    client-key-data: {}\n", BASE64_STANDARD.encode(pem("RSA ").as_bytes())))),
        ("config/.env", text(format!("PORT=80\nDB_PASSWORD={password}\n"))),
        ("config/application.yml", text(format!("spring:\n  datasource:\n    password: {password}\n"))),
        ("config/appsettings.json", text(format!("{{\"Db\": \"Server=db;User Id=sa;Password={password};\"}}"))),
        ("config/settings.py", text(format!("SECRET_KEY = '{}'\n", random_text(ALPHANUMERIC, 50)))),
        ("config/my.cnf", text(format!("[client]\nuser = ada\npassword = {password}\n"))),
        ("config/shop.ini", text(format!("[db]\nurl = postgres://shop:{password}@db.internal/shop\n"))),
        ("config/shop.properties", text(format!("mail.api-key={password}\n"))),
        ("config/redis.conf", text(format!("masterauth: x\nredis_password: {password}\n"))),
    ]
}

/// Returns all planted files.
pub fn planted_files() -> Vec<PlantedFile> {
    let tokens = tokens()
        .into_iter()
        .map(|(file, token)| (format!("tokens/{file}"), format!("const x = \"{token}\";\n").into_bytes()));
    let files = files().into_iter().map(|(file, text)| (file.to_owned(), text));
    tokens.chain(files).map(|(file, text)| PlantedFile { file, text }).collect()
}
