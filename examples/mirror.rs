//! Copies an image from one place to another, byte for byte, and lists what is said of it where it comes from: signatures,
//! lists of what it is made of, contracts.
//!
//! ```console
//! $ cargo run --example mirror -- docker://ghcr.io/acme/shop:1.2 oci:shop.oci
//! $ cargo run --example mirror -- oci:shop.oci docker://localhost:5000/shop:1.2
//! ```
//!
//! Each line of stdout is a digest and what it names. Logins would stand in `Settings::credentials` or in the files that
//! `Settings::credential_files` names; this program has none.

#![allow(clippy::print_stderr, clippy::print_stdout, reason = "a program speaks to whoever runs it")]

use std::error::Error;
use std::process::ExitCode;

use coracle_oci::copy::{self, CopySettings, ImageLocation};
use coracle_oci::registry::{RegistryClient, RegistrySettings};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let result = match args.as_slice() {
        [from, to] => mirror(from, to),
        _ => Err("usage: mirror FROM TO, each `docker://NAME[:TAG]` or `oci:DIR[:TAG]`".into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mirror: {error}");
            ExitCode::FAILURE
        }
    }
}

fn mirror(from: &str, to: &str) -> Result<(), Box<dyn Error>> {
    let (from, to): (ImageLocation, ImageLocation) = (from.parse()?, to.parse()?);
    let client = RegistryClient::new(RegistrySettings::default())?;
    // Implement `coracle_core::progress::Progress` to show progress, or to cancel.
    let ways = CopySettings {
        client: &client,
        engines: &coracle_oci::engine::EngineSettings::default(),
        durability: coracle_core::fs::Durability::Synced,
        with_referrers: false,
    };
    let copied = copy::copy_image(&from, &to, ways, &())?;
    println!("{} {to}", copied.digest);
    let image = copy::read_image(&from, &client)?;
    for platform in &image.images {
        println!("{} {}", platform.digest().unwrap_or(copied.digest), platform.platform);
    }
    for referrer in image.source.referrers(&copied.digest)? {
        println!("{} {}", referrer.digest, referrer.artifact_type.unwrap_or(referrer.media_type));
    }
    Ok(())
}
