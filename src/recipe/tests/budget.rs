//! `[budget]` and its flags.

use super::*;
use coracle_core::byte_size::ByteSize;

const RECIPE: &str = "[image]\nprograms = [\"app\"]\n[budget]\nimage = \"5MB\"\ngrowth = \"2.5%\"\n";

#[test]
fn limits_have_positions() {
    let budget = read(RECIPE, &RecipeOverrides::default()).unwrap().policy.budget;
    let (image, growth) = (budget.image.unwrap(), budget.growth.unwrap());
    assert_eq!((image.value, growth.value), (ByteSize(5_000_000), GrowthLimit::Percent(2500)));
    assert_eq!(image.setting, "`image` below `[budget]`");
    assert_eq!((image.position.unwrap().line, growth.position.unwrap().line), (4, 5));
    assert_eq!(budget.previous, None);
}

#[test]
fn flags_override_single_limits() {
    let flags = RecipeOverrides {
        budget_growth: Some("200kB".into()),
        previous: Some("ghcr.io/acme/shop:1.1".into()),
        ..RecipeOverrides::default()
    };
    let budget = read(RECIPE, &flags).unwrap().policy.budget;
    let growth = budget.growth.unwrap();
    assert_eq!((growth.value, growth.position), (GrowthLimit::Size(ByteSize(200_000)), None));
    assert_eq!(growth.setting, "`--budget-growth`");
    assert_eq!(budget.image.unwrap().value, ByteSize(5_000_000));
    assert_eq!(budget.previous.unwrap().to_string(), "docker://ghcr.io/acme/shop:1.1");
}

#[test]
fn rejects_invalid_budgets() {
    assert_eq!(
        messages_of("[budget]\nimage = \"5 MB\"\ngrowth = 5\nsize = \"1MB\""),
        [
            "`5 MB` is not a size",
            "`5` is neither a percentage nor a size with a unit",
            "unknown key `size` in `[budget]`"
        ]
    );
    for (previous, message) in [
        ("containers-storage:x", "`--previous`: cannot compare with `containers-storage:x:latest`"),
        ("oci:", "`--previous`: `oci:` is not a valid image location"),
    ] {
        let flags = RecipeOverrides { previous: Some(previous.into()), ..RecipeOverrides::default() };
        let error = read(RECIPE, &flags).unwrap_err().to_string();
        assert!(error.starts_with(message), "{error}");
    }
}
