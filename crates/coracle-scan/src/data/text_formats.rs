//! Endings of file names and the format of such files. This file has only data.

use crate::text_format::TextFormat;

/// Endings of names in lower case, the longest first where one is the ending of another.
pub(crate) const TEXT_FORMATS: &[(TextFormat, &[&str])] = &[
    (
        TextFormat::Prose,
        &[
            ".md",
            ".markdown",
            ".rst",
            ".adoc",
            ".txt",
            ".html",
            ".htm",
            ".xhtml",
            ".tex",
            ".pod",
            ".texi",
            ".man",
            ".1",
            ".3",
            ".5",
            ".8",
            ".po",
            ".ipynb",
            "readme",
            "changelog",
            "license",
            "pkg-info",
            "metadata",
            ".mdx",
            ".csv",
            ".tsv",
            ".svg",
            ".log",
            ".css",
            ".map",
            ".ejs.html",
        ],
    ),
    (
        TextFormat::Yaml,
        &[".yaml", ".yml", ".sls", "kubeconfig", ".kube/config", ".condarc", ".gemrc", ".eyaml"],
    ),
    (
        TextFormat::Json,
        &[
            ".json",
            ".jsonc",
            ".json5",
            ".tfstate",
            ".dockercfg",
            ".dockerconfigjson",
            ".jsonl",
            ".webmanifest",
            ".code-workspace",
            ".avsc",
        ],
    ),
    (TextFormat::Toml, &[".toml", ".tfvars", ".hcl", ".tf", ".nomad"]),
    (
        TextFormat::Xml,
        &[
            ".xml", ".config", ".plist", ".csproj", ".props", ".xsd", ".wsdl", ".xsl", ".jelly", ".xaml",
            ".resx",
        ],
    ),
    (
        TextFormat::Lines,
        &[
            ".env",
            ".ini",
            ".cfg",
            ".cnf",
            ".conf",
            ".properties",
            ".npmrc",
            ".yarnrc",
            ".pypirc",
            ".netrc",
            "_netrc",
            ".pgpass",
            ".s3cfg",
            ".boto",
            ".ovpn",
            ".rc",
            "credentials",
            ".gitconfig",
            ".curlrc",
            ".wgetrc",
            ".msmtprc",
            ".muttrc",
            ".fetchmailrc",
            ".bowerrc",
            ".reg",
            ".service",
            ".list",
            ".netrc.gpg",
            ".envrc",
            ".secret",
            ".secrets",
            ".key",
            ".kv",
            ".inf",
            ".desktop",
            ".my.cnf",
            ".rclone.conf",
            ".sqlrc",
        ],
    ),
    (
        TextFormat::Shell,
        &[
            ".sh",
            ".bash",
            ".zsh",
            ".ksh",
            ".csh",
            ".fish",
            "dockerfile",
            "containerfile",
            ".bat",
            ".cmd",
            ".ps1",
            ".bashrc",
            ".zshrc",
            ".profile",
            ".bash_profile",
            "_history",
        ],
    ),
    (
        TextFormat::HashCode,
        &[
            ".py", ".rb", ".pl", ".pm", ".r", ".jl", ".nix", ".tcl", ".awk", ".psm1", ".psd1", ".pyi", ".t",
            ".cmake", ".mk", "makefile", ".ex", ".exs", ".coffee", ".gemspec", "gemfile", "rakefile",
            ".rake", ".bats", ".feature", ".pxd", ".pyx",
        ],
    ),
    (
        TextFormat::SlashCode,
        &[
            ".js", ".mjs", ".cjs", ".ts", ".mts", ".cts", ".jsx", ".tsx", ".php", ".java", ".kt", ".kts",
            ".scala", ".groovy", ".gradle", ".go", ".rs", ".c", ".h", ".cc", ".cpp", ".hpp", ".cs", ".vb",
            ".swift", ".m", ".mm", ".dart", ".vue", ".svelte", ".scss", ".less", ".proto", ".zig", ".v",
            ".d", ".pas", ".erl", ".fs", ".ml", ".clj", ".inc", ".phtml", ".jsp", ".asp", ".aspx", ".cshtml",
            ".ejs", ".hbs", ".sol", ".graphql", ".f90", ".s",
        ],
    ),
    (TextFormat::Sql, &[".sql", ".lua", ".hs", ".elm", ".ada", ".psql", ".ddl"]),
];

/// Names of files with lines of fields that are separated by spaces or colons, the last of which is a
/// password.
pub(crate) const PASSWORD_FIELD_FILES: &[&str] = &[
    ".pgpass",
    "pgpass.conf",
    "pgpass",
    "sasl_passwd",
    "chap-secrets",
    "pap-secrets",
    ".ftpquota",
    "passwd-s3fs",
    ".passwd-s3fs",
];

/// Words of names of examples.
pub(crate) const EXAMPLE_WORDS: &[&str] =
    &["example", "examples", "sample", "samples", "fixture", "fixtures", "mock", "mocks", "paginators"];

/// Directories of published packages: npm, pip, Bundler, Composer, Go, Cargo.
pub(crate) const PUBLISHED_DIRECTORIES: &[&str] = &[
    "node_modules",
    "site-packages",
    "dist-packages",
    "gems",
    "vendor",
    "third_party",
    "_vendor",
    "vendored",
];

/// Files that are in each package of a registry, next to its contents: Cargo, Go, Bundler, Composer.
pub(crate) const PACKAGE_MARKS: &[&str] = &[
    ".cargo_vcs_info.json",
    ".cargo-checksum.json",
    "cargo.toml.orig",
    ".cargo-ok",
    "modules.txt",
    "installed.json",
];

/// Endings of directories next to the contents of packages of Python.
pub(crate) const PACKAGE_INFO_DIRECTORIES: &[&str] = &[".dist-info", ".egg-info"];
