//! Errors and warnings of `coracle build` for missing versions and symbols.

use coracle::Settings;
use coracle::recipe::{Recipe, RecipeOverrides};
use coracle_core::hint::Hint as _;

use crate::symbols::folder::{CALLS_A_AND_B, DEFINES_A, DEFINES_A_AND_B, Folder, V1_V2};

fn plan(folder: &Folder) -> Result<Vec<coracle::Plan>, coracle::Error> {
    let programs = vec![folder.path("main").into()];
    let flags = RecipeOverrides { programs, ..RecipeOverrides::default() };
    coracle::plan(&Recipe::from_flags(&flags).unwrap(), &Settings::default(), &())
}

#[test]
fn a_build_reports_two_c_libraries() {
    let folder = Folder::new();
    folder.write("x.c", DEFINES_A_AND_B).write("main.c", CALLS_A_AND_B);
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
    let hint = "a library is for another C library: build the program and all libraries against the same one";
    assert_eq!(error.hint().as_deref(), Some(hint));

    folder.run("gcc -shared -nostdlib -x c /dev/null -Wl,-soname,libc.so -o libc.so");
    folder.run("patchelf --set-rpath $ORIGIN libx.so");
    let error = plan(&folder).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "`{library}` was linked against musl (it needs `libc.so`), but the program's loader is \
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
            "`{library}` was linked against glibc (it needs the version `GLIBC_2.2.5`), but the program's loader is \
             musl's\ncannot find the symbol `b`, needed by `{main}`"
        )
    );
}

#[test]
fn a_build_reports_all_missing_symbols() {
    let folder = Folder::new();
    folder.library("libx", DEFINES_A_AND_B, V1_V2, "-s");
    folder.program(CALLS_A_AND_B, "-s -lx -Wl,-z,lazy");
    assert_eq!(plan(&folder).unwrap()[0].notes, []);

    folder.library("libx", DEFINES_A, "", "-s");
    let (main, library) = (folder.path("main"), folder.path("libx.so"));
    let (main, library) = (main.display(), library.display());
    assert_eq!(
        plan(&folder).unwrap()[0].notes.iter().map(ToString::to_string).collect::<Vec<_>>(),
        [
            format!("`{library}` has no symbol versions, but `{main}` was linked against one that has `V1`"),
            format!(
                "`{library}` has no symbol versions, so the loader fails when it binds `a` (version `V1`) for `{main}`"
            ),
            format!(
                "cannot find the symbol `b` (version `V2`), needed by `{main}`; a call to it ends the program"
            ),
        ]
    );

    folder.library("libx", DEFINES_A, "V0 { global: a; local: *; };", "");
    let error = plan(&folder).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "cannot find the version `V1` in `{library}`, needed by `{main}` for `a`\n\
             cannot find the version `V2` in `{library}`, needed by `{main}` for `b`"
        )
    );
    assert!(error.hint().unwrap().starts_with("the library here is another release"));

    folder.library("libx", DEFINES_A_AND_B, "", "");
    folder.program(CALLS_A_AND_B, "-lx -Wl,-z,now");
    folder.library("libx", DEFINES_A, "", "");
    let error = plan(&folder).unwrap_err();
    assert_eq!(error.to_string(), format!("cannot find the symbol `b`, needed by `{main}`"));
}

/// Like a program that was linked against a newer glibc than the installed one.
#[test]
fn reports_the_newest_version_of_an_old_library() {
    let folder = Folder::new();
    folder.library(
        "libx",
        DEFINES_A_AND_B,
        "X_1.9 { local: *; }; X_1.10 { } X_1.9; X_1.11 { global: a; b; } X_1.10;",
        "",
    );
    folder.program(CALLS_A_AND_B, "-lx");
    folder.library("libx", DEFINES_A, "X_1.9 { local: *; }; X_1.10 { global: a; } X_1.9;", "");
    let (main, library) = (folder.path("main"), folder.path("libx.so"));
    assert_eq!(
        plan(&folder).unwrap_err().to_string(),
        format!(
            "cannot find the version `X_1.11` in `{}`, needed by `{}` for `a`, `b`; the newest available is `X_1.10`",
            library.display(),
            main.display()
        )
    );
}
