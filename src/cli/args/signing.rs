//! The arguments of `coracle sign`, `coracle key` and `coracle verify`, and the signing flags of
//! `coracle build`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};

use super::OutputFormat;
use super::shared_flags::{DiskArgs, RegistryArgs};

/// The signing flags of `coracle build`.
#[derive(Args)]
#[command(next_help_heading = "Signatures")]
pub(in crate::cli) struct BuildSigningArgs {
    /// Sign the image and its provenance with this private key, before its names are written: a file,
    /// or `env://NAME` for the variable NAME
    // A key that is given by mistake starts with hyphens, and must not be shown as an unknown flag.
    #[arg(long, value_name = "KEY", value_hint = ValueHint::AnyPath, allow_hyphen_values = true)]
    pub(in crate::cli) sign_key: Option<String>,

    #[command(flatten)]
    pub(in crate::cli) signer: SignerArgs,

    /// Publish SLSA provenance: the recipe and every file that was packed
    #[arg(long)]
    pub(in crate::cli) provenance: bool,

    /// The builder in the provenance, a URI; default: that of the CI job
    #[arg(long, value_name = "URI", requires = "provenance")]
    pub(in crate::cli) builder_id: Option<String>,

    /// Add the current time to the provenance, which then differs for each build
    #[arg(long, requires = "provenance")]
    pub(in crate::cli) provenance_time: bool,
}

/// The flags of a signer program, and of the older form of signatures.
#[derive(Args)]
pub(in crate::cli) struct SignerArgs {
    /// Sign by running PROGRAM, which gets a descriptor on stdin and writes the signature as an image
    /// layout in a tar to stdout
    #[arg(long, value_name = "PROGRAM", value_hint = ValueHint::CommandName)]
    pub(in crate::cli) signer: Option<PathBuf>,

    /// Pass ARG to the signer program
    #[arg(long, value_name = "ARG", requires = "signer", allow_hyphen_values = true)]
    pub(in crate::cli) signer_arg: Vec<OsString>,

    /// Also write the signature that container engines verify, at the tag `sha256-DIGEST.sig`
    #[arg(long)]
    pub(in crate::cli) simple_signing: bool,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  coracle key generate -o release           writes release.key and release.pub
  coracle sign docker://ghcr.io/acme/shop:1.2 --key release.key
  coracle sign oci:shop.oci --key env://SIGNING_KEY
  coracle sign docker://ghcr.io/acme/shop:1.2 --signer ./sign-with-kms

The signature is a referrer of the image, as cosign 3 writes it. SBOMs and provenance that are stored with the image \
are signed, too. A passphrase is read from CORACLE_KEY_PASSWORD or COSIGN_PASSWORD. See docs/signing.md.")]
pub(in crate::cli) struct SignArgs {
    /// The image: `docker://NAME[:TAG][@DIGEST]` or `oci:DIR[:TAG]`
    #[arg(value_name = "IMAGE", value_hint = ValueHint::AnyPath)]
    pub(in crate::cli) image: String,

    /// The private key: a file, or `env://NAME` for the variable NAME
    #[arg(long, value_name = "KEY", value_hint = ValueHint::AnyPath, required_unless_present = "signer")]
    #[arg(conflicts_with = "signer", allow_hyphen_values = true)]
    pub(in crate::cli) key: Option<String>,

    #[command(flatten)]
    pub(in crate::cli) signer: SignerArgs,

    /// Output format of stdout
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = OutputFormat::Text)]
    pub(in crate::cli) format: OutputFormat,

    /// Print only warnings and errors to stderr
    #[arg(short, long)]
    pub(in crate::cli) quiet: bool,

    #[command(flatten)]
    pub(in crate::cli) disk: DiskArgs,

    #[command(flatten)]
    pub(in crate::cli) registry: RegistryArgs,
}

#[derive(Subcommand)]
pub(in crate::cli) enum KeyCommand {
    /// Create a pair of keys for `coracle sign` and `coracle verify`
    Generate(KeyGenerateArgs),
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  CORACLE_KEY_PASSWORD=… coracle key generate -o release
  coracle key generate --unencrypted -o test

The private key is encrypted with the passphrase in CORACLE_KEY_PASSWORD or COSIGN_PASSWORD, in the format of \
`cosign generate-key-pair`. Existing files are not overwritten.")]
pub(in crate::cli) struct KeyGenerateArgs {
    /// Write PREFIX.key and PREFIX.pub
    #[arg(short, long, value_name = "PREFIX", default_value = "coracle", value_hint = ValueHint::FilePath)]
    pub(in crate::cli) output: PathBuf,

    /// Write the private key without encryption, as PKCS#8
    #[arg(long)]
    pub(in crate::cli) unencrypted: bool,

    /// Print only warnings and errors to stderr
    #[arg(short, long)]
    pub(in crate::cli) quiet: bool,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  coracle verify docker://ghcr.io/acme/shop:1.2           whole and sound
  coracle verify docker://ghcr.io/acme/shop:1.2 --key release.pub
  coracle verify docker://ghcr.io/acme/shop:1.2 --rebuild -f coracle.toml
  coracle verify oci:shop.oci --whole --format json
  coracle verify docker://ghcr.io/acme/shop:1.2 --key release.pub --sbom \\
      --provenance

Without flags that select checks, the image is checked with `--whole` and `--sound`. Exit code 4: a check has findings; \
all of them are listed.")]
pub(in crate::cli) struct VerifyArgs {
    /// The image: `docker://NAME[:TAG][@DIGEST]`, `oci:DIR[:TAG]`, an archive, or an engine
    #[arg(value_name = "IMAGE", value_hint = ValueHint::AnyPath)]
    pub(in crate::cli) image: String,

    /// Check every digest, size, diff ID and media type, and that config and manifest fit together
    #[arg(long, help_heading = "Checks")]
    pub(in crate::cli) whole: bool,

    /// Check that the loader finds everything inside the image, that its contract can be read, and that
    /// its layers delete nothing unexpected
    #[arg(long, help_heading = "Checks")]
    pub(in crate::cli) sound: bool,

    /// Build the image again from its recipe, and compare
    #[arg(long, help_heading = "Checks")]
    pub(in crate::cli) rebuild: bool,

    /// The recipe for `--rebuild`; default: ./coracle.toml
    #[arg(short, long, value_name = "FILE", requires = "rebuild", help_heading = "Checks")]
    pub(in crate::cli) file: Option<PathBuf>,

    /// Check that the image is signed with the private key of this public key: a file, or `env://NAME`
    #[arg(long, value_name = "PUB", value_hint = ValueHint::AnyPath, help_heading = "Checks")]
    pub(in crate::cli) key: Option<String>,

    /// Check that there is an SBOM about the image; with `--key`, a signed one
    #[arg(long, help_heading = "Checks")]
    pub(in crate::cli) sbom: bool,

    /// Check that there is provenance of the image; with `--key`, a signed one
    #[arg(long, help_heading = "Checks")]
    pub(in crate::cli) provenance: bool,

    /// The creation time for `--rebuild`; default: SOURCE_DATE_EPOCH, or 0
    #[arg(long, value_name = "SECONDS", allow_hyphen_values = true)]
    pub(in crate::cli) epoch: Option<String>,

    /// Output format of stdout
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = OutputFormat::Text)]
    pub(in crate::cli) format: OutputFormat,

    /// Print only warnings and errors to stderr
    #[arg(short, long)]
    pub(in crate::cli) quiet: bool,

    #[command(flatten)]
    pub(in crate::cli) registry: RegistryArgs,
}
