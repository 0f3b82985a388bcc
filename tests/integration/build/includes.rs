//! Files and directories that were asked for, and those that can't be had.

use std::os::unix::net::UnixListener;
use std::process::Command;

use snapbox::str;

use crate::build::project::Project;

#[test]
fn includes_files_and_directories() {
    let project = Project::hello(&["-static"]);
    project.file("assets/a/one", "1").file("assets/two", "2").link("assets/up", "a/../two").file("lone", "l");
    let layout = project.built(
        &["hello", "--include", "assets/:/srv/assets", "--include=lone:/srv/", "--include=lone:/data/other"],
        "hello.oci",
    );
    assert_eq!(layout.entries().len(), 2);
    assert_eq!(
        layout.below(&["/srv", "/data"]),
        [
            "/data/",
            "/data/other",
            "/srv/",
            "/srv/assets/",
            "/srv/assets/a/",
            "/srv/assets/a/one",
            "/srv/assets/two",
            "/srv/assets/up -> a/../two",
            "/srv/lone",
        ]
    );
    let root = layout.unpack();
    assert_eq!(std::fs::read_to_string(root.path().join("srv/assets/up")).unwrap(), "2");
}

/// Contents and paths alone decide the digest: a checkout does not keep hard links.
#[test]
fn hard_links_among_inputs_do_not_change_the_image() {
    let built = |link: fn(&Project, &str, &str)| {
        let project = Project::hello(&["-static"]);
        project.file("assets/first", "the same");
        link(&project, "assets/first", "assets/second");
        link(&project, "hello", "hello-again");
        let layout = project.built(&["hello", "hello-again", "--include", "assets:/srv"], "hello.oci");
        assert_eq!(layout.below(&["/srv"]), ["/srv/", "/srv/first", "/srv/second"]);
        std::fs::read(project.path("hello.oci/index.json")).unwrap()
    };
    let linked = built(|project, from, to| {
        std::fs::hard_link(project.path(from), project.path(to)).unwrap();
    });
    let copied = built(|project, from, to| {
        std::fs::copy(project.path(from), project.path(to)).unwrap();
    });
    assert_eq!(String::from_utf8(linked).unwrap(), String::from_utf8(copied).unwrap());
}

#[test]
fn warns_of_large_hard_links_that_become_copies() {
    let project = Project::hello(&["-static"]);
    project.file("assets/first", "x".repeat(600_000));
    for name in ["second", "third"] {
        std::fs::hard_link(project.path("assets/first"), project.path(&format!("assets/{name}"))).unwrap();
    }
    let run = project.coracle(["build", "hello", "--include", "assets:/srv"]).command().output().unwrap();
    let stderr = String::from_utf8(run.stderr).unwrap();
    assert!(stderr.contains("warning: hard links become copies: /srv/second, /srv/third\n"), "{stderr}");
    assert!(stderr.contains("this adds 1.20 MB to the image: symbolic links add nothing\n"), "{stderr}");
}

#[test]
fn reports_all_failed_includes_together() {
    let project = Project::hello(&["-static"]);
    project.file("assets/fine", "");
    assert!(Command::new("mkfifo").arg(project.path("assets/pipe")).status().unwrap().success());
    let _listener = UnixListener::bind(project.path("assets/socket")).unwrap();
    let run =
        ["build", "hello", "--include", "assets:/srv", "--include", "nowhere:/x", "--include=/dev/null:/y"];
    project.coracle(run).ends(
        1,
        str![],
        str![[r#"
error: cannot include some files
  [FOLDER]/assets/pipe cannot be included: it is a named pipe
  [FOLDER]/assets/socket cannot be included: it is a socket
  [FOLDER]/nowhere: there is no such file or directory
  /dev/null cannot be included: it is a character device

hint: remove it from the directory: an image holds files, directories and links
hint: check the path: flags are relative to the working directory, a recipe's keys to the recipe

"#]],
    );
}

/// Links of an included directory that lead out of it.
fn links_out() -> Project {
    let project = Project::hello(&["-static"]);
    project
        .file("assets/fine", "f")
        .file("outside/secret", "s")
        .link("assets/absolute", "/etc/hostname")
        .link("assets/fine-by-its-whole-path", project.path("assets/fine"))
        .link("assets/relative", "../outside/secret")
        .link("assets/through", "../outside")
        .link("assets/two-hops", "through/secret");
    project
}

#[test]
fn rejects_links_to_files_that_are_not_in_the_image() {
    links_out().coracle(["build", "hello", "--include", "assets:/srv"]).ends(
        1,
        str![],
        str![[r#"
error: cannot include some files
  [FOLDER]/assets/absolute: it is a link to /etc/hostname, which is outside the included directory
  [FOLDER]/assets/fine-by-its-whole-path: it is a link to [FOLDER]/assets/fine, which is outside the included directory
  [FOLDER]/assets/relative: it is a link to ../outside/secret, which is outside the included directory
  [FOLDER]/assets/through: it is a link to ../outside, which is outside the included directory
  [FOLDER]/assets/two-hops: it is a link to through/secret, which is outside the included directory
...
"#]],
    );
}

#[test]
fn links_to_files_of_other_includes_are_kept() {
    let project = Project::hello(&["-static"]);
    project
        .file("outside/data", "d")
        .link("assets/up", "../outside/data")
        .link("assets/whole", "/srv/outside");
    let layout = project.built(
        &["hello", "--include", "assets:/srv/assets", "--include", "outside:/srv/outside"],
        "hello.oci",
    );
    assert_eq!(
        layout.below(&["/srv/assets/"]),
        ["/srv/assets/", "/srv/assets/up -> ../outside/data", "/srv/assets/whole -> /srv/outside"]
    );
}

#[test]
fn targets_come_along_with_a_directory_that_keeps_its_path() {
    let project = links_out();
    let path = |name: &str| project.path(name).display().to_string();
    let layout = project.built(&["hello", "--include", &format!("{0}:{0}", path("assets"))], "hello.oci");
    let paths = layout.below(&["/"]);
    for wanted in [
        path("outside/secret"),
        path("assets/fine"),
        "/etc/hostname".into(),
        format!("{} -> ../outside", path("assets/through")),
        format!("{} -> {}", path("assets/fine-by-its-whole-path"), path("assets/fine")),
    ] {
        assert!(paths.contains(&wanted), "{wanted}: {paths:?}");
    }
}

#[test]
fn links_without_a_target_are_kept_with_a_warning() {
    for target in ["../gone".to_owned(), "/gone".into(), format!("../{}", "x".repeat(300)), "y".repeat(300)] {
        let project = Project::hello(&["-static"]);
        project.file("assets/file", "").link("assets/dangling", &target);
        let folder = project.path("assets").display().to_string();
        for include in ["assets:/srv".to_owned(), format!("{folder}:{folder}")] {
            let mut run = project.coracle(["build", "hello", "--include", &include]).command();
            let output = run.output().unwrap();
            let said = String::from_utf8(output.stderr).unwrap();
            assert!(output.status.success(), "{target}: {said}");
            let is_outside = target.starts_with(['.', '/']);
            assert_eq!(
                said.contains("warning: included links have no target"),
                is_outside,
                "{target}: {said}"
            );
            let link = format!("/dangling -> {target}");
            let entries = project.layout("hello.oci").entries();
            assert!(entries.iter().flatten().any(|line| line.ends_with(&link)), "{entries:?}");
            std::fs::remove_dir_all(project.path("hello.oci")).unwrap();
        }
    }
}

#[test]
fn rejects_an_include_without_a_target() {
    let project = Project::hello(&["-static"]);
    project.file("lone", "");
    project.coracle(["build", "hello", "--include", "lone", "--include", "lone:srv"]).ends(
        2,
        str![],
        str![[r#"
error: 2 problems on the command line
  `--include`: `lone` has no path in the image
  `--include`: `lone:srv` has no path in the image

hint: write it as `FROM:TO` with an absolute TO, such as `assets/:/srv/assets`

"#]],
    );
    project.coracle(["build", "hello", "--include", "lone:/srv/../x", "--include", ":/srv"]).ends(
        2,
        str![],
        str![[r#"
error: 2 problems on the command line
  `--include`: `/srv/../x` is not a path inside an image: it contains `.` or `..`
  `--include`: the path of a file is empty

"#]],
    );
}

#[test]
fn rejects_two_sources_for_one_path() {
    let project = Project::hello(&["-static"]);
    project.file("one", "1").file("two", "2").file("assets/x", "3");
    let run = ["build", "hello", "--include=one:/srv/x", "--include=two:/srv/x", "--include=assets:/srv"];
    project.coracle(run).ends(
        1,
        str![],
        str![[r#"
error: different contents are planned for the same path of the image
  /srv/x would be [FOLDER]/one (included from [FOLDER]/one), and also [FOLDER]/two (included from [FOLDER]/two)
  /srv/x would be [FOLDER]/one (included from [FOLDER]/one), and also [FOLDER]/assets/x (included from [FOLDER]/assets)

hint: place one of them elsewhere with `FROM:TO`, or leave it out

"#]],
    );
    project.coracle(["build", "hello", "--include=one:/app/hello", "--include=one:/app"]).ends(
        1,
        str![],
        str![[r#"
error: different contents are planned for the same path of the image
  /app/hello would be [FOLDER]/hello (program), and also [FOLDER]/one (included from [FOLDER]/one)
  /app would be a directory (on the path to other files), and also [FOLDER]/one (included from [FOLDER]/one)

hint: place one of them elsewhere with `FROM:TO`, or leave it out

"#]],
    );
}

#[test]
fn rejects_two_programs_with_the_same_name() {
    let project = Project::hello(&["-static"]);
    project.program("other/hello", crate::build::project::HELLO, &["-static", "-O0"]);
    project.coracle(["build", "hello", "other/hello"]).ends(
        1,
        str![],
        str![[r#"
error: different contents are planned for the same path of the image
  /app/hello would be [FOLDER]/hello (program), and also [FOLDER]/other/hello (program)

hint: place one of them elsewhere with `FROM:TO`, or leave it out

"#]],
    );
    let layout = project.built(&["hello", "other/hello:/app/other"], "hello.oci");
    assert_eq!(layout.below(&["/app/"]), ["/app/", "/app/hello", "/app/other"]);
}

#[test]
fn does_not_include_the_image_itself() {
    let project = Project::hello(&["-static"]);
    project.coracle(["build", "hello", "--include", ".:/srv"]).ends(
        1,
        str![],
        str![[r#"
error: `oci:hello.oci` is inside `[FOLDER]`, which is included: the image would contain itself

hint: write the image elsewhere with `--output`, or include less than that directory

"#]],
    );
    let elsewhere = Project::new();
    let archive = format!("oci-archive:{}", elsewhere.path("hello.tar").display());
    project.coracle(["build", "hello", "-q", "--include", ".:/srv", "-o", &archive]).ends(
        0,
        str![[r#"
hello:latest@sha256:[..]

"#]],
        str![],
    );
}

#[test]
fn an_excluded_image_can_be_inside_an_included_directory() {
    let project = Project::hello(&["-static"]);
    for (output, exclude) in
        [("oci:hello.oci", "*.oci"), ("oci-archive:out/a/x.tar", "/out/"), ("oci:b", "b/")]
    {
        let build = || {
            let arguments =
                ["build", "hello", "-q", "--include", ".:/srv", "-o", output, "--exclude", exclude];
            let built = project.coracle(arguments).command().output().unwrap();
            assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
            built.stdout
        };
        assert_eq!(build(), build(), "{output} {exclude}");
    }
    for exclude in ["*.tar", "hello.oci/index.json", "!*.oci"] {
        let arguments = ["build", "hello", "--include", ".:/srv", "--exclude", exclude];
        let refused = project.coracle(arguments).command().output().unwrap();
        let message = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(message.contains("the image would contain itself"), "{exclude}: {message}");
    }
}

#[test]
fn rejects_names_that_delete_files_of_the_image() {
    let project = Project::hello(&["-static"]);
    project
        .file("assets/.wh.libc.so.6", "")
        .file("assets/sub/.wh..wh..opq", "")
        .file("assets/.wh.folder/a", "")
        .file("assets/.whole", "")
        .program(".wh.prog", crate::build::project::HELLO, &["-static"]);
    project.coracle(["build", "hello", "--include", "assets:/lib"]).ends(
        1,
        str![],
        str![[r#"
error: no layer can contain files whose names start with `.wh.`, which deletes files of the image
  /lib/.wh.folder would be a directory (included from [FOLDER]/assets)
  /lib/.wh.libc.so.6 would be [FOLDER]/assets/.wh.libc.so.6 (included from [FOLDER]/assets)
  /lib/sub/.wh..wh..opq would be [FOLDER]/assets/sub/.wh..wh..opq (included from [FOLDER]/assets)

hint: rename them, or place them elsewhere with `FROM:TO`; a directory can leave them out with `exclude`

"#]],
    );
    for (name, args) in [
        ("/app/.wh.prog", ["./.wh.prog", "--strip", "--no-cache"]),
        ("/usr/.wh.d", ["hello", "--include", "assets/.whole:/usr/.wh.d/x"]),
        ("/srv/.wh.work", ["hello", "--working-dir", "/srv/.wh.work"]),
        ("/srv/.wh.hello", ["hello:/srv/.wh.hello", "--strip", "--no-cache"]),
    ] {
        let output = project.coracle(["build"]).command().args(args).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(&format!("\n  {name} would be ")), "{said}");
    }
    for mount in ["--state=/var/.wh.state", "--secret=key:/etc/.wh.secret"] {
        let output = project.coracle(["build", "hello", mount]).command().output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        let flag = mount.split('=').next().unwrap();
        assert!(said.contains(&format!("error: `{flag}`: cannot mount on `/")), "{said}");
    }
    assert!(
        project.built(&["hello", "--include", "assets/.whole:/lib/.whole"], "hello.oci").digests().len() == 1
    );
}

#[test]
fn equal_copies_at_one_path_are_one_file() {
    let project = Project::hello(&["-static"]);
    project.file("a/one", "the same").file("b/one", "the same").file("b/two", "2");
    project.program("other/hello", crate::build::project::HELLO, &["-static"]);
    let includes = ["--include", "a:/srv", "--include", "b:/srv", "--include", "b/one:/srv/one"];
    let layout = project.built(&[&["hello", "other/hello"], &includes[..]].concat(), "hello.oci");
    assert_eq!(layout.below(&["/srv", "/app/"]), ["/app/", "/app/hello", "/srv/", "/srv/one", "/srv/two"]);
    // A file and an executable are two things.
    project.script("c/one", "the same");
    let said =
        project.coracle(["build", "hello"]).command().args(includes).args(["--include", "c:/srv"]).output();
    let said = String::from_utf8(said.unwrap().stderr).unwrap();
    let folder = project.folder().display();
    let expected = format!(
        "  /srv/one would be {folder}/a/one (included from {folder}/a) with mode 0644, and also {folder}/c/one (included from \
         {folder}/c) with mode 0755\n"
    );
    assert!(said.contains(&expected), "{said}");
}

#[test]
fn reports_mode_bits_that_the_image_lacks() {
    use std::os::unix::fs::PermissionsExt;
    let project = Project::hello(&["-static"]);
    project.file("data/spool/x", "").file("data/team/x", "").file("data/set-id", "").file("data/sticky", "");
    project.file("data/plain/x", "");
    for (name, mode) in
        [("spool", 0o1777), ("team", 0o2775), ("set-id", 0o4755), ("sticky", 0o1644), ("plain", 0o777)]
    {
        let path = project.path("data").join(name);
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
    let said = |more: &[&str]| {
        let run = project.coracle(["build", "hello", "--include", "data:/srv"]).command().args(more).output();
        String::from_utf8(run.unwrap().stderr).unwrap()
    };
    let all = said(&[]);
    for expected in [
        "warning: set-id bits are dropped: /srv/set-id, /srv/team\n",
        "warning: sticky bits are dropped: /srv/sticky\n",
        "warning: sticky bits of directories are dropped: /srv/spool\n",
        "`--state PATH`",
    ] {
        assert!(all.contains(expected), "{expected}: {all}");
    }
    assert!(!said(&["--state", "/srv/spool"]).contains("sticky bits of directories"));
}

#[test]
fn directories_for_temporary_files_keep_their_mode() {
    use std::os::unix::fs::PermissionsExt;
    let project = Project::hello(&["-static"]);
    project.file("data/x", "");
    let layout =
        project.built(&["hello", "--include", "data:/tmp/data", "--include", "data:/srv/tmp"], "hello.oci");
    let root = layout.unpack();
    let mode = |path: &str| std::fs::metadata(root.path().join(path)).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode("tmp"), mode("tmp/data"), mode("srv/tmp")), (0o1777, 0o755, 0o755));
}

#[test]
fn leaves_out_what_patterns_exclude() {
    let project = Project::hello(&["-static"]);
    project
        .file("assets/a.map", "")
        .file("assets/sub/b.map", "")
        .file("assets/sub/c", "")
        .file("assets/docs/d", "")
        .file("assets/sub/docs/e", "")
        .file("assets/keep.map", "")
        .file("other/x.map", "")
        .file("other/docs/y", "")
        .link("assets/to-docs", "docs/d")
        .link("assets/to-sub", "sub");
    let recipe = |exclude: &str| {
        let include = format!("[[include]]\nfrom = 'assets'\nto = '/srv'\nexclude = {exclude}\n");
        let other = "[[include]]\nfrom = 'other'\nto = '/other'\n";
        project.file("coracle.toml", format!("[image]\nprograms = ['hello']\n{include}{other}"));
    };
    recipe(r#"["*.map", "!keep.map", "/docs/"]"#);
    let kept = ["/srv/", "/srv/keep.map", "/srv/sub/", "/srv/sub/c", "/srv/sub/docs/", "/srv/sub/docs/e"];
    let links = ["/srv/to-docs -> docs/d", "/srv/to-sub -> sub"];
    let other = ["/other/", "/other/docs/", "/other/docs/y", "/other/x.map"];
    let run = project.coracle(["build"]).command().output().unwrap();
    let said = String::from_utf8(run.stderr).unwrap();
    assert!(said.contains("included links have no target in the image:\n"), "{said}");
    assert!(said.contains("/assets/to-docs -> docs/d\n") && !said.contains("to-sub"), "{said}");
    let layout = project.layout("hello.oci");
    assert_eq!(layout.below(&["/srv", "/other"]), [&other[..], &kept, &links].concat());
    // Flags add to the recipe's patterns, and apply to all includes.
    let layout = project.built(&["--exclude", "docs", "--exclude=x.*", "-o", "oci:more"], "more");
    assert_eq!(
        layout.below(&["/srv", "/other"]),
        ["/other/", "/srv/", "/srv/keep.map", "/srv/sub/", "/srv/sub/c", links[0], links[1]]
    );
    recipe("['[a', '#x']");
    let run = project.coracle(["build"]).command().output().unwrap();
    let said = String::from_utf8(run.stderr).unwrap();
    assert!(
        said.contains("`[a` is not a valid exclude pattern: ") && said.contains("coracle.toml:6:12"),
        "{said}"
    );
    assert!(said.contains("`#x` is not a valid exclude pattern: "), "{said}");
}

#[test]
fn says_what_makes_includes_large() {
    let project = Project::hello(&["-static"]);
    project.file("data/small", "x").file("data/sub/deep/large", "");
    let large = std::fs::File::options().write(true).open(project.path("data/sub/deep/large")).unwrap();
    large.set_len(100_000_000).unwrap();
    let said = |more: &[&str]| {
        let mut run =
            project.coracle(["build", "hello", "--dry-run", "--include", "data:/srv/data"]).command();
        String::from_utf8(run.args(more).output().unwrap().stderr).unwrap()
    };
    let expected =
        "have 100.00 MB; the largest parts are\n  /srv/data/sub (100.00 MB)\n  /srv/data/small (1 B)\n";
    assert!(said(&[]).contains(expected), "{}", said(&[]));
    assert!(!said(&["--exclude", "/sub/"]).contains("largest parts"));
}
