//! Plans a complete image: adds the files and options that hints name, and plans again, until no
//! hint is left that arguments can resolve.

use std::path::{Path, PathBuf};

use super::image_planner::{EntriesFromHints, ImagePlanner};
use super::platform_base::PlatformBase;
use crate::error::Error;
use crate::image_plan::Plan;
use crate::recipe::{Recipe, RecipeInclude, RecipeProgram};
use coracle_core::distribution_directories::is_system_path;
use coracle_core::fs;
use coracle_core::path::{ImagePath, RawPath};
use coracle_ld::implicit::{DependencyHint, ImplicitPolicy, Remedy};

/// Maximum number of plans. What is added may need more, which is found by the next plan.
const MAX_PLANS: usize = 16;

/// The additions of hints to the recipe of one platform.
#[derive(Clone, Default)]
struct RecipeAdditions {
    includes: Vec<RecipeInclude>,
    /// Programs at their own paths.
    programs: Vec<RawPath>,
    state_dirs: Vec<ImagePath>,
    remedies: Vec<Remedy>,
}

/// Plans the image of `planner` with everything that hints name.
///
/// # Errors
/// Fails like [`ImagePlanner::plan_image`].
pub(super) fn plan_complete_image(
    planner: &ImagePlanner<'_>,
    base: Option<PlatformBase<'_>>,
) -> Result<Plan, Error> {
    // An include in a recipe is relative to the recipe.
    let root = match planner.hint_root().as_str() {
        "" => PathBuf::from("/"),
        root => fs::absolute_path(Path::new(root))?,
    };
    let mut additions = RecipeAdditions::default();
    let mut plan = planner.plan_image(base.clone())?;
    for _ in 1..MAX_PLANS {
        let is_new = |hint: &&DependencyHint| !additions.remedies.contains(&hint.remedy);
        let hints: Vec<DependencyHint> = plan.hints.iter().filter(is_new).cloned().collect();
        if hints.is_empty() {
            break;
        }
        for hint in hints {
            additions.add_remedy(&hint.remedy, &root);
            additions.remedies.push(hint.remedy);
        }
        let recipe = additions.added_to(planner.recipe);
        let own = |path: &RawPath| RecipeProgram {
            from: fs::path_from_bytes(path.as_bytes()),
            to: ImagePath::parse(path.as_bytes()).ok().filter(|path| !is_system_path(path)),
        };
        let programs: Vec<(RawPath, RecipeProgram)> =
            additions.programs.iter().map(|path| (path.clone(), own(path))).collect();
        let completed = ImagePlanner {
            recipe: &recipe,
            programs: planner.programs.clone(),
            platform: planner.platform.clone(),
            added: EntriesFromHints {
                programs: &programs,
                state_dirs: &additions.state_dirs,
                files: planner.added.files,
            },
            ..*planner
        };
        plan = completed.plan_image(base.clone())?;
    }
    Ok(plan)
}

impl RecipeAdditions {
    /// Adds what `remedy` names. `root` is the absolute directory that contains the paths in
    /// `remedy`.
    fn add_remedy(&mut self, remedy: &Remedy, root: &Path) {
        match remedy {
            Remedy::Include(paths) => {
                for path in paths {
                    let from = root.join(relative_to_root(&path.from));
                    let include = RecipeInclude { from, to: path.to.clone(), ..RecipeInclude::default() };
                    if !self.includes.contains(&include) {
                        self.includes.push(include);
                    }
                }
            }
            Remedy::Programs(paths) => {
                for path in paths {
                    if !self.programs.contains(&path.from) {
                        self.programs.push(path.from.clone());
                    }
                }
            }
            Remedy::State(path) => self.state_dirs.extend(ImagePath::parse(path.as_bytes())),
            Remedy::All(remedies) => remedies.iter().for_each(|remedy| self.add_remedy(remedy, root)),
            _ => {}
        }
    }

    /// Returns the recipe with the additions, without programs.
    fn added_to(&self, recipe: &Recipe) -> Recipe {
        let mut recipe = recipe.clone();
        recipe.contents.includes.extend(self.includes.iter().cloned());
        let policy = recipe.contents.implicit.clone();
        recipe.contents.implicit = self.remedies.iter().fold(policy, ImplicitPolicy::with_remedy);
        recipe
    }
}

/// Converts an absolute path to a path relative to the root.
fn relative_to_root(path: &RawPath) -> PathBuf {
    let bytes = path.as_bytes();
    fs::path_from_bytes(bytes.strip_prefix(b"/").unwrap_or(bytes))
}
