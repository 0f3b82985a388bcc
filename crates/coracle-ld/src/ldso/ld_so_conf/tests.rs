//! Parsing of `ld.so.conf`, including hostile files.

use proptest::prelude::*;

use super::*;
use coracle_core::file_system::MemoryFs;

fn listed(tree: &MemoryFs) -> Vec<String> {
    let listed = read_directories(tree);
    listed.iter().map(|listed| format!("{} {}", listed.directory, listed.listed_in)).collect()
}

fn tree(conf: &str) -> MemoryFs {
    let mut tree = MemoryFs::default();
    tree.add_file("/etc/ld.so.conf", conf.as_bytes());
    tree
}

/// The expected values are those of `ldconfig -v` of glibc 2.36.
#[test]
fn parses_directives() {
    for (text, expected) in [
        ("/opt/a", vec![Directive::Directory(b"/opt/a")]),
        (" \t/opt/a//\t# why\n\n#/b", vec![Directive::Directory(b"/opt/a")]),
        ("/a,/b:/c /d", vec![Directive::Directory(b"/a,/b:/c /d")]),
        ("/a=libc6\n/b =x\n=libc6\n/", vec![Directive::Directory(b"/a"), Directive::Directory(b"/b")]),
        ("/a\r\n/b\0/c", vec![Directive::Directory(b"/a"), Directive::Directory(b"/b")]),
        (
            "include a/*.conf\t/b/c.conf ",
            vec![Directive::Include(b"a/*.conf"), Directive::Include(b"/b/c.conf")],
        ),
        (
            "Include a\ninclude\nincludes",
            vec![
                Directive::Directory(b"Include a"),
                Directive::Directory(b"include"),
                Directive::Directory(b"includes"),
            ],
        ),
        ("hwcap 1 nosegneg\nHWCAP\t0 x\nhwcap", vec![Directive::Directory(b"hwcap")]),
    ] {
        assert_eq!(parse_directives(text.as_bytes()).collect::<Vec<_>>(), expected, "{text:?}");
    }
}

#[test]
fn sorts_includes_and_resolves_them_relative_to_their_file() {
    let mut tree = tree("include ld.so.conf.d/*.conf\n/last\n/b\nrelative/lib\n");
    tree.add_file("/etc/ld.so.conf.d/b.conf", b"/b\n");
    tree.add_file("/etc/ld.so.conf.d/A.conf", b"/a\ninclude sub/*.cnf more.cnf\n");
    tree.add_file("/etc/ld.so.conf.d/.hidden.conf", b"/hidden\n");
    tree.add_file("/etc/ld.so.conf.d/c.txt", b"/c\n");
    tree.add_file("/etc/ld.so.conf.d/sub/x.cnf", b"/x\n");
    tree.add_file("/etc/ld.so.conf.d/more.cnf", b"/more\n");
    let expected = [
        "/a /etc/ld.so.conf.d/A.conf",
        "/x /etc/ld.so.conf.d/sub/x.cnf",
        "/more /etc/ld.so.conf.d/more.cnf",
        "/b /etc/ld.so.conf.d/b.conf",
        "/last /etc/ld.so.conf",
    ];
    assert_eq!(listed(&tree), expected);
}

#[test]
fn follows_links() {
    let mut tree =
        MemoryFs::from_text("/etc/ld.so.conf -> ../opt/conf\n/opt/d -> /srv/d\n/srv/d/x.conf = /x");
    tree.add_file("/opt/conf", b"include /opt/d/*.conf /o*/d/x.conf");
    assert_eq!(listed(&tree), ["/x /opt/d/x.conf"]);
    assert_eq!(listed(&MemoryFs::default()), [""; 0]);
    assert_eq!(listed(&MemoryFs::from_text("/etc/ld.so.conf/")), [""; 0]);
}

#[test]
fn ends_on_circular_and_endless_includes() {
    let mut circle = tree("include /etc/*.conf /etc/a.conf ../etc/ld.so.conf\n/z\n");
    circle.add_file("/etc/a.conf", b"include ld.so.conf a.conf ./a.conf\n/a\n");
    let directories = read_directories(&circle);
    assert_eq!(
        directories.iter().map(|listed| listed.directory.to_string()).collect::<Vec<_>>(),
        ["/a", "/z"]
    );

    let mut chain = tree("include /c/0");
    for number in 0..100 {
        let text = format!("/d/{number}\ninclude {}\n", number + 1);
        chain.add_file(&format!("/c/{number}"), text.as_bytes());
    }
    assert_eq!(listed(&chain).len(), MAX_DEPTH);

    let mut fan = tree("include /f/*");
    for number in 0..(MAX_FILES + 10) {
        fan.add_file(&format!("/f/{number:04}"), format!("/g/{number}").as_bytes());
    }
    assert_eq!(listed(&fan).len(), MAX_FILES - 1);
}

#[test]
fn skips_too_long_paths_and_content() {
    let long = "x".repeat(PATH_MAX);
    assert_eq!(listed(&tree(&format!("/{long}\ninclude /{long} {long}\n/a\n"))), ["/a /etc/ld.so.conf"]);
    let mut large = tree(&format!("include /large /more\n{}", "\n".repeat(1 << 20)));
    large.add_file("/large", "/l\n".repeat(1 << 21).as_bytes());
    large.add_file("/more", b"/more\n");
    assert_eq!(listed(&large), ["/l /large"]);
    let names = vec!["*"; PATH_MAX / 2 - 1].join("?");
    assert_eq!(listed(&tree(&format!("include /{names} /*/*/*/*/*\n/a"))), ["/a /etc/ld.so.conf"]);
}

proptest! {
    #[test]
    fn never_panics_on_damaged_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        for line in parse_directives(&bytes) {
            let (Directive::Directory(part) | Directive::Include(part)) = line;
            prop_assert!(!part.is_empty() && !part.contains(&b'\n') && !part.contains(&b'#') && !part.contains(&0));
        }
        let mut tree = MemoryFs::default();
        tree.add_file("/etc/ld.so.conf", &bytes);
        read_directories(&tree);
    }

    #[test]
    fn lists_each_directory_once_for_any_text(text in "(include |hwcap |/|[a*?\\[\\]=# \t.-]|\n){0,60}") {
        let mut tree = MemoryFs::from_text("/a = /x\n/b/a = include ../a");
        tree.add_file("/etc/ld.so.conf", text.as_bytes());
        let listed = read_directories(&tree);
        let names: BTreeSet<&RawPath> = listed.iter().map(|listed| &listed.directory).collect();
        prop_assert_eq!(names.len(), listed.len());
        prop_assert!(listed.iter().all(|listed| listed.directory.as_bytes().starts_with(b"/")));
    }
}
