//! Text on a terminal is wrapped between words, at any width.

use std::process::Command;

use coracle_testing::skipped;

use crate::build::project::Project;

/// Returns what `coracle` prints on a terminal of `width` columns, or `None` without the program `script`.
fn printed(project: &Project, width: usize, args: &str) -> Option<String> {
    let coracle = coracle_testing::program("coracle");
    let run = format!("stty rows 50 cols {width}; exec {} {args}", coracle.display());
    let mut command = Command::new("script");
    command.args(["-qec", &run, "/dev/null"]).current_dir(project.folder()).env("NO_COLOR", "1");
    match command.output() {
        Ok(output) => Some(String::from_utf8(output.stdout).unwrap().replace('\r', "")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            skipped("`script` is not installed (on Debian: bsdutils)");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn words_are_never_cut() {
    let project = Project::hello(&[]);
    for args in [
        "build hello --no-cache -o oci:x.oci",
        "build hello --dry-run",
        "build hello -o x --user nobody --expose 80:80",
        "build gone",
        "deps hello",
        "recipe keys runtime",
    ] {
        let Some(wide) = printed(&project, 500, args) else { return };
        for width in [40, 80, 100, 200] {
            let Some(narrow) = printed(&project, width, args) else { return };
            let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            assert_eq!(words(&narrow), words(&wide), "{args} at {width}");
            for line in narrow.lines().filter(|line| line.chars().count() > width) {
                let longest = line.split_whitespace().map(|word| word.chars().count()).max();
                assert!(longest.unwrap_or_default() + 20 > width, "{args} at {width}: {line}");
            }
        }
    }
}
