//! Positions of problems, and files that are not TOML.

use super::*;

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
