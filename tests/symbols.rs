//! Versions and symbols that a closure lacks, compared with what the real loader says of the same programs: what `ldd -r`
//! prints, and whether they start.

#![cfg(target_os = "linux")]
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a panic is how a test fails, and a test that is left out says so"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use coracle::Settings;
use coracle::closure::{Closure, Kind, Problem, ProblemKind, Severity, Surroundings, symbols, versions};
use coracle::path::Spelled;
use coracle::recipe::{Overrides, Recipe};
use coracle::tree::HostTree;

/// Every problem of a program, and the loader that it names.
fn problems(program: &Path) -> Option<(String, Vec<Problem>)> {
    problems_in(Path::new("/"), program)
}

/// As [`problems`], for a program inside of another root.
fn problems_in(tree: &Path, program: &Path) -> Option<(String, Vec<Problem>)> {
    let around = Surroundings::default();
    let program = Spelled::new(program.to_str().unwrap());
    let closure = Closure::resolve(&HostTree::new(tree), &program, &around).ok()?;
    let Kind::Elf(elf) = &closure.executed[0].kind else { return None };
    let objects = &elf.objects;
    let interpreter = objects.objects[0].object.interpreter.as_ref()?.to_string();
    let mut problems = versions::check(objects).unwrap();
    problems.extend(symbols::check(objects).unwrap());
    Some((interpreter, problems))
}

/// What is wrong, in words that ours and the loader's messages have in common.
fn ours(problems: &[Problem]) -> BTreeSet<String> {
    let word = |problem: &Problem| match problem.kind {
        ProblemKind::Version if problem.message.contains("has no versions at all") => "assertion".into(),
        ProblemKind::Version if problem.message.contains("has no versions") => "unversioned".into(),
        ProblemKind::Version if problem.message.contains("DT_RELR") => "relr".into(),
        ProblemKind::Version => format!("version {}", problem.name),
        ProblemKind::Symbol => format!("symbol {}", problem.name),
        other => format!("neither, but {other:?}: {problem}"),
    };
    problems.iter().map(word).collect()
}

/// What `ldd -r` says. Nothing for a program that the loader does not take.
fn loaders(interpreter: &str, program: &Path) -> BTreeSet<String> {
    let mut trace = Command::new(interpreter);
    trace.arg(program).env_clear().env("LD_TRACE_LOADED_OBJECTS", "1");
    let output = trace.env("LD_WARN", "1").env("LD_BIND_NOW", "1").output().unwrap();
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    text.lines().filter_map(word_of).collect()
}

fn word_of(line: &str) -> Option<String> {
    let quoted = |line: &str| line.split(['`', '\'']).nth(1).unwrap().to_owned();
    if let Some((_, symbol)) = line.split_once("undefined symbol: ") {
        return Some(format!("symbol {}", symbol.split([',', '\t', ' ']).next().unwrap()));
    }
    if line.contains("version `") && line.contains("not found") {
        return Some(format!("version {}", quoted(line)));
    }
    if line.contains("no version information available") {
        return Some("unversioned".into());
    }
    if line.contains("DT_RELR without") {
        return Some("relr".into());
    }
    if line.contains("Inconsistency detected") {
        // The one word stands for all that the loader would have said had it gone on.
        return Some("assertion".into());
    }
    // musl's loader.
    let (_, symbol) = line.split_once("Error relocating ")?;
    Some(format!("symbol {}", symbol.split(": ").nth(1).unwrap()))
}

fn stops(problems: &[Problem]) -> bool {
    problems.iter().any(|problem| problem.severity == Severity::Error)
}

/// A folder with sources, in which things are built.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().canonicalize().unwrap().join(name)
    }

    fn write(&self, name: &str, text: &str) -> &Self {
        std::fs::write(self.path(name), text).unwrap();
        self
    }

    /// Runs a compiler; nothing is built when there is none.
    fn run(&self, command: &str) -> bool {
        let mut words = command.split_whitespace();
        let program = words.next().unwrap();
        let output = Command::new(program).args(words).current_dir(self.0.path()).output();
        let Ok(output) = output else {
            assert!(std::env::var_os("CORACLE_TESTS").is_none(), "{program} is missing");
            eprintln!("left out: `{program}` is not installed");
            return false;
        };
        assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
        true
    }

    /// A shared library `NAME.so` of this source and, where there is one, version script.
    fn library(&self, name: &str, source: &str, script: &str, flags: &str) {
        self.write(&format!("{name}.c"), source).write(&format!("{name}.map"), script);
        let script =
            if script.is_empty() { String::new() } else { format!("-Wl,--version-script={name}.map") };
        self.run(&format!("cc -shared -fPIC -Wl,-soname,{name}.so {script} {flags} {name}.c -o {name}.so"));
    }

    /// A program `main` that calls `a` and `b` (and uses `data`) only when it has an argument.
    fn program(&self, source: &str, flags: &str) {
        self.write("main.c", source);
        self.run(&format!("cc main.c -Wl,--no-as-needed -L. {flags} -Wl,-rpath,$ORIGIN -o main"));
    }

    /// Our problems, which must be the loader's, and stop the program where it does.
    #[track_caller]
    fn says(&self, expected: &[&str], starts: bool) -> Vec<Problem> {
        let main = self.path("main");
        let (interpreter, problems) = problems(&main).unwrap();
        let messages: Vec<&String> = problems.iter().map(|problem| &problem.message).collect();
        let expected: BTreeSet<String> = expected.iter().map(|word| (*word).to_owned()).collect();
        assert_eq!(ours(&problems), expected, "{messages:#?}");
        assert_eq!(loaders(&interpreter, &main), expected, "what the loader says");
        let output = Command::new(&main).env_clear().output().unwrap();
        assert_eq!(output.status.success(), starts, "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(stops(&problems), !starts, "{messages:#?}");
        problems
    }
}

const BOTH: &str = "int a(void) { return 1; } int b(void) { return 2; }";
const ONE: &str = "int a(void) { return 1; }";
const CALLS: &str =
    "int a(void); int b(void); int main(int argc, char **argv) { return argc > 1 ? a() + b() : 0; }";
const V1: &str = "V1 { global: a; b; local: *; };";
const V1_V2: &str = "V1 { global: a; local: *; }; V2 { global: b; } V1;";

#[test]
fn a_sound_program_has_no_problem() {
    let folder = Folder::new();
    folder.library("libx", BOTH, V1_V2, "");
    folder.program(CALLS, "-lx");
    folder.says(&[], true);
}

#[test]
fn a_version_that_is_gone_stops_the_program() {
    let folder = Folder::new();
    folder.library("libx", BOTH, V1_V2, "");
    folder.program(CALLS, "-lx -Wl,-z,lazy");
    folder.library("libx", BOTH, V1, "");
    let problems = folder.says(&["version V2", "symbol b"], false);
    assert_eq!(problems[0].object, Spelled::new(folder.path("main").to_str().unwrap()));
    assert!(problems[0].message.contains("libx.so`, needed by `"), "{}", problems[0].message);
}

#[test]
fn a_weak_version_may_be_gone() {
    let folder = Folder::new();
    folder.library("libx", BOTH, V1_V2, "");
    let weak = "int a(void); __attribute__((weak)) int b(void); \
                int main(int argc, char **argv) { return argc > 1 ? a() + (b ? b() : 0) : 0; }";
    folder.program(weak, "-lx");
    folder.library("libx", ONE, "V1 { global: a; local: *; };", "");
    folder.says(&["version V2"], false);
    // Older linkers don't say that a version is weak: its record starts with the hash of `V2`, then flags.
    let bytes = std::fs::read(folder.path("main")).unwrap();
    let at = bytes.windows(6).position(|bytes| bytes == [0x92, 0x05, 0, 0, 0, 0]).unwrap();
    let mut bytes = bytes;
    bytes[at + 4] = 2;
    std::fs::write(folder.path("main"), bytes).unwrap();
    folder.says(&["version V2"], true);
}

#[test]
fn a_library_without_versions_is_only_warned_of() {
    let folder = Folder::new();
    folder.library("libx", BOTH, V1_V2, "");
    folder.program(CALLS, "-lx");
    // It needs a version of libc, so it has a table of versions all the same.
    let source = format!("#include <stdlib.h>\n{BOTH} void *c(void) {{ return malloc(1); }}");
    folder.library("libx", &source, "", "");
    folder.says(&["unversioned"], true);
}

#[test]
fn a_library_that_never_heard_of_versions_fails_an_assertion() {
    let folder = Folder::new();
    folder.library("libx", BOTH, V1_V2, "");
    folder.program(CALLS, "-lx -Wl,-z,now");
    folder.library("libx", BOTH, "", "-nostdlib");
    folder.says(&["unversioned", "assertion"], false);
}

#[test]
fn a_function_that_is_gone_is_missed_when_it_is_called() {
    for (flags, starts) in [("-Wl,-z,lazy", true), ("-Wl,-z,now", false), ("-Wl,-z,lazy -fno-plt", false)] {
        for script in ["", "V1 { global: *; };"] {
            let folder = Folder::new();
            folder.library("libx", BOTH, script, "");
            folder.program(CALLS, &format!("-lx {flags}"));
            folder.library("libx", ONE, script, "");
            folder.says(&["symbol b"], starts);
        }
    }
}

#[test]
fn data_that_is_gone_stops_the_program() {
    for flags in ["-fPIE -pie", "-fno-pie -no-pie"] {
        let folder = Folder::new();
        folder.library("libx", "int a(void) { return 1; } int data = 3;", "", "");
        let source =
            "extern int data; int a(void); int main(int argc, char **argv) { return argc > 1 ? data : 0; }";
        folder.program(source, &format!("-lx -Wl,-z,lazy {flags}"));
        folder.library("libx", ONE, "", "");
        folder.says(&["symbol data"], false);
    }
}

#[test]
fn a_weak_symbol_may_be_undefined() {
    let folder = Folder::new();
    folder.program("__attribute__((weak)) int nowhere(void); int main(void) { return nowhere ? 1 : 0; }", "");
    folder.says(&[], true);
}

#[test]
fn what_a_library_lacks_is_found_in_any_object_that_is_mapped() {
    let folder = Folder::new();
    folder.library("liby", "int b(void); int a(void) { return b(); }", "", "");
    let exported = "int a(void); int b(void) { return 2; } int main(int argc, char **argv) { return argc > 1 ? a() : 0; }";
    folder.program(exported, "-ly -Wl,-z,lazy -rdynamic");
    folder.says(&[], true);
    let own = exported.replace("int b(void) {", "static int b(void) {");
    folder.program(&own, "-ly -Wl,-z,lazy -rdynamic -Wl,--allow-shlib-undefined");
    let problems = folder.says(&["symbol b"], true);
    assert!(problems[0].object.as_bytes().ends_with(b"liby.so"));
}

#[test]
fn references_without_a_version_take_the_base_or_the_only_default() {
    // Linked against a library without versions, then given one with some.
    for (source, script, expected, starts) in [
        (BOTH, V1_V2, &[][..], true),
        (
            "int a(void) { return 1; } int b1(void) { return 2; } __asm__(\".symver b1,b@V1\");",
            "V1 { global: a; b; local: *; };",
            &[][..],
            true,
        ),
        (
            "int a(void) { return 1; } int b3(void) { return 2; } __asm__(\".symver b3,b@V3\");",
            "V1 { global: a; local: *; }; V2 { } V1; V3 { global: b; } V2;",
            &["symbol b"][..],
            false,
        ),
        (
            "int a(void) { return 1; } int b3(void) { return 2; } __asm__(\".symver b3,b@@V3\");",
            "V1 { global: a; local: *; }; V2 { } V1; V3 { global: b; } V2;",
            &[][..],
            true,
        ),
    ] {
        let folder = Folder::new();
        folder.library("libx", BOTH, "", "");
        folder.program(CALLS, "-lx -Wl,-z,now");
        folder.library("libx", source, script, "");
        folder.says(expected, starts);
    }
}

#[test]
fn the_old_hash_table_serves_as_well() {
    let folder = Folder::new();
    folder.library("libx", BOTH, V1_V2, "-Wl,--hash-style=sysv");
    folder.program(CALLS, "-lx -Wl,-z,lazy");
    folder.says(&[], true);
    folder.library("libx", ONE, "V1 { global: a; local: *; }; V2 { } V1;", "-Wl,--hash-style=sysv");
    folder.says(&["symbol b"], true);
}

#[test]
fn relative_relocations_in_the_new_form_need_a_marker() {
    let folder = Folder::new();
    folder.program("void *p = &p; int main(void) { return 0; }", "-Wl,-z,pack-relative-relocs");
    folder.says(&[], true);
    // Another name for the marker, as if the linker had not known of it.
    let bytes = std::fs::read(folder.path("main")).unwrap();
    let at = bytes.windows(18).position(|bytes| bytes == b"GLIBC_ABI_DT_RELR\0").unwrap();
    let mut bytes = bytes;
    bytes[at..at + 18].copy_from_slice(b"GLIBC_ABI_DT_XXXX\0");
    std::fs::write(folder.path("main"), bytes).unwrap();
    let (_, problems) = problems(&folder.path("main")).unwrap();
    assert!(stops(&problems) && ours(&problems).contains("relr"), "{problems:?}");
    assert!(!Command::new(folder.path("main")).output().unwrap().status.success());
}

#[test]
fn musl_binds_everything_at_the_start_and_knows_no_versions() {
    let folder = Folder::new();
    folder.write("x.c", BOTH).write("main.c", CALLS);
    if !folder.run("musl-gcc -shared -fPIC -Wl,-soname,libx.so x.c -o libx.so") {
        return;
    }
    folder.run("musl-gcc main.c -L. -lx -Wl,-z,lazy -Wl,-rpath,$ORIGIN -o main");
    let says = |expected: &[&str], starts: bool| {
        let (_, problems) = problems(&folder.path("main")).unwrap();
        let output = Command::new(folder.path("main")).env_clear().output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        let expected: BTreeSet<String> = expected.iter().map(|word| (*word).to_owned()).collect();
        assert_eq!(ours(&problems), expected);
        assert_eq!(text.lines().filter_map(word_of).collect::<BTreeSet<_>>(), expected);
        assert_eq!((output.status.success(), !stops(&problems)), (starts, starts));
    };
    says(&[], true);
    folder.write("x.c", ONE);
    folder.run("musl-gcc -shared -fPIC -Wl,-soname,libx.so x.c -o libx.so");
    says(&["symbol b"], false);
}

#[test]
fn programs_for_other_machines_are_checked_without_running_them() {
    for triple in [
        "aarch64-linux-gnu",
        "arm-linux-gnueabihf",
        "i686-linux-gnu",
        "powerpc64le-linux-gnu",
        "riscv64-linux-gnu",
        "s390x-linux-gnu",
    ] {
        if !Path::new(&format!("/usr/bin/{triple}-gcc")).exists() {
            eprintln!("left out: `{triple}-gcc` is not installed");
            continue;
        }
        let folder = Folder::new();
        let (lib, link) = (folder.path("lib"), folder.path("lib64"));
        std::fs::create_dir(&lib).unwrap();
        std::os::unix::fs::symlink("lib", link).unwrap();
        for entry in std::fs::read_dir(format!("/usr/{triple}/lib")).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            if name == "libc.so.6" || name.starts_with("ld") && name.contains(".so.") {
                std::fs::copy(&path, lib.join(name)).unwrap();
            }
        }
        let build = |source: &str, script: &str| {
            folder.write("x.c", source).write("x.map", script);
            let to = "-Wl,-soname,libx.so -Wl,--version-script=x.map x.c -o lib/libx.so";
            folder.run(&format!("{triple}-gcc -shared -fPIC {to}"));
        };
        let found = || ours(&problems_in(&folder.path(""), Path::new("/main")).expect(triple).1);
        let expect =
            |words: &[&str]| -> BTreeSet<String> { words.iter().map(|word| (*word).into()).collect() };
        build(BOTH, V1_V2);
        folder.write("main.c", CALLS);
        folder.run(&format!("{triple}-gcc main.c -Llib -lx -Wl,-rpath,/lib -o main"));
        assert_eq!(found(), expect(&[]), "{triple}");
        build(ONE, "V1 { global: a; local: *; }; V2 { } V1;");
        assert_eq!(found(), expect(&["symbol b"]), "{triple}");
        build(BOTH, V1);
        assert_eq!(found(), expect(&["version V2", "symbol b"]), "{triple}");
    }
}

#[test]
fn a_provider_that_is_called_otherwise_counts_as_the_loader_counts_it() {
    let folder = Folder::new();
    folder.library("libx", BOTH, V1, "");
    folder.library("liby", "int a(void); int c(void) { return a(); }", "", "-Wl,--no-as-needed -L. -lx");
    folder.program(CALLS, "-lx -Wl,-z,lazy");
    // The program needs liby, which brings libx in; its versions still name libx.
    if !folder.run("patchelf --remove-needed libx.so --add-needed liby.so main") {
        return;
    }
    folder.run("patchelf --set-rpath $ORIGIN liby.so");
    folder.says(&[], true);
    // Now nothing does.
    folder.library("liby", "int c(void) { return 0; }", "", "");
    let (_, problems) = problems(&folder.path("main")).unwrap();
    assert!(stops(&problems) && ours(&problems).contains("version V1"), "{problems:?}");
    assert!(!Command::new(folder.path("main")).output().unwrap().status.success());
}

fn plan(folder: &Folder) -> Result<Vec<coracle::Plan>, coracle::Error> {
    let programs = vec![folder.path("main").into()];
    let flags = Overrides { programs, ..Overrides::default() };
    coracle::plan(&Recipe::from_flags(&flags).unwrap(), &Settings::default())
}

#[test]
fn a_build_says_of_two_c_libraries_that_they_are_two() {
    let folder = Folder::new();
    folder.write("x.c", BOTH).write("main.c", CALLS);
    if !folder.run("musl-gcc -shared -fPIC -Wl,-soname,libx.so x.c -o libx.so") {
        return;
    }
    let (main, library) = (folder.path("main"), folder.path("libx.so"));
    let (main, library) = (main.display(), library.display());
    // Debian's musl has no file of the name that its libraries need.
    folder.run("gcc main.c -L. -lx -Wl,--allow-shlib-undefined -Wl,-rpath,$ORIGIN -o main");
    let error = plan(&folder).unwrap_err();
    assert!(
        error.to_string().starts_with(&format!("cannot find `libc.so`, needed by `{library}`")),
        "{error}"
    );
    let hint = "it was built for another C library: build the program and its libraries against one";
    assert_eq!(error.hint().as_deref(), Some(hint));

    folder.run("gcc -shared -nostdlib -x c /dev/null -Wl,-soname,libc.so -o libc.so");
    folder.run("patchelf --set-rpath $ORIGIN libx.so");
    let error = plan(&folder).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "`{library}` was linked against the C library `libc.so`, as musl's is called, but the program's loader is \
             glibc's"
        )
    );

    folder.run("rm libc.so");
    folder.run("musl-gcc -shared -fPIC -Wl,-soname,libx.so x.c -o libx.so");
    folder.run("musl-gcc main.c -L. -lx -Wl,-rpath,$ORIGIN -o main");
    folder.write("x.c", "#include <stdlib.h>\nint a(void) { return rand(); }\n");
    folder.run("gcc -shared -fPIC -Wl,-soname,libx.so x.c -o libx.so");
    let error = plan(&folder).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "`{library}` was linked against glibc (it wants the version `GLIBC_2.2.5`), but the program's loader is \
             musl's\ncannot find the symbol `b`, needed by `{main}`"
        )
    );
}

#[test]
fn a_build_names_all_that_keeps_a_program_from_starting() {
    let folder = Folder::new();
    folder.library("libx", BOTH, V1_V2, "-s");
    folder.program(CALLS, "-s -lx -Wl,-z,lazy");
    assert_eq!(plan(&folder).unwrap()[0].notes, []);

    folder.library("libx", ONE, "", "-s");
    let (main, library) = (folder.path("main"), folder.path("libx.so"));
    let (main, library) = (main.display(), library.display());
    assert_eq!(
        plan(&folder).unwrap()[0].notes.iter().map(ToString::to_string).collect::<Vec<_>>(),
        [
            format!("`{library}` has no versions, but `{main}` was linked against one that has `V1`"),
            format!(
                "`{library}` has no versions at all, so the loader stops where `{main}` uses `a` (version `V1`)"
            ),
            format!(
                "cannot find the symbol `b` (version `V2`), needed by `{main}`; it stops when it calls it"
            ),
        ]
    );

    folder.library("libx", ONE, "V0 { global: a; local: *; };", "");
    let error = plan(&folder).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "cannot find the version `V1` in `{library}`, needed by `{main}`\n\
             cannot find the version `V2` in `{library}`, needed by `{main}`"
        )
    );
    assert!(error.hint().unwrap().starts_with("the library here is another release"));

    folder.library("libx", BOTH, "", "");
    folder.program(CALLS, "-lx -Wl,-z,now");
    folder.library("libx", ONE, "", "");
    let error = plan(&folder).unwrap_err();
    assert_eq!(error.to_string(), format!("cannot find the symbol `b`, needed by `{main}`"));
}

fn programs() -> Vec<PathBuf> {
    let directories = ["/usr/bin", "/usr/sbin"];
    let entries = directories.iter().flat_map(|directory| std::fs::read_dir(directory).unwrap());
    let mut programs: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    programs.retain(|path| path.is_file() && !path.is_symlink());
    programs.sort();
    programs
}

#[test]
fn programs_of_this_machine_have_the_problems_that_its_loader_sees() {
    let (mut compared, mut different) = (0, Vec::new());
    for program in programs() {
        let Some((interpreter, problems)) = problems(&program) else { continue };
        if interpreter.contains("ld-musl") {
            continue;
        }
        let (ours, loaders) = (ours(&problems), loaders(&interpreter, &program));
        compared += 1;
        if ours != loaders {
            different.push(format!("{}\n  ours   {ours:?}\n  loader {loaders:?}", program.display()));
        }
    }
    eprintln!("{compared} programs compared");
    assert!(different.is_empty(), "{} of {compared} differ:\n{}", different.len(), different.join("\n"));
    assert!(compared > 50, "only {compared} programs to compare with: is this a Linux with glibc?");
}
