//! `[runtime]` and its flags.

use super::*;
use coracle_ld::implicit::{Inclusion, TimeZones};
use coracle_ld::ldso::HwcapsSelection;

#[test]
fn runtime_flags_replace_the_file() {
    let runtime = RuntimeOverrides {
        certificates: Some("false".into()),
        dlopen_notes: Some("false".into()),
        time_zones: Some(Vec::new()),
        charsets: strings(["UTF-16", "UTF-16"]),
        hwcaps: Some("none".into()),
        ..RuntimeOverrides::default()
    };
    let recipe = read(ALL_KEYS, &RecipeOverrides { runtime, ..RecipeOverrides::default() }).unwrap();
    assert_eq!(
        (recipe.contents.implicit.certificates, recipe.contents.implicit.nss),
        (Inclusion::Never, Inclusion::Auto)
    );
    assert_eq!(
        (recipe.contents.implicit.dlopen_notes, recipe.contents.implicit.time_zones),
        (None, Some(TimeZones::All))
    );
    assert_eq!(
        (recipe.contents.implicit.charsets, recipe.contents.hwcaps),
        (Some(strings(["UTF-16"])), HwcapsSelection::None)
    );
    assert_eq!(recipe.contents.implicit.locales, Some(strings(["C.UTF-8"])));
}

#[test]
fn rejects_invalid_runtime_values() {
    for (line, message) in [
        ("certificates = \"yes\"", "`yes` is none of `auto`, `true` and `false`"),
        ("certificate = true", "unknown key `certificate` in `[runtime]`; did you mean `certificates`?"),
        ("nss = 1", "expected `true`, `false` or a string"),
        ("time-zones = 1", "expected `true`, `false` or a list of names"),
        ("time-zones = [\"../passwd\"]", "`../passwd` is not a valid name"),
        ("locales = [\"a/b\"]", "`a/b` is not a valid name"),
        ("dlopen = [\"\"]", "`` is not a valid name"),
        ("dlopen-notes = true", "`true` is none of `required`, `recommended`, `suggested` and `false`"),
        ("plugins = [\"qt\"]", "`qt` is not a known plugin family"),
    ] {
        let text = format!("[image]\nprograms = [\"app\"]\n[runtime]\n{line}");
        let Err(RecipeError::Invalid(problems)) = read(&text, &RecipeOverrides::default()) else {
            panic!("{line}")
        };
        let found: Vec<_> =
            problems.iter().map(|p| (p.position.as_ref().unwrap().line, p.message.as_str())).collect();
        assert_eq!(found, [(4, message)], "{line}");
    }
}
