"""A corpus of files with one secret each, and of files without any, for benches/secrets.py.

Every secret is random, with a fixed seed. Names of files are those of the formats.
"""

import base64
import gzip
import io
import json
import marshal
import pathlib
import random
import re
import shutil
import sqlite3
import string
import subprocess
import tarfile
import tempfile
import urllib.parse
import zipfile
import zlib

LETTERS = string.ascii_letters + string.digits
HEX = "0123456789abcdef"
PASSWORD_ALPHABETS = {
    "hexadecimal": HEX,
    "lower case and digits": string.ascii_lowercase + string.digits,
    "letters and digits": LETTERS,
    "base64": LETTERS + "+/",
    "letters, digits and signs": LETTERS + "!#%&*+-.:;=?@^_~",
}
BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase


# What follows a token in the expressions of gitleaks.
ENDS = ("""(?:[\\x60'"\\s;]|\\\\[nr]|$)""", """(?:[\\x60'"\\s;]|\\\\[nr]|$|\\b)""", r"(?:[^\w-]|\z)", r"(?:[^a-zA-Z0-9+/]|\z)")


class Corpus:
    def __init__(self, directory, seed):
        self.directory = pathlib.Path(directory)
        self.random = random.Random(seed)
        self.kinds = {}

    def text(self, alphabet, size):
        return "".join(self.random.choice(alphabet) for _ in range(size))

    def github_token(self):
        body = self.text(LETTERS, 30)
        rest, checksum = zlib.crc32(body.encode()), ""
        for _ in range(6):
            checksum = BASE62[rest % 62] + checksum
            rest //= 62
        return "gh" + "p_" + body + checksum

    def add(self, kind, name, content):
        """Adds a file with a secret of `kind`."""
        number = len(self.kinds)
        path = self.directory / f"{number:05}" / name
        path.parent.mkdir(parents=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        self.kinds[f"{number:05}"] = kind

    def sample(self, pattern):
        """A random string that a regular expression matches."""
        parser = re._parser
        out = []

        def characters(items):
            found = []
            for op, value in items:
                name = str(op)
                if name == "LITERAL":
                    found.append(chr(value))
                elif name == "RANGE":
                    found += [chr(code) for code in range(value[0], value[1] + 1)]
                elif name == "CATEGORY":
                    found += {"CATEGORY_DIGIT": string.digits, "CATEGORY_WORD": LETTERS + "_"}.get(str(value), LETTERS)
                elif name == "NEGATE":
                    return list(LETTERS)
            return found or [" "]

        def walk(tree):
            for op, value in tree:
                name = str(op)
                if name == "LITERAL":
                    out.append(chr(value))
                elif name == "NOT_LITERAL" or name == "ANY":
                    out.append(self.random.choice(LETTERS))
                elif name == "IN":
                    found = characters(value)
                    alphanumeric = [character for character in found if character.isalnum()]
                    out.append(self.random.choice(alphanumeric or found))
                elif name == "BRANCH":
                    walk(self.random.choice(value[1]))
                elif name == "SUBPATTERN":
                    walk(value[-1])
                elif name in ("MAX_REPEAT", "MIN_REPEAT"):
                    least, most, what = value
                    for _ in range(least if name == "MIN_REPEAT" else self.random.randint(least, min(most, least + 8))):
                        walk(what)

        walk(parser.parse(pattern))
        return "".join(out)


def add_forms(corpus, rules):
    """A file for each rule of gitleaks with a form, as a value with the issuer's name."""
    for rule in rules:
        pattern = rule.get("regex", "")
        name = rule["id"].replace("-", "_")
        # Those of GitHub and npm have checksums.
        skipped = ("github-", "npm-", "nuget", "jwt", "generic-api-key", "curl-", "kubernetes-secret", "private-key", "pkcs12", "-pub", "jwt-base64", "hashicorp-tf-password", "public-key", "client-id", "access-id", "api-id")
        if any(word in rule["id"] for word in skipped) or not pattern:
            continue
        prefix = re.search(r"\(\?:=\|>\|.*?\{0,5\}", pattern)
        body = pattern[prefix.end():] if prefix else pattern
        for end in ENDS:
            body = body.replace(end, "")
        body = re.sub(r"\(\?-?i:|\(\?P<\w+>", "(?:", body.replace("(?i)", "").replace(r"\z", "").replace("[[:alnum:]]", "[a-zA-Z0-9]"))
        body = body.replace("\\x60", "`").replace(r"\b", "")
        for attempt in range(2):
            token = corpus.sample(body)
            files = [("deploy.js", f'const {name} = "{token}";\n'), (".env", f"{name.upper()}={token}\n")]
            corpus.add("forms of gitleaks", *files[attempt])


def add_wrappings(corpus):
    """A token in many encodings and containers."""
    for _ in range(3):
        token, other = corpus.github_token(), "gl" + "pat-" + corpus.text(LETTERS, 20)
        for secret in (token, other):
            quoted = json.dumps({"token": secret})
            encoded = base64.b64encode(f"user:{secret}@host".encode()).decode()
            lines = base64.encodebytes(json.dumps({"user": "ada", "text": "x" * 90, "token": secret}).encode()).decode()
            uni = "".join(f"\\u{ord(character):04x}" for character in secret)
            hexed = "".join(f"\\x{ord(character):02x}" for character in secret)
            member = io.BytesIO()
            with zipfile.ZipFile(member, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.writestr("readme.txt", "text " * 100)
                archive.writestr("app/config.txt", f"value {secret} end " * 3)
            stored = io.BytesIO()
            with zipfile.ZipFile(stored, "w") as archive:
                archive.writestr("config.txt", f"value {secret}\n")
            tar = io.BytesIO()
            with tarfile.open(fileobj=tar, mode="w") as archive:
                info = tarfile.TarInfo("config.txt")
                info.size = len(secret)
                archive.addfile(info, io.BytesIO(secret.encode()))
            code = compile(f"TOKEN = {secret!r}\ndef f():\n    return TOKEN, {('x' + secret)[1:]!r}\n", "app.py", "exec")
            files = {
                "plain.txt": f"{secret}\n",
                "sentence.md": f"The token is {secret}.\n",
                "value.json": quoted,
                "in-json.json": json.dumps({"text": quoted}),
                "in-json-twice.json": json.dumps({"text": json.dumps({"text": quoted})}),
                "unicode.json": f'{{"token": "{uni}"}}',
                "dash.json": quoted.replace("-", "\\u002d").replace("_", "\\u005f"),
                "escaped.c": f'char *token = "{hexed}";\n',
                "value.yaml": f"token: {secret}\n",
                "quoted.yaml": f"token: '{secret}'\n",
                "block.yaml": f"text: |\n  token {secret}\n",
                "export.sh": f"export TOKEN={secret}\n",
                "escaped.sh": "export TOKEN=" + secret.replace("_", "\\_").replace("-", "\\-") + "\n",
                "ansi.sh": f"export TOKEN=$'{hexed}'\n",
                "continued.sh": f"export TOKEN={secret[:15]}\\\n{secret[15:]}\n",
                "query.txt": f"https://acme.dev/?a=b&token={secret}&c=d\n",
                "escaped-query.txt": f"https://acme.dev/?url=token%3D{secret}%26c\n",
                "percent.txt": "token=" + secret.replace("_", "%5F").replace("-", "%2D") + "\n",
                "every-percent.txt": "token=" + "".join(f"%{ord(character):02X}" for character in secret) + "\n",
                "attribute.xml": f'<a token="{secret}"/>',
                "element.xml": f"<token>{secret}</token>",
                "entities.xml": "<a>" + secret.replace("_", "&#95;").replace("-", "&#x2d;") + "</a>",
                "comment.html": f"<!-- {secret} -->",
                "table.csv": f"1,{secret},x\n",
                "url.txt": f"https://oauth2:{secret}@git.acme.dev/x.git\n",
                "header.txt": f"Authorization: Bearer {secret}\n",
                "base64.txt": base64.b64encode(secret.encode()).decode() + "\n",
                "basic.txt": f"Authorization: Basic {encoded}\n",
                "base64.yaml": f"data:\n  token: {base64.b64encode(secret.encode()).decode()}\n",
                "base64url.txt": "x=" + base64.urlsafe_b64encode(f"a={secret}?>".encode()).decode().rstrip("="),
                "base64-lines.txt": lines,
                "base64-json.json": json.dumps({"data": lines}),
                "data-url.css": "a { background: url(data:text/plain;base64," + base64.b64encode(secret.encode()).decode() + ") }",
                "hexadecimal.txt": secret.encode().hex(),
                "utf16-le.reg": ("\ufeff" + f'"token"="{secret}"\r\n').encode("utf-16-le"),
                "utf16-be.txt": ("\ufeff" + f"token {secret}\r\n").encode("utf-16-be"),
                "utf16.bin": b"\x01\x02\x03" + secret.encode("utf-16-le") + b"\x05\x06",
                "powershell.ps1": "powershell -EncodedCommand " + base64.b64encode(f"$t = '{secret}'".encode("utf-16-le")).decode(),
                "text.txt.gz": gzip.compress(f"token {secret}\n".encode() * 3),
                "image.tar": tar.getvalue(),
                "image.tar.gz": gzip.compress(tar.getvalue()),
                "archive.zip": member.getvalue(),
                "stored.zip": stored.getvalue(),
                "program.pyz": b"#!/usr/bin/env python3\n" + member.getvalue(),
                "base64-gzip.txt": base64.b64encode(gzip.compress(f"token {secret}\n".encode() * 3)),
                "gzip-base64.gz": gzip.compress(base64.b64encode(f"the token is {secret}\n".encode())),
                "app.pyc": b"\xcb\r\r\n" + bytes(12) + marshal.dumps(code),
                "strings.bin": b"\0\x01" + bytes([len(secret)]) + secret.encode() + b"zz\0\x02",
                "serialized.txt": f's:{len(secret)}:"{secret}";',
            }
            with tempfile.TemporaryDirectory() as directory:
                path = pathlib.Path(directory) / "a.db"
                database = sqlite3.connect(path)
                database.execute("CREATE TABLE logins (user TEXT, token TEXT, note TEXT)")
                database.execute("INSERT INTO logins VALUES (?, ?, ?)", ("ada", secret, "note"))
                database.commit()
                database.close()
                files["app.db"] = path.read_bytes()
            for name, content in files.items():
                corpus.add("wrappings of tokens", name, content)


def add_stores(corpus):
    """Keys and key stores that openssl, keytool, gpg and ssh-keygen make."""
    with tempfile.TemporaryDirectory() as directory:
        scripts = [
            "openssl genrsa -out rsa.pem 2048; openssl rsa -in rsa.pem -traditional -out rsa1.pem; openssl rsa -in rsa.pem -outform DER -out rsa.der",
            "openssl pkcs8 -topk8 -nocrypt -in rsa.pem -outform DER -out rsa.pk8; openssl pkcs8 -topk8 -passout pass:x1 -in rsa.pem -out encrypted.pem",
            "openssl pkcs8 -topk8 -passout pass:x1 -in rsa.pem -outform DER -out encrypted.der; openssl genrsa -out rsa4096.pem 4096",
            "openssl ecparam -genkey -name prime256v1 -noout -out ec.pem; openssl ec -in ec.pem -outform DER -out ec.der",
            "openssl genpkey -algorithm ed25519 -out ed25519.pem; openssl genpkey -algorithm ed25519 -outform DER -out ed25519.der",
            "openssl dsaparam -genkey 1024 -out dsa.pem",
            "openssl req -x509 -key rsa.pem -subj /CN=a -out cert.crt; openssl pkcs12 -export -inkey rsa.pem -in cert.crt -passout pass:secret1 -out store.p12",
            "ssh-keygen -q -t ed25519 -N '' -f id_ed25519; ssh-keygen -q -t rsa -b 3072 -N '' -f id_rsa; ssh-keygen -q -t ecdsa -N passphrase -f id_ecdsa",
            "keytool -genkeypair -keyalg RSA -alias a -dname CN=a -storetype JKS -keystore store.jks -storepass changeit -keypass changeit",
            "keytool -genkeypair -keyalg RSA -alias a -dname CN=a -storetype JCEKS -keystore store.jceks -storepass changeit -keypass changeit",
            "mkdir -m 700 g; gpg --homedir g --batch --passphrase '' --quick-gen-key a@b.c rsa2048; gpg --homedir g --batch --armor --export-secret-keys > pgp.asc; gpg --homedir g --batch --export-secret-keys > pgp.gpg; cat g/private-keys-v1.d/*.key > gnupg.key; gpgconf --homedir g --kill all; rm -rf g",
        ]
        for script in scripts:
            subprocess.run(["sh", "-c", script], cwd=directory, capture_output=True, check=False)
        files = {path.name: path.read_bytes() for path in sorted(pathlib.Path(directory).iterdir()) if path.suffix not in (".pub", ".crt")}
    pem = {name: content.decode() for name, content in files.items() if name.endswith((".pem", ".asc")) or name.startswith("id_")}
    for name, content in files.items():
        corpus.add("keys and stores", f"a-{name}", content)
        corpus.add("keys and stores", f"{name}.txt", base64.b64encode(content))
    for name, content in pem.items():
        corpus.add("keys and stores", f"{name}.json", json.dumps({"private_key": content}))
        corpus.add("keys and stores", f"{name}.yaml", "key: |\n" + "".join(f"  {line}\n" for line in content.splitlines()))
        corpus.add("keys and stores", f"{name}.env", "KEY=\"" + content.replace("\n", "\\n") + '"\n')
        corpus.add("keys and stores", f"{name}.line", content.replace("\n", " "))
        corpus.add("keys and stores", f"{name}.utf16", content.encode("utf-16"))
    d = base64.urlsafe_b64encode(corpus.random.randbytes(32)).decode().rstrip("=")
    corpus.add("keys and stores", "a.jwk", json.dumps({"kty": "EC", "crv": "P-256", "x": d[::-1], "y": d, "d": d}))
    corpus.add("keys and stores", "jwks.json", json.dumps({"keys": [{"kty": "oct", "kid": "1", "k": d}]}, indent=2))
    corpus.add("keys and stores", "age.txt", "AGE-SECRET-" + "KEY-1" + corpus.text("QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L", 58))
    corpus.add("keys and stores", "wg0.conf", f"[Interface]\nPrivateKey = {base64.b64encode(corpus.random.randbytes(32)).decode()}\n")
    corpus.add("keys and stores", "a.ppk", f"PuTTY-User-Key-File-3: ssh-rsa\nEncryption: none\nPrivate-Lines: 1\n{corpus.text(LETTERS, 64)}\n")


def password_files(password):
    """Files with a login, each with its name."""
    quoted = json.dumps(password)
    encoded = base64.b64encode(f"ada:{password}".encode()).decode()
    authority = base64.b64encode(b"certificate " * 100).decode()
    escaped = urllib.parse.quote(password, safe="")
    xml = password.replace("&", "&amp;")
    return {
        ".env": f"PORT=80\nDB_PASSWORD={password}\n",
        "quoted/.env": f'DB_PASS="{password}"\n',
        "single/.env.production": f"API_SECRET='{password}'\n",
        ".npmrc": f"registry=https://r.acme.dev/\n//r.acme.dev/:_password={base64.b64encode(password.encode()).decode()}\n",
        "token/.npmrc": f"//r.acme.dev/:_authToken={password}\n",
        "auth/.npmrc": f"_auth={encoded}\n",
        ".netrc": f"machine git.acme.dev login ada password {password}\n",
        "default/.netrc": f"default\n  login ada\n  password {password}\n",
        ".pgpass": f"db.acme.dev:5432:shop:ada:{password.replace(':', '-')}\n",
        ".my.cnf": f"[client]\nuser=ada\npassword={password}\n",
        "my.ini": f'[client]\nuser=ada\npassword="{password}"\n',
        "pip.conf": f"[global]\nindex-url = https://ada:{escaped}@pypi.acme.dev/simple\n",
        ".pypirc": f"[pypi]\nusername = ada\npassword = {password}\n",
        ".docker/config.json": json.dumps({"auths": {"r.acme.dev": {"auth": encoded}}}),
        "kube/config": f"apiVersion: v1\nkind: Config\nclusters:\n- cluster:\n    certificate-authority-data: {authority}\n  name: a\ncontexts: []\ncurrent-context: a\nusers:\n- name: a\n  user:\n    token: {password}\n",
        "rclone.conf": f"[s3]\ntype = s3\naccess_key_id = ada\nsecret_access_key = {password}\n",
        "webdav/rclone.conf": f"[dav]\ntype = webdav\nuser = ada\npass = {password}\n",
        "wp-config.php": f"<?php\ndefine( 'DB_PASSWORD', '{password}' );\n",
        "appsettings.json": json.dumps({"ConnectionStrings": {"Db": f"Server=db;User Id=sa;Password={password.replace(';', '-')};"}}),
        "appsettings.Production.json": json.dumps({"Smtp": {"Password": password}}),
        "application.properties": f"spring.datasource.password={password}\n",
        "application.yml": f"spring:\n  datasource:\n    password: {quoted}\n",
        "values.yaml": f"db:\n  password: '{password}'\n",
        "docker-compose.yml": f"services:\n  db:\n    environment:\n      POSTGRES_PASSWORD: {quoted}\n",
        "list/docker-compose.yml": f"services:\n  db:\n    environment:\n      - POSTGRES_PASSWORD={password}\n",
        "deployment.yaml": f"env:\n- name: DB_PASSWORD\n  value: {quoted}\n",
        "secret.yaml": f"kind: Secret\nstringData:\n  password: {quoted}\n",
        "data/secret.yaml": f"kind: Secret\ndata:\n  password: {base64.b64encode(password.encode()).decode()}\n",
        "config.json": json.dumps({"db": {"password": password}}),
        "settings.toml": f"[db]\npassword = {quoted}\n",
        "terraform.tfvars": f'db_password = "{password}"\n',
        "terraform.tfstate": json.dumps({"attributes": {"password": password}}, indent=2),
        "settings.py": f"SECRET_KEY = '{password}'\n",
        "local_settings.py": f"DATABASES = {{'default': {{'PASSWORD': '{password}'}}}}\n",
        "secrets.yml": f"production:\n  secret_key_base: {quoted}\n",
        "database.yml": f"production:\n  password: {quoted}\n",
        "config.php": f"<?php return ['password' => '{password}'];\n",
        "redis.conf": f"requirepass {password}\n",
        "web.config": f'<add name="Db" connectionString="Server=db;Password={xml.replace(";", "-")};User Id=sa" />\n',
        "nuget.config": f'<add key="ClearTextPassword" value="{xml}" />\n',
        "settings.xml": f"<server><id>a</id><password>{xml}</password></server>\n",
        "tomcat-users.xml": f'<user username="ada" password="{xml}" roles="manager"/>\n',
        "gradle.properties": f"signingPassword={password}\n",
        "credentials": f"[default]\naws_access_key_id = ada\naws_secret_access_key = {password}\n",
        "config.js": f"module.exports = {{ password: '{password}' }};\n",
        "url.txt": f"postgres://ada:{escaped}@server7.acme.dev/shop\n",
        "url/.env": f"DATABASE_URL=postgres://ada:{escaped}@db.example.com/shop\n",
        "deploy.sh": f"export PGPASSWORD='{password}'\npsql\n",
        "curl.sh": f"curl -s -u 'ada:{password}' https://acme.dev/\n",
        "header.txt": f"Authorization: Basic {encoded}\n",
        "grafana.ini": f"[security]\nadmin_password = {password}\n",
        "Dockerfile": f"FROM x\nENV DB_PASSWORD={password}\n",
        "app.service": f'[Service]\nEnvironment="DB_PASSWORD={password}"\n',
        "init.sql": f"CREATE USER ada IDENTIFIED BY '{password}';\n",
        "auth.json": json.dumps({"http-basic": {"r.acme.dev": {"username": "ada", "password": password}}}),
        "hosts.yml": f"github.com:\n  oauth_token: {quoted}\n",
        "msmtprc.conf": f"account a\nuser ada\npassword {password}\n",
        "ldap.conf": f"bindpw {password}\n",
        "wpa.conf": f'network={{\n  psk="{password}"\n}}\n',
        ".yarnrc.yml": f"npmAuthToken: {quoted}\n",
        "credentials.toml": f"[registry]\ntoken = {quoted}\n",
        ".git-credentials": f"https://ada:{escaped}@git.acme.dev\n",
    }


def add_passwords(corpus):
    """Random passwords of several alphabets and lengths in every file."""
    for what, alphabet in PASSWORD_ALPHABETS.items():
        for size in (8, 12, 16, 24):
            password = corpus.text(alphabet, size)
            for name, content in password_files(password).items():
                corpus.add("logins", name, content)


def add_env(corpus):
    """Random passwords in `.env`, with quotes and without."""
    for alphabet in PASSWORD_ALPHABETS.values():
        for size in (8, 10, 12, 16, 20, 32):
            for _ in range(8):
                password = corpus.text(alphabet, size)
                corpus.add("passwords without quotes", ".env", f"APP_PASSWORD={password}\n")
                corpus.add("passwords with quotes", ".env", f'APP_PASSWORD="{password}"\n')


def add_false(corpus):
    """Files without secrets, which look like some."""
    password = corpus.text(LETTERS, 40)
    files = {
        "sops.yaml": f"password: ENC[AES256_GCM,data:{corpus.text(LETTERS, 16)},iv:{password},tag:x,type:str]\n",
        "sealed.yaml": f"kind: SealedSecret\nspec:\n  encryptedData:\n    password: AgB{corpus.text(LETTERS + '+/', 400)}=\n",
        "app.py": 'new_token = record["_id"]\npassword = os.environ["PASSWORD"]\n',
        ".env": "DB_PASSWORD=${DB_PASSWORD}\nAPI_TOKEN=$TOKEN\nSECRET=changeme\n",
        "values.yaml": "password: \"\"\nexistingSecret: my-secret\nsecretName: db-password\n",
        "config.json": '{"password": "string", "tokenUrl": "https://acme.dev/token", "publicKey": "' + password + '"}',
        "literals.bin": "rk_" + "live_variablepriorityKeyShareHello" + "gl" + "pat-gldt-glrt-glcbt-glptt-glft-glsoat-",
        "parser.bin": b"\0-----BEGIN RSA PRIVATE " + b"KEY-----\0-----END RSA PRIVATE " + b"KEY-----\0asn1: structure error\0",
        "hashes.json": json.dumps({"integrity": "sha512-" + corpus.text(LETTERS + "+/", 86), "gitHead": corpus.text(HEX, 40)}),
        "index.js": "const password = document.getElementById('password').value;\nif (token === nextToken) {}\n",
        "i18n.yaml": "password: Kennwort\ntoken: Zugriffsschlüssel\nsecret: Geheimnis\n",
        "readme.md": "Set `API_KEY=your-api-key` and `postgres://user:password@localhost/db`.\n",
        "nsswitch.conf": "passwd:         files systemd\n",
        "common-auth.conf": "auth required pam_unix.so\npassword required pam_permit.so\n",
    }
    for name, content in files.items():
        corpus.add("none", name, content)


def write(directory, rules, seed=7):
    """Writes the corpus to `directory` and returns the kind of each of its directories."""
    shutil.rmtree(directory, ignore_errors=True)
    corpus = Corpus(directory, seed)
    add_forms(corpus, rules)
    for add in (add_wrappings, add_stores, add_passwords, add_env, add_false):
        add(corpus)
    return corpus.kinds
