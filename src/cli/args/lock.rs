//! The arguments of `coracle lock`.

use clap::{Arg, Args};

use super::build::BuildArgs;

/// The flags of `coracle build` that have no effect on a plan.
const WITHOUT_EFFECT: [&str; 18] = [
    "output",
    "push",
    "load",
    "publish_contract",
    "dry_run",
    "image_locked",
    "sign_key",
    "signer",
    "signer_arg",
    "simple_signing",
    "provenance",
    "builder_id",
    "provenance_time",
    "budget_image",
    "budget_growth",
    "metadata_file",
    "dotenv",
    "summary",
];

#[derive(Args)]
#[command(
    mut_args(hide_if_without_effect),
    after_help = "\
Examples:
  coracle lock                       writes coracle.lock for ./coracle.toml
  coracle lock --update              accepts all changes
  coracle lock --update libssl3      accepts those of one package or path
  coracle build --locked             fails if anything differs from the lock

The lock has every file of the image with its digest, size, mode, package and version, the digest of the base image, and \
the checksum of the recipe. Exit code 4: the image differs from the lock. See docs/lock.md."
)]
pub(in crate::cli) struct LockArgs {
    /// Accept changes: all, or only those of the package or path NAME
    #[arg(long, value_name = "NAME", num_args = 0..=1, default_missing_value = "", action = clap::ArgAction::Append)]
    pub(in crate::cli) update: Vec<String>,

    #[command(flatten)]
    pub(in crate::cli) build: BuildArgs,
}

fn hide_if_without_effect(arg: Arg) -> Arg {
    let is_hidden = WITHOUT_EFFECT.contains(&arg.get_id().as_str());
    arg.hide(is_hidden)
}
