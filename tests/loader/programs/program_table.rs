//! The tested programs, each with arguments and its Debian package. Arguments make the program do
//! real work; many read their own file, which is in the image.

/// A program to test.
pub(crate) struct Program {
    /// Its ELF file, not a wrapper script.
    pub(crate) path: &'static str,
    pub(crate) package: &'static str,
    pub(crate) args: &'static [&'static str],
    /// Files and directories of the host that the program reads, included at the same path.
    pub(crate) data: &'static [&'static str],
    /// File systems that the program needs from the runtime: `proc`, `dev`.
    pub(crate) mounts: &'static [&'static str],
    pub(crate) user: &'static str,
}

impl Program {
    const fn new(path: &'static str, package: &'static str, args: &'static [&'static str]) -> Self {
        Self { path, package, args, data: &[], mounts: &[], user: "65532:65532" }
    }

    const fn data(self, data: &'static [&'static str]) -> Self {
        Self { data, ..self }
    }

    const fn mounts(self, mounts: &'static [&'static str]) -> Self {
        Self { mounts, ..self }
    }

    const fn user(self, user: &'static str) -> Self {
        Self { user, ..self }
    }
}

/// A user that exists on the host, for programs that look up their user.
const NOBODY: &str = "65534:65534";

/// Modules that Python reads at its start, and a part of its library.
const PYTHON: &[&str] = &[
    "/usr/lib/python3.11/collections",
    "/usr/lib/python3.11/copyreg.py",
    "/usr/lib/python3.11/encodings",
    "/usr/lib/python3.11/enum.py",
    "/usr/lib/python3.11/functools.py",
    "/usr/lib/python3.11/json",
    "/usr/lib/python3.11/keyword.py",
    "/usr/lib/python3.11/lib-dynload",
    "/usr/lib/python3.11/operator.py",
    "/usr/lib/python3.11/os.py",
    "/usr/lib/python3.11/re",
    "/usr/lib/python3.11/reprlib.py",
    "/usr/lib/python3.11/types.py",
];

/// All tested programs.
pub(crate) const PROGRAMS: &[Program] = &[
    // The network.
    Program::new("/usr/bin/curl", "curl", &["--version"]),
    Program::new("/usr/bin/dig", "bind9-dnsutils", &["-v"]),
    Program::new("/usr/bin/ldapsearch", "ldap-utils", &["-VV"]),
    Program::new("/usr/bin/ncat", "ncat", &["--version"]),
    Program::new("/usr/bin/rsync", "rsync", &["--version"]).mounts(&["proc"]),
    Program::new("/usr/bin/smbclient", "smbclient", &["--version"]),
    Program::new("/usr/bin/socat", "socat", &["-V"]),
    Program::new("/usr/bin/ssh", "openssh-client", &["-Q", "kex"]).mounts(&["dev"]).user(NOBODY),
    Program::new("/usr/bin/wget", "wget", &["--version"]),
    // Servers.
    Program::new("/usr/bin/memcached", "memcached", &["-V"]),
    Program::new("/usr/bin/redis-server", "redis-server", &["--version"]),
    Program::new("/usr/sbin/haproxy", "haproxy", &["-vv"]),
    Program::new("/usr/sbin/named", "bind9", &["-V"]),
    Program::new("/usr/sbin/nginx", "nginx-core", &["-V"]),
    Program::new("/usr/sbin/smbd", "samba", &["--build-options"]),
    // Databases.
    Program::new(
        "/usr/bin/mariadb",
        "mariadb-client-core",
        &["--no-defaults", "--print-defaults", "--version"],
    ),
    Program::new(
        "/usr/bin/sqlite3",
        "sqlite3",
        &[":memory:", "select json_extract('{\"a\":[1,2]}', '$.a[1]'), upper('ä'), 2.0 / 3, sqlite_version()"],
    )
    .user(NOBODY),
    Program::new("/usr/lib/postgresql/15/bin/pg_dump", "postgresql-client-15", &["--help"]),
    Program::new("/usr/lib/postgresql/15/bin/psql", "postgresql-client-15", &["--help=variables"]),
    // Pictures and sound.
    Program::new(
        "/usr/bin/ffmpeg",
        "ffmpeg",
        &[
            "-v", "error", "-f", "lavfi", "-i", "testsrc=duration=1:size=64x64:rate=5", "-c:v", "mpeg4",
            "-bitexact", "-f", "framemd5", "-",
        ],
    ),
    Program::new(
        "/usr/bin/ffprobe",
        "ffmpeg",
        &["-v", "error", "-f", "lavfi", "-i", "testsrc", "-of", "json", "-show_streams"],
    ),
    Program::new("/usr/bin/convert-im6.q16", "imagemagick-6.q16", &["-version"]),
    Program::new("/usr/bin/dot", "graphviz", &["-V"]),
    Program::new("/usr/bin/sox", "sox", &["-n", "-n", "synth", "1", "sine", "440", "stat"]),
    Program::new("/usr/lib/chromium/chromium", "chromium", &["--version"]),
    // Secrets.
    Program::new("/usr/bin/gpg", "gpg", &["--no-options", "--no-keyring", "--print-md", "SHA256", "/usr/bin/gpg"]),
    Program::new("/usr/bin/openssl", "openssl", &["dgst", "-sha3-256", "/usr/bin/openssl"]),
    // Languages.
    Program::new(
        "/usr/bin/gawk",
        "gawk",
        &["-M", "BEGIN { PREC = 200; printf \"%.50f %s\\n\", atan2(1, 1) * 4, toupper(\"abc\") }"],
    ),
    Program::new(
        "/usr/bin/node",
        "nodejs",
        &[
            "-e",
            "console.log(require('crypto').createHash('sha256').update('x').digest('hex'), \
             new Intl.NumberFormat('de').format(1234.5), require('zlib').deflateSync('aaa').toString('hex'))",
        ],
    ),
    Program::new("/usr/bin/jq", "jq", &["-nc", "[range(5) | . * .], (\"a1b22\" | [scan(\"[0-9]+\")]), (0 | todate)"]),
    Program::new("/usr/bin/lua5.4", "lua5.4", &["-e", "print(string.rep('x', 3, ','), math.pi, _VERSION)"]),
    Program::new(
        "/usr/bin/perl",
        "perl-base",
        &["-e", "print join(',', map { sprintf '%x', $_ ** 2 } 1..9), pack('u', 'hello'), crypt('a', 'ab'), \"\\n\""],
    )
    .mounts(&["dev"]),
    Program::new(
        "/usr/bin/php8.2",
        "php8.2-cli",
        &["-n", "-r", "echo json_encode([1, 'a' => preg_replace('/b+/', 'c', 'abba')]), hash('sha256', 'x'), PHP_EOL;"],
    )
    // Debian's PHP has no time zones of its own, and complains without UTC.
    .data(&["/usr/share/zoneinfo/UTC", "/usr/share/zoneinfo/zone.tab"]),
    Program::new(
        "/usr/bin/python3.11",
        "python3.11-minimal",
        &["-ISBc", "import json, re; print(json.dumps({'a': re.findall('[0-9]+', 'a1b22')}), 2 ** 100)"],
    )
    .data(PYTHON),
    Program::new("/usr/bin/ruby3.1", "ruby3.1", &["--disable=gems", "-e", "puts (2 ** 100).digits.sum, 'ab'.succ"]),
    Program::new("/usr/bin/bash", "bash", &["-c", "a=(1 2 3); echo $((${#a[@]} ** 5)) ${BASH_VERSION} ${a[*]:1}"]),
    Program::new("/usr/bin/dash", "dash", &["-c", "for i in 1 2 3; do echo $((i * i)); done"]),
    // Tools.
    Program::new("/usr/bin/busybox", "busybox", &["sha256sum", "/usr/bin/busybox"]),
    Program::new("/usr/bin/dc", "dc", &["-e", "2 200 ^ p"]).user(NOBODY),
    Program::new("/usr/bin/file", "file", &["--magic-file", "/usr/lib/file/magic.mgc", "/usr/bin/file"])
        .data(&["/usr/lib/file/magic.mgc"]),
    // Its own part of Python is kept from it on both sides: that would import half of the library.
    Program::new("/usr/bin/gdb", "gdb", &["-nx", "-batch", "-D", "/nowhere", "-ex", "print 6 * 7", "-ex", "python print(6 * 7)"]).data(PYTHON),
    Program::new("/usr/bin/git", "git", &["hash-object", "/usr/bin/git"]).mounts(&["dev"]),
    Program::new("/usr/bin/strace", "strace", &["--version"]),
    // It insists on a locale with UTF-8.
    Program::new("/usr/bin/tmux", "tmux", &["-V"]).data(&["/usr/lib/locale/C.utf8"]),
    Program::new("/usr/bin/vim.basic", "vim", &["--version"]),
    Program::new("/usr/bin/xmllint", "libxml2-utils", &["--version"]),
    Program::new("/usr/bin/x86_64-linux-gnu-objdump", "binutils", &["-p", "/usr/bin/x86_64-linux-gnu-objdump"]),
    Program::new("/usr/bin/xz", "xz-utils", &["--stdout", "-0", "/usr/bin/xz"]),
    Program::new("/usr/bin/zstd", "zstd", &["--stdout", "--quiet", "/usr/bin/zstd"]),
    Program::new("/usr/bin/bzip2", "bzip2", &["--stdout", "/usr/bin/bzip2"]),
    Program::new("/usr/sbin/runc", "runc", &["--version"]),
];
