//! Files that glibc opens by itself.

use crate::build::project::Project;
use crate::implicit::built_image::{Image, args_for, hints, planned, refused};

const ENDS_A_THREAD: &str = r#"
#include <pthread.h>
#include <stdio.h>
static void *work(void *unused) { pthread_exit((void *)7); }
int main(void) {
    pthread_t thread; void *value;
    pthread_create(&thread, 0, work, 0);
    pthread_join(thread, &value);
    printf("%ld\n", (long)value);
}
"#;

#[test]
fn adds_libgcc_if_threads_are_cancelled() {
    let project = Project::new();
    project.program("app", ENDS_A_THREAD, &["-pthread"]);
    let image = Image::of(&project, &["app"]);
    assert!(image.has_file("libgcc_s.so.1"));
    if let Some(printed) = image.prints() {
        assert_eq!(printed, "7\n");
    }
    let without = Image::of(&project, &["app", "--libgcc", "false"]);
    assert!(!without.has_file("libgcc_s.so.1"));
    let reason =
        planned(&project, &["app"], "/usr/lib/x86_64-linux-gnu/libgcc_s.so.1").unwrap()["reason"].clone();
    assert!(reason.as_str().unwrap().contains("for `pthread_exit`, which "), "{reason}");
}

const ENDS_A_C11_THREAD: &str = r#"
#include <stdio.h>
#include <threads.h>
static int work(void *unused) { thrd_exit(7); }
int main(void) {
    thrd_t thread; int value;
    thrd_create(&thread, work, 0);
    thrd_join(thread, &value);
    printf("%d\n", value);
}
"#;

const LOOKS_UP_LATER: &str = r#"
#define _GNU_SOURCE
#include <netdb.h>
#include <stdio.h>
#include <unistd.h>
int main(void) {
    struct gaicb request = { .ar_name = "127.0.0.1" }, *list[] = { &request };
    int failed = getaddrinfo_a(GAI_WAIT, list, 1, 0);
    sleep(2); // the thread that looked up ends when it has waited for more work
    printf("%d\n", failed ? failed : 7);
}
"#;

const PRINTS_A_BACKTRACE: &str = r#"
#include <execinfo.h>
#include <stdio.h>
int main(void) { void *frames[9]; printf("%d\n", backtrace(frames, 9) > 1 ? 7 : 0); }
"#;

#[test]
fn adds_libgcc_for_every_function_of_glibc_that_unwinds_the_stack() {
    let project = Project::new();
    for (function, source) in [
        ("thrd_exit", ENDS_A_C11_THREAD),
        ("getaddrinfo_a", LOOKS_UP_LATER),
        ("backtrace", PRINTS_A_BACKTRACE),
    ] {
        project.program(function, source, &["-pthread"]);
        let image = Image::of(&project, &[function]);
        assert!(image.has_file("libgcc_s.so.1"), "{function}");
        assert_eq!(image.has("/etc/nsswitch.conf"), function == "getaddrinfo_a", "{function}");
        if let Some(printed) = image.prints() {
            assert_eq!(printed, "7\n", "{function}");
        }
    }
}

#[test]
fn adds_no_libgcc_unless_used_or_requested() {
    let project = Project::hello(&[]);
    assert!(!Image::of(&project, &["hello"]).has_file("libgcc_s.so.1"));
    assert!(Image::of(&project, &["hello", "--libgcc", "true"]).has_file("libgcc_s.so.1"));
}

const LOOKS_UP: &str = r#"
#include <arpa/inet.h>
#include <netdb.h>
#include <pwd.h>
#include <stdio.h>
#include <unistd.h>
int main(void) {
    struct passwd *user = getpwuid(getuid());
    struct addrinfo *found = 0, hints = { .ai_family = AF_INET };
    char text[64] = "";
    if (!getaddrinfo("127.0.0.1", 0, &hints, &found))
        inet_ntop(AF_INET, &((struct sockaddr_in *)found->ai_addr)->sin_addr, text, sizeof text);
    printf("%s %s\n", user ? user->pw_name : "nobody knows", text);
}
"#;

#[test]
fn adds_files_for_lookups_of_users_and_hosts() {
    let project = Project::new();
    project.program("app", LOOKS_UP, &[]);
    let image = Image::of(&project, &["app"]);
    assert!(image.has("/etc/nsswitch.conf"));
    assert!(!image.has_file("libnss_files.so.2"), "it is a part of glibc");
    if let Some(printed) = image.prints() {
        assert_eq!(printed, "nonroot 127.0.0.1\n");
    }
    assert!(!Image::of(&project, &["app", "--nss", "false"]).has("/etc/nsswitch.conf"));
    let hello = Project::hello(&[]);
    assert!(!Image::of(&hello, &["hello"]).has("/etc/nsswitch.conf"));
    assert!(Image::of(&hello, &["hello", "--nss", "true"]).has("/etc/nsswitch.conf"));
}

#[test]
fn keeps_an_included_nsswitch_conf() {
    let project = Project::new();
    project.program("app", LOOKS_UP, &[]).file("nsswitch.conf", "hosts: files\n");
    let image = Image::of(&project, &["app", "--include", "nsswitch.conf:/etc/nsswitch.conf"]);
    assert_eq!(
        std::fs::read_to_string(image.layout.unpack().path().join("etc/nsswitch.conf")).unwrap(),
        "hosts: files\n"
    );
}

/// A root whose C library is too old to look up anything by itself: it has no version `GLIBC_2.34`.
fn old_root() -> Project {
    let project = Project::new();
    let soname = |name: &str| format!("-Wl,-soname,{name}");
    project
        .library("root/lib/libc.so.6", "getpwnam", "1", &["-nostdlib", &soname("libc.so.6")])
        .library("root/lib/libnss_files.so.2", "files", "1", &["-nostdlib", &soname("libnss_files.so.2")])
        .library("root/lib/libnss_dns.so.2", "dns", "1", &["-nostdlib", &soname("libnss_dns.so.2")])
        .library("root/lib/libnss_sss.so.2", "sss", "1", &["-nostdlib", &soname("libnss_sss.so.2")])
        .program(
            "root/usr/bin/app",
            "int getpwnam(void); void _start(void) { getpwnam(); }",
            &["-nostdlib", "-no-pie", "root/lib/libc.so.6"],
        );
    std::fs::create_dir(project.path("root/lib64")).unwrap();
    std::fs::copy("/lib64/ld-linux-x86-64.so.2", project.path("root/lib64/ld-linux-x86-64.so.2")).unwrap();
    project
}

#[test]
fn adds_nss_modules_of_old_glibc() {
    let project = old_root();
    let image = Image::of(&project, &["/usr/bin/app", "--root", "root"]);
    for module in ["/lib/libnss_files.so.2", "/lib/libnss_dns.so.2"] {
        assert!(image.has(module), "{module}");
    }
    assert!(!image.has("/lib/libnss_sss.so.2"));
    let image = Image::of(&project, &["/usr/bin/app", "--root", "root", "--nss-module", "sss"]);
    assert!(image.has("/lib/libnss_sss.so.2"));
    let root = image.layout.unpack();
    let switch = std::fs::read_to_string(root.path().join("etc/nsswitch.conf")).unwrap();
    assert_eq!(switch, "passwd: files sss\ngroup: files sss\nhosts: files sss dns\n");
}

#[test]
fn reports_missing_nss_modules_together() {
    let project = old_root();
    std::fs::remove_file(project.path("root/lib/libnss_dns.so.2")).unwrap();
    let image = Image::of(&project, &["/usr/bin/app", "--root", "root"]);
    assert!(
        image.said.contains("warning: cannot open `libnss_dns.so.2` (NSS module `dns`): it was not found"),
        "{}",
        image.said
    );
    let said =
        refused(&project, &["/usr/bin/app", "--root", "root", "--nss-module", "a", "--nss-module", "b"]);
    assert!(said.contains("`libnss_a.so.2`") && said.contains("`libnss_b.so.2`"), "{said}");
}

const TELLS_TIME: &str = r#"
#include <stdio.h>
#include <time.h>
int main(void) {
    time_t noon = 1750000000; char text[64];
    strftime(text, sizeof text, "%H:%M %Z", localtime(&noon));
    puts(text);
}
"#;

#[test]
fn adds_time_zones_on_request() {
    let project = Project::new();
    project.program("app", TELLS_TIME, &[]);
    let zone = ["app", "--env", "TZ=Europe/Berlin"];
    let without = Image::of(&project, &zone);
    assert_eq!(
        args_for(&hints(&project, &zone), "time zones other than UTC for `localtime`"),
        ["--time-zones"]
    );
    assert!(without.said.contains("time zones other than UTC for `localtime`"), "{}", without.said);
    let one = Image::of(&project, &[&zone[..], &["--time-zones=Europe/Berlin"]].concat());
    assert!(!one.said.contains("time zones"), "{}", one.said);
    let all = Image::of(&project, &[&zone[..], &["--time-zones"]].concat());
    assert!(all.has("/usr/share/zoneinfo/Asia/Tokyo") && !one.has("/usr/share/zoneinfo/Asia/Tokyo"));
    for (image, expected) in [(without, "15:06 Europe\n"), (one, "17:06 CEST\n"), (all, "17:06 CEST\n")] {
        if let Some(printed) = image.prints() {
            assert_eq!(printed, expected);
        }
    }
    let said = refused(&project, &["app", "--time-zones=Europe/Atlantis,Moon"]);
    assert!(
        said.contains("cannot find the time zone `Europe/Atlantis`") && said.contains("`Moon`"),
        "{said}"
    );
}

const SETS_LOCALE: &str = r#"
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
int main(void) {
    const char *set = setlocale(LC_ALL, "C.UTF-8") ? "set" : "not set";
    printf("%s %s\n", set, nl_langinfo(CODESET));
}
"#;

#[test]
fn adds_locales_on_request() {
    let project = Project::new();
    project.program("app", SETS_LOCALE, &[]);
    let without = Image::of(&project, &["app"]);
    let args = args_for(&hints(&project, &["app"]), "locales other than C for `setlocale`");
    assert_eq!(args, ["--locale", "C.UTF-8"]);
    let with = Image::of(&project, &["app", "--locale", "C.UTF-8"]);
    for (image, expected) in [(without, "not set ANSI_X3.4-1968\n"), (with, "set UTF-8\n")] {
        if let Some(printed) = image.prints() {
            assert_eq!(printed, expected);
        }
    }
    let said = refused(&project, &["app", "--locale", "xx_XX.UTF-8"]);
    assert!(said.starts_with("error: cannot find the locale `xx_XX.UTF-8` in `/usr/lib/locale`"), "{said}");
}

const CONVERTS: &str = r#"
#include <iconv.h>
#include <stdio.h>
int main(int count, char **names) {
    for (int i = 1; i < count; i++) {
        iconv_t to = iconv_open(names[i], "UTF-8");
        char from[] = "\xed\x95\x9c", bytes[16] = ""; char *in = from, *out = bytes; size_t left = 3, room = 16;
        size_t done = to == (iconv_t)-1 ? -1 : iconv(to, &in, &left, &out, &room);
        printf("%s:", names[i]);
        if (done == (size_t)-1) printf(" no"); else for (char *at = bytes; at < out; at++) printf(" %02x", *at & 255);
        printf("\n");
    }
}
"#;

#[test]
fn adds_character_sets_with_their_modules() {
    let project = Project::new();
    project.program("app", CONVERTS, &[]);
    let arguments = ["--", "UTF-16BE", "EUC-KR", "UCS-4LE"];
    let without = Image::of(&project, &[&["app"], &arguments[..]].concat());
    let args = args_for(&hints(&project, &["app"]), "character sets for `iconv_open`");
    assert!(args.len() == 2 && args[1].ends_with("/gconv"), "{args:?}");
    let ignored = hints(&project, &["app", "--ignore", "gconv"]);
    let is_charsets = |hint: &serde_json::Value| hint.to_string().contains("character sets");
    assert!(!ignored.iter().any(is_charsets), "{ignored:?}");
    // An alias, and a module that needs a library beside it.
    let charsets = ["app", "--charset", "utf-16be", "--charset", "euckr"];
    let with = Image::of(&project, &[&charsets[..], &arguments].concat());
    assert!(
        with.has_file("libKSC.so") && !with.has_file("gconv-modules.cache") && !with.has_file("IBM037.so")
    );
    for (image, expected) in [
        (without, "UTF-16BE: no\nEUC-KR: no\nUCS-4LE: 5c d5 00 00\n"),
        (with, "UTF-16BE: d5 5c\nEUC-KR: c7 d1\nUCS-4LE: 5c d5 00 00\n"),
    ] {
        if let Some(printed) = image.prints() {
            assert_eq!(printed, expected);
        }
    }
    let said = refused(&project, &["app", "--charset", "KLINGON"]);
    assert!(said.starts_with("error: cannot find the character set `KLINGON` in `"), "{said}");
}

#[test]
fn warns_of_static_programs_that_open_nss_modules() {
    let project = Project::new();
    project.program("app", LOOKS_UP, &["-static", "-Wl,-w"]);
    let image = Image::of(&project, &["app"]);
    assert!(image.said.contains("is static, but its C library opens them at run time"), "{}", image.said);
}

#[test]
fn resolves_with_the_variables_of_the_image() {
    let project = Project::new();
    project.library("lib/libanswer.so", "answer", "42", &["-Wl,-soname,libanswer.so"]).program(
        "app",
        "#include <stdio.h>\nint answer(void); int main(void) { printf(\"%d\\n\", answer()); }",
        &["lib/libanswer.so"],
    );
    let place = project.path("lib").display().to_string();
    let said = refused(&project, &["app"]);
    assert!(said.contains("cannot find `libanswer.so`"), "{said}");
    project
        .file("coracle.toml", format!("[image]\nprograms = [\"app\"]\n[allow]\n\"{place}\" = \"a test\"\n"));
    let image = Image::of(&project, &["-f", "coracle.toml", "--env", &format!("LD_LIBRARY_PATH={place}")]);
    if let Some(printed) = image.prints() {
        assert_eq!(printed, "42\n");
    }
}
