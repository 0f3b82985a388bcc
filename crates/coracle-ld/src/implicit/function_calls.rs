//! Calls of C library functions that need more than the mapped libraries, with their callers.

use std::collections::BTreeMap;

use crate::closure::{LinkMap, MappedObject};
use crate::elf::gnu_hash;
use coracle_core::fs;
use coracle_core::path::RawPath;

/// What a function of a C library needs at run time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum FunctionNeed {
    /// `libgcc_s.so.1`, to unwind the stack: all exported functions of glibc that call
    /// `__libc_unwind_link_get` themselves, or through `pthread_exit` (`thrd_exit`, and the threads of
    /// `getaddrinfo_a`). Others only unwind after `pthread_cancel`.
    Libgcc,
    /// The name service switch: all exported functions of glibc that call `__nss_database_get` (`nss/`,
    /// `inet/`), except `glob`, which does so for one flag only.
    Nss,
    /// Time zones.
    LocalTime,
    /// Locales.
    Locale,
    /// Character sets.
    Charset,
    /// Libraries opened with `dlopen`.
    Dlopen,
    /// Child programs.
    Child,
    /// Child programs that are searched in `PATH`.
    PathSearch,
    /// `/bin/sh` (`sysdeps/posix/system.c`, `libio/iopopen.c`, `posix/wordexp.c`).
    Shell,
    /// `/etc/services` and `/etc/protocols`.
    Services,
    /// A directory for temporary files.
    TemporaryFiles,
    /// Non-default providers of OpenSSL.
    Provider,
}

/// The functions with each need.
const FUNCTIONS_BY_NEED: &[(FunctionNeed, &[&str])] = &[
    (
        FunctionNeed::Libgcc,
        &["pthread_cancel", "pthread_exit", "thrd_exit", "getaddrinfo_a", "backtrace", "__backtrace"],
    ),
    (
        FunctionNeed::Nss,
        &[
            "getaddrinfo",
            "getaddrinfo_a",
            "getnameinfo",
            "gethostbyname",
            "gethostbyname2",
            "gethostbyaddr",
            "gethostbyname_r",
            "gethostbyname2_r",
            "gethostbyaddr_r",
            "getpwnam",
            "getpwuid",
            "getpwent",
            "getpwnam_r",
            "getpwuid_r",
            "getpwent_r",
            "getgrnam",
            "getgrgid",
            "getgrent",
            "getgrnam_r",
            "getgrgid_r",
            "getgrent_r",
            "getgrouplist",
            "initgroups",
            "getspnam",
            "getspnam_r",
            "getservbyname",
            "getservbyport",
            "getservbyname_r",
            "getservbyport_r",
            "getprotobyname",
            "getprotobynumber",
            "getprotobyname_r",
            "getprotobynumber_r",
            "gethostent",
            "gethostent_r",
            "gethostid",
            "getpw",
            "cuserid",
            "getlogin",
            "getlogin_r",
            "__getlogin_r_chk",
            "getspent",
            "getspent_r",
            "getsgnam",
            "getsgnam_r",
            "getsgent",
            "getsgent_r",
            "getservent",
            "getservent_r",
            "getprotoent",
            "getprotoent_r",
            "getnetbyname",
            "getnetbyname_r",
            "getnetbyaddr",
            "getnetbyaddr_r",
            "getnetent",
            "getnetent_r",
            "getrpcbyname",
            "getrpcbyname_r",
            "getrpcbynumber",
            "getrpcbynumber_r",
            "getrpcent",
            "getrpcent_r",
            "getaliasbyname",
            "getaliasbyname_r",
            "getaliasent",
            "getaliasent_r",
            "ether_hostton",
            "ether_ntohost",
            "innetgr",
            "setnetgrent",
            "rcmd",
            "rcmd_af",
            "rexec",
            "rexec_af",
            "ruserok",
            "ruserok_af",
            "iruserok",
            "iruserok_af",
            "wordexp",
        ],
    ),
    (
        FunctionNeed::LocalTime,
        &["localtime", "localtime_r", "tzset", "mktime", "ctime", "ctime_r", "tzalloc", "localtime_rz"],
    ),
    (FunctionNeed::Locale, &["setlocale", "newlocale", "_ZNSt6localeC1EPKc", "_ZNSt6localeC2EPKc"]),
    (FunctionNeed::Charset, &["iconv_open"]),
    (FunctionNeed::Dlopen, &["dlopen", "dlmopen"]),
    (
        FunctionNeed::Child,
        &[
            "execve",
            "execv",
            "execvp",
            "execvpe",
            "execl",
            "execlp",
            "execle",
            "posix_spawn",
            "posix_spawnp",
            "system",
            "popen",
        ],
    ),
    (FunctionNeed::PathSearch, &["execvp", "execvpe", "execlp", "posix_spawnp"]),
    (FunctionNeed::Shell, &["system", "popen", "wordexp"]),
    (
        FunctionNeed::Services,
        &[
            "getservbyname",
            "getservbyport",
            "getservbyname_r",
            "getservbyport_r",
            "getservent",
            "getservent_r",
            "getprotobyname",
            "getprotobynumber",
            "getprotobyname_r",
            "getprotobynumber_r",
            "getprotoent",
            "getprotoent_r",
        ],
    ),
    (
        FunctionNeed::TemporaryFiles,
        &[
            "mkstemp",
            "mkostemp",
            "mkstemps",
            "mkdtemp",
            "tmpfile",
            "tempnam",
            "tmpnam",
            "mkstemp64",
            "mkostemp64",
            "mkstemps64",
            "tmpfile64",
            "g_mkstemp",
            "g_file_open_tmp",
            "g_get_tmp_dir",
        ],
    ),
    (FunctionNeed::Provider, &["OSSL_PROVIDER_load", "OSSL_PROVIDER_try_load"]),
];

/// A called function and the object that calls it.
#[derive(Clone, Debug)]
pub(super) struct FunctionCall {
    pub(super) function: &'static str,
    pub(super) caller: RawPath,
}

/// The first caller in load order for each need.
#[derive(Default, Debug)]
pub(super) struct FunctionCalls(BTreeMap<FunctionNeed, FunctionCall>);

impl FunctionCalls {
    /// Adds the calls of the new objects in `map`. Calls by the C library itself are ignored,
    /// because it works without them; so are those of libstdc++, which may call everything.
    pub(super) fn add_calls_in(&mut self, map: &LinkMap) -> fs::Result<()> {
        let references = &map.symbol_references()?.symbols;
        for (need, functions) in FUNCTIONS_BY_NEED {
            // References are sorted by hash, then by name.
            let callers = functions.iter().filter_map(|function| {
                let first = references.partition_point(|symbol| {
                    (symbol.reference.hash, symbol.reference.name.as_slice())
                        < (gnu_hash(function.as_bytes()), function.as_bytes())
                });
                let same_name = references
                    .iter()
                    .skip(first)
                    .take_while(|symbol| symbol.reference.name == function.as_bytes());
                let by = same_name
                    .flat_map(|symbol| &symbol.used_by)
                    .filter(|by| !is_glibc_object(map, **by) && !is_libstdcxx(map, **by))
                    .min()?;
                Some((*by, *function))
            });
            if let Some((by, function)) = callers.min()
                && let Some(mapped) = map.objects.get(by)
            {
                self.0.entry(*need).or_insert(FunctionCall { function, caller: mapped.raw_path.clone() });
            }
        }
        Ok(())
    }

    /// Returns the first call of a function with this need.
    pub(super) fn first_call(&self, need: FunctionNeed) -> Option<&FunctionCall> {
        self.0.get(&need)
    }
}

/// Functions that open the library in their arguments.
const DLOPEN_FUNCTIONS: &[&[u8]] = &[
    b"dlopen",
    b"dlmopen",
    b"PR_LoadLibrary",
    b"PR_LoadLibraryWithFlags",
    b"g_module_open",
    b"g_module_open_full",
    b"lt_dlopen",
    b"lt_dlopenext",
    b"lt_dlopenadvise",
    b"apr_dso_load",
    b"SDL_LoadObject",
    b"uv_dlopen",
];
/// The start of the mangled names of `QLibrary`'s functions.
const QLIBRARY_PREFIX: &[u8] = b"_ZN8QLibrary";

/// Returns the new objects of `map` that call `dlopen`, or a function that passes its own argument
/// on to `dlopen`.
pub(super) fn dlopen_callers(map: &LinkMap) -> fs::Result<Vec<&MappedObject>> {
    let references = &map.symbol_references()?.symbols;
    let is_dlopen = |name: &[u8]| DLOPEN_FUNCTIONS.contains(&name) || name.starts_with(QLIBRARY_PREFIX);
    let mut callers: Vec<usize> = references
        .iter()
        .filter(|symbol| is_dlopen(&symbol.reference.name))
        .flat_map(|symbol| symbol.used_by.clone())
        .collect();
    callers.sort_unstable();
    callers.dedup();
    Ok(callers
        .into_iter()
        .filter(|by| !is_glibc_object(map, *by))
        .filter_map(|by| map.objects.get(by))
        .collect())
}

/// Returns whether the object at `index` is glibc.
fn is_glibc_object(map: &LinkMap, index: usize) -> bool {
    soname(map, index).is_some_and(|soname| soname == b"libc.so.6" || soname == b"libpthread.so.0")
}

fn is_libstdcxx(map: &LinkMap, index: usize) -> bool {
    soname(map, index).is_some_and(|soname| soname.starts_with(b"libstdc++.so"))
}

fn soname(map: &LinkMap, index: usize) -> Option<&[u8]> {
    map.objects.get(index).and_then(|mapped| mapped.object.dynamic.soname.as_deref())
}
