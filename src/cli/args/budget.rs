//! How large an image may be.

use clap::{Args, ValueHint};

#[derive(Args)]
pub(in crate::cli) struct BudgetArgs {
    /// Fail, and write nothing, when the compressed image of a platform is larger: `5MB`, `2MiB`
    #[arg(long, value_name = "SIZE", help_heading = "Budget")]
    pub(super) budget_image: Option<String>,

    /// The same when it is so much larger than the image before: `5%`, `200kB`
    #[arg(long, value_name = "GROWTH", help_heading = "Budget")]
    pub(super) budget_growth: Option<String>,

    /// The image before, such as `docker://NAME:TAG`; the one that is replaced when nothing is said
    #[arg(long, value_name = "IMAGE", value_hint = ValueHint::AnyPath, help_heading = "Budget")]
    pub(super) previous: Option<String>,
}
