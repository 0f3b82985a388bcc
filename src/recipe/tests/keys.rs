//! Unknown keys and values of the wrong type: all are reported together.

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
