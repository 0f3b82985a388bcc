//! The flags of size budgets.

use clap::{Args, ValueHint};

#[derive(Args)]
pub(in crate::cli) struct BudgetArgs {
    /// Fail without writing anything if a platform's compressed image is larger than this: `5MB`,
    /// `2MiB`
    #[arg(long, value_name = "SIZE", help_heading = "Budget")]
    pub(super) budget_image: Option<String>,

    /// Fail without writing anything if a platform's compressed image grew by more than this: `5%`,
    /// `200kB`
    #[arg(long, value_name = "GROWTH", help_heading = "Budget")]
    pub(super) budget_growth: Option<String>,

    /// The previous image, such as `docker://NAME:TAG`; default: the image that is replaced at the
    /// destination
    #[arg(long, value_name = "IMAGE", value_hint = ValueHint::AnyPath, help_heading = "Budget")]
    pub(super) previous: Option<String>,
}
