//! Recipes that can not be read.

use coracle_testing::coracle;
use snapbox::str;

#[test]
fn reports_an_unreadable_recipe() {
    coracle(["build", "-f", "nope.toml"]).ends(
        2,
        str![],
        str![[r#"
error: cannot read `nope.toml`: No such file or directory (os error 2)

hint: check the spelling; relative paths start at the working directory

"#]],
    );
    coracle(["build", "-f", "folder"]).file("folder/coracle.toml", "").ends(
        2,
        str![],
        str![[r#"
error: cannot read `folder`: Is a directory (os error 21)

hint: name the file in it, such as `coracle.toml`

"#]],
    );
    coracle(["build"]).file("coracle.toml", b"\xff").ends(
        2,
        str![],
        str![[r#"
error: `coracle.toml` is not UTF-8, which TOML requires
   --> coracle.toml:1:1
  1 | 
    | ^

"#]],
    );
    coracle(["build", "-f", "/dev/zero"]).ends(
        2,
        str![],
        str![[r#"
error: `/dev/zero` is larger than 1048576 bytes, which is too large for a recipe

hint: check which file is named

"#]],
    );
}

#[test]
fn all_recipes_are_read_before_any_is_built() {
    coracle(["build", "-f", "a.toml", "-f", "b.toml", "-f", "c.toml"])
        .file("a.toml", "[image]\nprograms = [\"a\"]\n")
        .file("b.toml", "image = 1\n")
        .ends(
            2,
            str![],
            str![[r#"
error: invalid type: integer `1`, expected a table
   --> b.toml:1:9
  1 | image = 1
    |         ^

error: cannot read `c.toml`: No such file or directory (os error 2)

hint: check the spelling; relative paths start at the working directory

"#]],
        );
    coracle(["build", "-f", "a.toml", "-f", "b.toml", "-t", "shop"]).ends(
        2,
        str![],
        str![[r#"
error: PROGRAM, `--tag`, an archive and a name in a registry can't be used with several recipes: each is one image

hint: set programs and names in the recipes, or build one recipe at a time

"#]],
    );
    coracle(["build", "-f", "a.toml", "-f", "b.toml", "-o", "oci-archive:x.tar"]).ends(
        2,
        str![],
        str![[r#"
error: PROGRAM, `--tag`, an archive and a name in a registry can't be used with several recipes: each is one image

hint: set programs and names in the recipes, or build one recipe at a time

"#]],
    );
}

#[test]
fn reports_invalid_toml() {
    coracle(["build"]).file("coracle.toml", "[image]\nname = \"shop\nuser = 1\n").ends(
        2,
        str![],
        str![[r#"
error: `coracle.toml` is not TOML: invalid basic string, expected `"`
   --> coracle.toml:2:13
  2 | name = "shop
    |             ^

"#]],
    );
    coracle(["build", "-f", "sub/x.toml"]).file("sub/x.toml", "[image\n").ends(
        2,
        str![],
        str![[r#"
error: `sub/x.toml` is not TOML: unclosed table, expected `]`
   --> sub/x.toml:1:7
  1 | [image
    |       ^

"#]],
    );
}
