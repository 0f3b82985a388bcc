//! Paths in the text of programs and libraries that say nothing about what an image lacks: directories
//! that everything shares, files that the container engine or Coracle provides, documentation, and files
//! that libraries read only for rare features.

use crate::closure::MappedObject;

/// Directories that many packages share. They are never added as a whole; paths below them count.
const SHARED_DIRECTORIES: &[&str] = &[
    "/bin",
    "/etc",
    "/lib",
    "/lib64",
    "/opt",
    "/sbin",
    "/srv",
    "/usr",
    "/var",
    "/usr/bin",
    "/usr/games",
    "/usr/lib",
    "/usr/lib32",
    "/usr/lib64",
    "/usr/libexec",
    "/usr/local",
    "/usr/sbin",
    "/usr/share",
    "/usr/local/bin",
    "/usr/local/etc",
    "/usr/local/lib",
    "/usr/local/libexec",
    "/usr/local/sbin",
    "/usr/local/share",
    "/usr/local/games",
    "/var/cache",
    "/var/lib",
    "/var/opt",
    "/var/spool",
    "/var/local",
    "/etc/default",
    "/etc/init.d",
    "/etc/opt",
    "/etc/xdg",
    "/etc/ssl",
    "/etc/ssl/certs",
    "/etc/ssl/private",
    "/etc/pki",
    "/etc/pki/tls",
    "/etc/pki/tls/certs",
    "/etc/skel",
    "/etc/security",
    "/etc/systemd",
    "/etc/cron.d",
    "/usr/share/X11",
    "/usr/share/pixmaps",
    "/usr/share/icons",
    "/usr/share/themes",
    "/usr/share/applications",
    "/usr/share/misc",
    "/usr/share/dict",
    "/usr/lib/ssl",
    "/usr/share/glib-2.0",
    "/usr/share/ca-certificates",
    "/usr/local/ssl",
    "/usr/local/share/ca-certificates",
];

/// Directories whose contents are never reported.
const IGNORED_DIRECTORIES: &[&str] = &[
    "/usr/include",
    "/usr/local/include",
    "/usr/src",
    "/usr/local/src",
    "/usr/share/doc",
    "/usr/share/man",
    "/usr/share/info",
    "/usr/share/locale",
    "/usr/share/help",
    "/usr/share/gtk-doc",
    "/usr/share/bug",
    "/usr/share/lintian",
    "/usr/share/locale-langpack",
    "/usr/lib/debug",
    "/usr/lib/locale",
    "/usr/share/zoneinfo",
    "/var/log",
    "/var/run",
    "/var/lock",
    "/var/tmp",
    "/var/mail",
    "/var/spool/mail",
    "/var/backups",
    "/var/cache/nscd",
    "/var/lib/nscd",
    "/var/db",
    "/var/lib/dpkg",
    "/var/lib/apt",
    "/etc/pam.d",
    "/etc/apt",
    "/etc/dpkg",
    "/usr/local/go",
    "/usr/lib/go",
    "/usr/local/cargo",
    "/etc/selinux",
    "/usr/share/bash-completion",
    "/etc/alternatives",
    "/var/lib/systemd",
    "/usr/lib/systemd",
    "/lib/systemd",
    "/etc/systemd",
    "/etc/ld.so.conf.d",
    "/usr/share/common-licenses",
];

/// Files that the container engine provides, that Coracle adds by itself, or that describe the machine.
const IGNORED_FILES: &[&str] = &[
    "/etc/passwd",
    "/etc/passwd-",
    "/etc/group",
    "/etc/shadow",
    "/etc/gshadow",
    "/etc/hosts",
    "/etc/hostname",
    "/etc/resolv.conf",
    "/etc/nsswitch.conf",
    "/etc/host.conf",
    "/etc/localtime",
    "/etc/timezone",
    "/etc/adjtime",
    "/etc/mtab",
    "/etc/fstab",
    "/etc/machine-id",
    "/var/lib/dbus/machine-id",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.preload",
    "/etc/os-release",
    "/usr/lib/os-release",
    "/etc/debian_version",
    "/etc/lsb-release",
    "/etc/issue",
    "/etc/issue.net",
    "/etc/motd",
    "/etc/shells",
    "/etc/securetty",
    "/etc/environment",
    "/etc/profile",
    "/etc/login.defs",
    "/etc/gai.conf",
    "/etc/locale.alias",
    "/etc/locale.conf",
    "/etc/default/locale",
    "/etc/nologin",
    "/etc/networks",
    "/etc/services",
    "/etc/protocols",
    "/etc/rpc",
    "/etc/ethers",
    "/etc/subuid",
    "/etc/subgid",
    "/etc/inputrc",
    "/etc/bash.bashrc",
    "/etc/crontab",
    "/etc/mailcap",
    "/etc/papersize",
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/ssl/openssl.cnf",
    "/usr/lib/ssl/openssl.cnf",
    "/usr/lib/ssl/certs",
    "/usr/lib/ssl/private",
    "/usr/lib/ssl/cert.pem",
    "/etc/ssl/cert.pem",
    "/usr/lib/sendmail",
    "/usr/sbin/sendmail",
    "/usr/share/zoneinfo",
];

/// Sonames of libraries whose text is not searched: rules of their own say what they need, or what they
/// name is for rare features.
const LIBRARIES_WITH_IGNORED_TEXT: &[&str] = &[
    "libc.so",
    "libc.musl",
    "ld-linux",
    "ld-musl",
    "libm.so",
    "libmvec.so",
    "libpthread.so",
    "librt.so",
    "libdl.so",
    "libresolv.so",
    "libnsl.so",
    "libutil.so",
    "libanl.so",
    "libnss_",
    "libstdc++.so",
    "libgcc_s.so",
    "libgomp.so",
    "libz.so",
    "libcrypto.so",
    "libssl.so",
    "libgnutls.so",
    "libp11-kit.so",
    "libselinux.so",
    "libsepol.so",
    "libaudit.so",
    "libcap.so",
    "libcap-ng.so",
    "libblkid.so",
    "libmount.so",
    "libuuid.so",
    "libsystemd.so",
    "libudev.so",
    "libdbus-1.so",
    "libglib-2.0.so",
    "libgobject-2.0.so",
    "libpam.so",
    "libpam_misc.so",
    "libcom_err.so",
    "libkrb5support.so",
    "libbsd.so",
    "libmd.so",
    "libpcre2-",
    "libpcre.so",
    "libX11.so",
    "libxcb.so",
    "libICE.so",
    "libSM.so",
    "libcurl",
    "libldap",
    "liblber",
    "libpsl.so",
    "librtmp.so",
    "libssh",
    "libgcrypt.so",
    "libgpg-error.so",
    "libtirpc.so",
    "libnl-",
    "libproc2.so",
    "libaio.so",
    "libseccomp.so",
    "libsensors.so",
    "libpci.so",
    "libusb-",
    "libgssapi_krb5.so",
    "libk5crypto.so",
];

/// Suffixes of source files, which messages name.
const SOURCE_SUFFIXES: &[&str] =
    &[".rs", ".c", ".cc", ".cpp", ".cxx", ".h", ".hh", ".hpp", ".go", ".S", ".ml", ".hs", ".java", ".pc"];

/// Returns whether the text of a library is not searched.
pub(super) fn is_library_text_ignored(mapped: &MappedObject) -> bool {
    let soname = mapped.object.dynamic.soname.as_deref().unwrap_or(mapped.raw_path.file_name());
    LIBRARIES_WITH_IGNORED_TEXT.iter().any(|start| soname.starts_with(start.as_bytes()))
}

/// Returns whether `path` is the library directory of an architecture, such as
/// `/usr/lib/x86_64-linux-gnu`.
pub(super) fn is_library_directory(path: &[u8]) -> bool {
    let rest = path.strip_prefix(b"/usr").unwrap_or(path).strip_prefix(b"/lib/");
    rest.is_some_and(|rest| !rest.contains(&b'/') && rest.windows(7).any(|part| part == b"-linux-"))
}

/// Returns whether `path` is a directory of modules for character sets, which the C library in every static
/// program names. A hint about programs that convert text is made for the function that they call.
fn is_charset_directory(path: &[u8]) -> bool {
    path.ends_with(b"/gconv") || path.windows(7).any(|part| part == b"/gconv/")
}

/// Returns whether `path` is in a directory of commands.
pub(super) fn is_command_path(path: &[u8]) -> bool {
    ["/bin/", "/sbin/", "/usr/bin/", "/usr/sbin/"]
        .iter()
        .any(|directory| path.starts_with(directory.as_bytes()))
}

/// Returns whether a path says nothing about what the image lacks. `library` is the library that names
/// it; `None` for the program itself.
pub(super) fn is_ignored_path(path: &[u8], library: Option<&MappedObject>) -> bool {
    let is_in = |directory: &str| {
        path.strip_prefix(directory.as_bytes()).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
    };
    is_library_directory(path)
        || is_charset_directory(path)
        || SHARED_DIRECTORIES.iter().any(|directory| path == directory.as_bytes())
        || IGNORED_FILES.iter().any(|file| path == file.as_bytes())
        || IGNORED_DIRECTORIES.iter().any(|directory| is_in(directory))
        || SOURCE_SUFFIXES.iter().any(|suffix| path.ends_with(suffix.as_bytes()))
        || library.is_some_and(|library| is_path_ignored_for_library(path, library))
}

/// Paths that libraries read only for rare features, or do without: the start of the soname, and the
/// start of the path.
const PATHS_IGNORED_FOR_LIBRARIES: &[(&str, &str)] = &[("", "/etc/ld.so"), ("", "/usr/share/pkgconfig")];

fn is_path_ignored_for_library(path: &[u8], library: &MappedObject) -> bool {
    let soname = library.object.dynamic.soname.as_deref().unwrap_or(library.raw_path.file_name());
    PATHS_IGNORED_FOR_LIBRARIES
        .iter()
        .any(|(library, start)| soname.starts_with(library.as_bytes()) && path.starts_with(start.as_bytes()))
}
