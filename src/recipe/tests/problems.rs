//! Problems of a recipe and their positions: unknown keys, wrong types, invalid values, no TOML.

use super::*;

#[test]
fn reports_unknown_keys_of_all_tables() {
    let text = r#"
imgae = 1
name = "shop"
zebra = 1
nam = "shop"
[image]
nmae = "shop"
working_dir = "/"
zebra = true
version = 1
programs = [{ form = "a", from = "b" }]
[[include]]
from = "a"
to = "/b"
form = "a"
"#;
    let Err(RecipeError::Invalid(problems)) = read(text, &RecipeOverrides::default()) else { panic!() };
    let found: Vec<String> = problems
        .iter()
        .map(|problem| format!("{}: {}", problem.position.as_ref().unwrap().line, problem.message))
        .collect();
    assert_eq!(
        found,
        [
            "2: unknown key `imgae` in the recipe; did you mean `image`?",
            "3: unknown key `name` in the recipe; it belongs below `[image]`",
            "4: unknown key `zebra` in the recipe",
            "5: unknown key `nam` in the recipe; did you mean `name` below `[image]`?",
            "7: unknown key `nmae` in `[image]`; did you mean `name`?",
            "8: unknown key `working_dir` in `[image]`; did you mean `working-dir`?",
            "9: unknown key `zebra` in `[image]`",
            "10: unknown key `version` in `[image]`; it belongs to the top of the recipe",
            "11: unknown key `form` in this table; did you mean `from`?",
            "15: unknown key `form` in `[[include]]`; did you mean `from`?",
        ]
    );
}

#[test]
fn reports_wrong_types_with_unknown_keys() {
    let text = r#"
include = [{ from = 1, to = "/a" }, { from = "a", to = "/b", too = 1 }]
[image]
name = 1
programs = ["a", 2]
user = true
expose = "8080"
strip = "yes"
nmae = "x"
"#;
    let Err(RecipeError::Invalid(problems)) = read(text, &RecipeOverrides::default()) else { panic!() };
    let found: Vec<_> = problems
        .iter()
        .map(|problem| format!("{}: {}", problem.position.as_ref().unwrap().line, problem.message))
        .collect();
    assert_eq!(
        found,
        [
            "2: invalid type: integer `1`, expected a string",
            "2: unknown key `too` in `[[include]]`; did you mean `to`?",
            "4: invalid type: integer `1`, expected a string",
            "5: invalid type: integer `2`, expected a path, or a table with `from`",
            "6: invalid type: boolean `true`, expected a number or a string",
            "7: invalid type: string \"8080\", expected a sequence",
            "8: invalid type: string \"yes\", expected a boolean",
            "9: unknown key `nmae` in `[image]`; did you mean `name`?",
        ]
    );
}

#[test]
fn rejects_lists_for_tables() {
    for text in ["image = [\"shop\"]", "[[image]]\nname = \"a\"", "include = [[\"a\", \"/b\"]]", "image = 1"]
    {
        let Err(RecipeError::Invalid(problems)) = read(text, &RecipeOverrides::default()) else {
            panic!("{text}")
        };
        assert!(problems[0].message.ends_with("expected a table"), "{problems:?}");
    }
}

#[test]
fn rejects_invalid_values() {
    for (line, message) in [
        ("name = \"Shop\"", "`Shop` is not an image name: "),
        ("expose = [0]", "`0` is not a port: it must be a number from 1 to 65535"),
        ("user = \"nobody\"", "the user `nobody` is not numeric"),
        ("user = -1", "`-1` is not a user ID: it must be a number from 0 to 2147483647"),
        ("user = \"1:2\"\ngroup = 2", "the group is given twice, in `user` and in `group`"),
        ("env = { \"A=B\" = \"1\" }", "`A=B` is not a variable name: it contains `=`"),
        ("env = { \"\" = \"1\" }", "a name is empty"),
        ("env = { A = \"\\u0000\" }", "a value contains a NUL byte"),
        ("args = [\"\\u0000\"]", "an argument contains a NUL byte"),
        ("working-dir = \"srv\"", "`srv` is not a path inside an image: it must start with `/`"),
        ("stop-signal = \"TERM\"", "`TERM` is not a signal"),
        ("platform = \"arm64\"", "`arm64` is not a platform"),
        ("[[include]]\nfrom = \"\"\nto = \"/a\"", "the path of a file is empty"),
        ("[[include]]\nfrom = \"a\"\nto = \"/a/../b\"", "`/a/../b` is not a path inside an image: "),
        ("[[include]]\nfrom = \"a\"", "missing field `to`"),
        ("[allow]\nsrv = \"x\"", "`srv` is not a path inside an image: it must start with `/`"),
        ("[allow]\n\"/a\" = \" \"", "no reason is given for allowing `/a`"),
    ] {
        let problems = messages_of(line);
        assert!(problems.len() == 1 && problems[0].starts_with(message), "{line}: {problems:?}");
    }
}

#[test]
fn messages_name_the_flag() {
    let flags = RecipeOverrides {
        programs: vec!["app:/".into(), "".into()],
        names: strings(["UP"]),
        env: strings(["A", "=1"]),
        includes: vec!["a".into(), "a:/../b".into()],
        ..RecipeOverrides::default()
    };
    let Err(RecipeError::Invalid(problems)) = Recipe::from_flags(&flags) else { panic!() };
    let flags: Vec<_> = problems.iter().map(|problem| problem.message.split(':').next().unwrap()).collect();
    assert_eq!(flags, ["`--tag`", "`--env`", "`--env`", "`PROGRAM`", "`--include`", "`--include`"]);
}

#[test]
fn shows_position_with_marker() {
    let error = read("[image]\n\tname = \"Shop\"", &RecipeOverrides::default()).unwrap_err().to_string();
    let (message, place) = error.split_once('\n').unwrap();
    assert!(message.starts_with("`Shop` is not an image name: "), "{message}");
    assert_eq!(place, "   --> coracle.toml:2:9\n  2 |  name = \"Shop\"\n    |         ^^^^^^");
}

#[test]
fn shows_position_of_toml_errors() {
    for (text, line, column) in [
        ("[image\n", 1, 7),
        ("a = \n", 1, 5),
        ("[image]\nname = \"a\"\nname = \"b\"", 3, 1),
        ("é = \"\u{7f}\"", 1, 1),
    ] {
        let Err(RecipeError::Invalid(problems)) = read(text, &RecipeOverrides::default()) else {
            panic!("{text}")
        };
        let place = problems[0].position.as_ref().unwrap();
        assert_eq!((place.line, place.column), (line, column), "{text}: {problems:?}");
        assert!(problems[0].message.starts_with("`coracle.toml` is not TOML: "));
    }
    let error = parse_recipe(Path::new("x"), b"a = 1\nb = \"\xff\"", &RecipeOverrides::default())
        .unwrap_err()
        .to_string();
    assert_eq!(error, "`x` is not UTF-8, which TOML requires\n   --> x:2:6\n  2 | b = \"\n    |      ^");
}

#[test]
fn cuts_long_lines_around_position() {
    let long = format!("/{}", "x".repeat(499));
    let text = format!("[allow]\n\"{long}\" = \"\"");
    let error = read(&text, &RecipeOverrides::default()).unwrap_err().to_string();
    let lines: Vec<&str> = error.lines().collect();
    assert_eq!(lines[1], "   --> coracle.toml:2:506");
    let mark = lines[3].find('^').unwrap();
    assert_eq!(&lines[2][mark..], "\"\"");
    assert!(lines[2].len() < 120);
}

proptest::proptest! {
    #[test]
    fn never_panics(bytes: Vec<u8>, text in "(\\[image\\]\n)?([a-z]{0,5} ?= ?[\\[\\]{}\",=a-z0-9\n]{0,12}\n){0,4}") {
        let _ = parse_recipe(Path::new("x"), &bytes, &RecipeOverrides::default()).map_err(|e| e.to_string());
        let _ = parse_recipe(Path::new("x"), text.as_bytes(), &RecipeOverrides::default()).map_err(|e| e.to_string());
    }
}
