"""Compares src/data/token_forms.txt with the rules of gitleaks and the detectors of trufflehog.

    git clone --depth 1 https://github.com/gitleaks/gitleaks
    git clone --depth 1 https://github.com/trufflesecurity/trufflehog
    python3 scripts/token_forms.py gitleaks trufflehog

Prints the rules and detectors with a form that the table does not name, with their expression, and
the names in the table that upstream no longer has. Fails if there are any. A new form is written by
hand, from the issuer's documentation: prefix, alphabet, length and checksum.
"""

import pathlib
import re
import sys
import tomllib

CRATE = pathlib.Path(__file__).resolve().parent.parent
TABLE = CRATE / "src/data/token_forms.txt"
# Rules of gitleaks that are not forms of tokens: rules of their own in the scanner, and public values.
OTHER_RULES = {
    "curl-auth-header", "curl-auth-user", "generic-api-key", "hashicorp-tf-password", "jwt", "jwt-base64",
    "kubernetes-secret-yaml", "nuget-config-password", "pkcs12-file", "private-key", "sidekiq-sensitive-url",
}
OTHER_DETECTORS = {"couchbase", "jdbc", "saucelabs", "webex"}


def table_names():
    names = set()
    for line in TABLE.read_text().splitlines():
        if line and not line.startswith("#"):
            names.update(line.split(" | ")[0].split())
    return names


def gitleaks_rules(checkout):
    config = tomllib.loads((checkout / "config/gitleaks.toml").read_text())
    return {rule["id"]: rule.get("regex", "") for rule in config["rules"]}


def trufflehog_detectors(checkout):
    """Detectors whose expression starts with literal text of at least three characters."""
    found = {}
    for source in sorted((checkout / "pkg/detectors").rglob("*.go")):
        if source.name.endswith("_test.go"):
            continue
        name = source.relative_to(checkout / "pkg/detectors").parts[0]
        for expression in re.findall(r"MustCompile\((?:[^`\n]*\+ )?`([^`]+)`", source.read_text(errors="replace")):
            body = re.sub(r"^(\(\?i\)|\\b|\(\?:|\()+", "", expression).replace("\\", "")
            is_form = re.match(r"[A-Za-z0-9]{2,}[_.\-]|[A-Z]{3,}", body)
            # JSON Web Tokens, hosts and connection strings have rules of their own.
            if is_form and name not in OTHER_DETECTORS and not body.startswith("eyJ"):
                found.setdefault(f"th:{name}", expression)
    return found


def main():
    gitleaks, trufflehog = (pathlib.Path(argument) for argument in sys.argv[1:3])
    names, rules, detectors = table_names(), gitleaks_rules(gitleaks), trufflehog_detectors(trufflehog)
    missing = {**{id: rules[id] for id in rules.keys() - names - OTHER_RULES}, **{name: detectors[name] for name in detectors.keys() - names}}
    for name, expression in sorted(missing.items()):
        print(f"missing: {name}: {expression[:160]}")
    directories = {f"th:{path.name}" for path in (trufflehog / "pkg/detectors").iterdir()}
    gone = names - rules.keys() - directories - {"issuer"}
    for name in sorted(gone):
        print(f"not upstream: {name}")
    print(f"{len(rules)} rules of gitleaks, {len(detectors)} detectors of trufflehog with a prefix")
    sys.exit(bool(missing or gone))


if __name__ == "__main__":
    main()
