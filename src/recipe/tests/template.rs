//! The recipe with every key: `templates/coracle.toml`.

use super::*;

#[test]
fn template_has_the_default_values() {
    let template = include_bytes!("../../../templates/coracle.toml");
    let recipe = parse_recipe(Path::new("coracle.toml"), template, &RecipeOverrides::default()).unwrap();
    let flags = RecipeOverrides {
        programs: vec!["target/release/app".into()],
        names: vec!["app".into()],
        ..RecipeOverrides::default()
    };
    assert_eq!(recipe, Recipe::from_flags(&flags).unwrap());
}

/// The keys in comments of the template are valid, and all keys are there.
#[test]
fn template_shows_all_kubernetes_keys() {
    let template = include_str!("../../../templates/coracle.toml");
    let (_, shown) = template.split_once("# [[secret]]").unwrap();
    let (shown, _) = shown.split_once("# Static data").unwrap();
    let is_key = |line: &str| {
        line.starts_with('[') || line.split_once(" = ").is_some_and(|(key, _)| !key.contains(' '))
    };
    let lines = shown.lines().filter_map(|line| line.strip_prefix("# ").filter(|line| is_key(line)));
    let text = format!("[image]\nprograms = [\"app\"]\n[[secret]]\n{}", lines.collect::<Vec<_>>().join("\n"));
    let recipe =
        parse_recipe(Path::new("coracle.toml"), text.as_bytes(), &RecipeOverrides::default()).unwrap();
    assert_eq!((recipe.kubernetes.replicas, recipe.config.writable_directories.len()), (Some(2), 1));
    for key in schema::known_keys_of::<schema::KubernetesTable>() {
        assert!(shown.contains(key), "{key}");
    }
}
