//! Every planted secret is rejected, in every place.

use coracle_testing::planted_secrets::{planted_files, random_text, token_with_checksum};

use crate::secret_scanner::project::Project;

/// As many findings as are listed one by one.
const LISTED: usize = 16;

/// Each is named with its file, and nothing is written.
#[test]
fn rejects_planted_secrets_in_included_files() {
    let project = Project::new();
    let planted_files = planted_files();
    assert!(planted_files.len() >= 100, "{} are too few", planted_files.len());
    for plant in &planted_files {
        project.file(&format!("assets/{}", plant.file), &plant.text);
    }
    // A file may have two findings.
    for some in planted_files.chunks(LISTED / 2) {
        let includes = some.iter().flat_map(|plant| {
            ["--include".to_owned(), format!("assets/{file}:/srv/{file}", file = plant.file)]
        });
        let args: Vec<String> = ["app".to_owned()].into_iter().chain(includes).collect();
        let (code, said) = project.build(&args.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(code, Some(4), "{said}");
        let is_refused = |file: &str| said.lines().any(|line| line.starts_with(&format!("  /srv/{file}")));
        let missed: Vec<&str> =
            some.iter().map(|plant| &*plant.file).filter(|file| !is_refused(file)).collect();
        assert!(missed.is_empty(), "{missed:#?}\n{said}");
    }
}

/// Many findings are listed by folder, with one line that allows them all.
#[test]
fn folds_many_findings_by_folder() {
    let project = Project::new();
    let planted_files = planted_files();
    let plant = planted_files.iter().find(|plant| plant.file == "keys/rsa").unwrap();
    for index in 0..700 {
        project.file(&format!("assets/certs/{}/{index}.pem", index % 50), &plant.text);
    }
    let (code, said) = project.build(&["app", "--include", "assets/:/srv/assets"]);
    assert_eq!(code, Some(4), "{said}");
    let line =
        "  /srv/assets/certs: 700 files such as /srv/assets/certs/0/0.pem: a private key (private-key)\n";
    assert!(said.contains(line) && said.lines().count() == 5, "{said}");
    let allow = "`--allow '/srv/assets/certs=REASON'`";
    assert!(said.contains(allow) && said.matches("--allow").count() == 1, "{said}");
}

/// Layers are made in blocks of a mebibyte, and files are searched as they fill them.
#[test]
fn rejects_secrets_across_block_borders() {
    let planted_files: Vec<_> =
        planted_files().into_iter().filter(|plant| plant.file.starts_with("tokens/")).collect();
    let project = Project::new();
    let some: Vec<_> = planted_files.iter().step_by(4).collect();
    for (index, plant) in some.iter().enumerate() {
        // The edge goes through the midst of each in turn: the tar has headers of 512 bytes before it.
        let size = (1 << 20) - 512 - (index + plant.text.len() / 2);
        let text = [" ".repeat(size).as_bytes(), &plant.text].concat();
        project.file(&format!("assets/{index:02}"), text);
    }
    let indices: Vec<usize> = (0..some.len()).collect();
    for some in indices.chunks(LISTED / 2) {
        let includes = some
            .iter()
            .flat_map(|index| ["--include".to_owned(), format!("assets/{index:02}:/srv/{index:02}")]);
        let args: Vec<String> = ["app".to_owned()].into_iter().chain(includes).collect();
        let (code, said) = project.build(&args.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(code, Some(4), "{said}");
        for index in some {
            assert!(said.contains(&format!("\n  /srv/{index:02} at byte 10")), "{index}: {said}");
        }
    }
}

#[test]
fn rejects_secrets_in_program_data() {
    let project = Project::new();
    let token = token_with_checksum(&["gh", "p_"].concat());
    let key = coracle_testing::planted_secrets::pem_block(&["RSA PRIVATE", "KEY"].join(" "), "");
    for (name, text) in [("token", &token), ("key", &key)] {
        let source = format!("#include <stdio.h>\nint main(void) {{ return puts({text:?}); }}");
        project.compile(name, &source);
        let (code, said) = project.build(&[name]);
        assert_eq!(code, Some(4), "{said}");
        assert!(said.contains(&format!("\n  /app/{name} at byte ")), "{said}");
    }
    // Headers alone, as libraries have them that read keys; an example.
    let source = format!(
        "#include <stdio.h>\nint main(void) {{ puts(\"-----BEGIN RSA PRIVATE KEY-----\"); return puts({:?}); }}",
        "gh".to_owned() + "p_" + &"x".repeat(36)
    );
    project.compile("reader", &source);
    let (code, said) = project.build(&["reader"]);
    assert_eq!((code, said.contains("warning:")), (Some(0), false), "{said}");
}

#[test]
fn rejects_secrets_in_the_image_config() {
    let project = Project::new();
    let token = token_with_checksum(&["gh", "p_"].concat());
    let value = format!("TOKEN={token}");
    let url = format!(
        "DATABASE_URL=postgres://shop:{}@db.internal/shop",
        random_text(coracle_testing::planted_secrets::HEX_DIGITS, 12)
    );
    for (flag, value, name) in [
        ("--env", value.as_str(), "env:TOKEN"),
        ("--env", &url, "env:DATABASE_URL"),
        ("--label", &value, "label:TOKEN"),
        ("--annotation", &value, "annotation:TOKEN"),
        ("--arg", &token, "arg:1"),
        ("--arg", "--password=tr0ub4dor", "arg:1"),
    ] {
        let (code, said) = project.build(&["app", flag, value]);
        assert_eq!(code, Some(4), "{said}");
        assert!(said.contains(&format!("\n  {name}: ")), "{said}");
        let allow = format!("{name}=a fake of a test");
        let (code, said) = project.build(&["app", flag, value, "--allow", &allow]);
        assert_eq!(code, Some(0), "{said}");
        std::fs::remove_dir_all(project.path("out.oci")).unwrap();
    }
}
