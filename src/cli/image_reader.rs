//! Reads the images that commands are given, and their contracts.

use std::cell::OnceCell;
use std::io::Read as _;
use std::path::Path;

use coracle_core::fs::Context as _;
use coracle_core::platform::Platform;
use coracle_kube::contract::{self, Contract, ContractDocument};
use coracle_oci::copy::{self, ImageLocation, ParseLocationError, RegistryImageName};
use coracle_oci::layout::{self, ParsedImage};
use coracle_oci::registry::{Access, RegistryClient};

use super::args::RegistryArgs;
use super::error::CliError;
use super::exit::CliExit;
use super::registry_client;

/// The most bytes of a contract file that are read.
const MAX_CONTRACT_SIZE: u64 = 64 << 20;

/// Whether `text` is an image location with a transport, such as `oci:DIR`, not a name.
pub(super) fn has_transport(text: &str) -> bool {
    copy::ImageLocation::has_transport(text)
}

/// Reads the images of one command, with one registry client for all of them.
pub(super) struct ImageReader<'a> {
    args: &'a RegistryArgs,
    registry_images: Vec<RegistryImageName>,
    client: OnceCell<RegistryClient>,
}

impl<'a> ImageReader<'a> {
    /// `texts` are the images that the command reads; those in registries decide which registry the
    /// credentials from the environment are for.
    pub(super) fn new<'t>(args: &'a RegistryArgs, texts: impl IntoIterator<Item = &'t str>) -> Self {
        let places = texts.into_iter().filter_map(|text| text.parse().ok());
        let named = |place| match place {
            ImageLocation::Registry(named) => Some(named),
            ImageLocation::OnDisk(_) | ImageLocation::Engine(_) => None,
        };
        Self { args, registry_images: places.filter_map(named).collect(), client: OnceCell::new() }
    }

    /// Opens the image at the location `text`.
    pub(super) fn open(&self, text: &str) -> Result<ParsedImage, CliError> {
        match parse_location(text)? {
            ImageLocation::OnDisk(place) => Ok(layout::read_image(&place).map_err(coracle::Error::from)?),
            place @ (ImageLocation::Registry(_) | ImageLocation::Engine(_)) => {
                copy::read_image(&place, self.client()?)
                    .map_err(|error| registry_client::from_transfer_error(&error))
            }
        }
    }

    /// Returns the whole contract of `subject` that was published to the location `text`, if any.
    fn published_contract(
        &self,
        text: &str,
        subject: &ParsedImage,
    ) -> Result<Option<ContractDocument>, CliError> {
        let digests = subject.subject_digests();
        let content = match parse_location(text)? {
            ImageLocation::OnDisk(place) => {
                layout::read_artifact(&place, contract::CONTRACT_MEDIA_TYPE, &digests)
            }
            ImageLocation::Registry(named) => {
                let remote = self.client()?.repository_client(&(&named.reference).into(), &Access::Pull);
                layout::read_remote_artifact(remote, contract::CONTRACT_MEDIA_TYPE, &digests)
            }
            // Engines store only images.
            ImageLocation::Engine(_) => return Ok(None),
        };
        parse_artifact(content, text)
    }

    fn client(&self) -> Result<&RegistryClient, CliError> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let client =
            registry_client::registry_client(self.args, &self.registry_images.iter().collect::<Vec<_>>())?;
        Ok(self.client.get_or_init(|| client))
    }
}

/// Parses an image location.
pub(super) fn parse_location(text: &str) -> Result<ImageLocation, CliError> {
    text.parse().map_err(|error: ParseLocationError| CliError::usage(error.to_string(), error.hint()))
}

/// Parses the value of `--platform`.
pub(super) fn parse_platform(text: Option<&str>) -> Result<Option<Platform>, CliError> {
    let parsed = text.map(str::parse::<Platform>).transpose();
    parsed.map_err(|error| CliError::usage(format!("`--platform`: {error}"), error.hint()))
}

/// Returns the contract in an image's label; `None` without a label.
pub(super) fn label_contract(
    stored: &ParsedImage,
    platform: Option<&Platform>,
) -> Result<Option<Contract>, CliError> {
    let label = stored.label(contract::CONTRACT_LABEL, platform).map_err(coracle::Error::from)?;
    let contract = label.map(Contract::parse).transpose();
    contract.map_err(|error| {
        let failure = CliError::from(coracle::Error::from(error));
        CliError { message: format!("`{}`: {}", stored.source.location, failure.message), ..failure }
    })
}

/// Like [`contract`], but fails if there is none.
pub(super) fn required_label_contract(
    stored: &ParsedImage,
    platform: Option<&Platform>,
) -> Result<Contract, CliError> {
    label_contract(stored, platform)?.ok_or_else(|| CliError {
        exit: CliExit::Failed,
        message: format!(
            "`{}` has no contract: its label `{}` is missing",
            stored.source.location,
            contract::CONTRACT_LABEL
        ),
        hint: Some("build the image with `[[config]]` in its recipe, or with `--config MOUNT=FOLDER`".into()),
    })
}

/// Whether `text` is the path of a JSON file, not an image location.
fn is_contract_file(text: &str) -> bool {
    !text.contains(':') || Path::new(text).is_file()
}

/// Returns the contract of an image, or of a JSON file with a label's text or a whole contract.
pub(super) fn image_or_file_contract(
    text: &str,
    platform: Option<&Platform>,
    reader: &ImageReader<'_>,
) -> Result<Contract, CliError> {
    if is_contract_file(text) {
        return match read_contract_file(Path::new(text))? {
            ContractFile::Whole(document) => Ok(document.contract),
            ContractFile::Label(contract) => Ok(contract),
        };
    }
    required_label_contract(&reader.open(text)?, platform)
}

/// Returns the whole contract of an image: from the location `from`, else from next to the image.
pub(super) fn whole_contract(
    stored: &ParsedImage,
    contract: &Contract,
    from: Option<&str>,
    reader: &ImageReader<'_>,
) -> Result<ContractDocument, CliError> {
    let document = match from {
        None => contract_next_to_image(stored)?
            .ok_or_else(|| whole_contract_missing(&stored.source.location, stored))?,
        Some(text) if has_transport(text) => {
            reader.published_contract(text, stored)?.ok_or_else(|| whole_contract_missing(text, stored))?
        }
        Some(path) => match read_contract_file(Path::new(path))? {
            ContractFile::Whole(document) => document,
            ContractFile::Label(_) => {
                return Err(CliError::usage(
                    format!("`{path}` is the contract of a label, which has no templates"),
                    "name the whole contract with `--contract`",
                ));
            }
        },
    };
    check_belongs_to_image(contract, &document)?;
    Ok(document)
}

/// Returns the contract of an image or a file, with all parameters. A label may have no room for
/// them; they are in the whole contract, at the location `from`, else next to the image if it is
/// there.
pub(super) fn contract_with_parameters(
    text: &str,
    platform: Option<&Platform>,
    from: Option<&str>,
    reader: &ImageReader<'_>,
) -> Result<Contract, CliError> {
    if is_contract_file(text) {
        return match from {
            Some(_) => Err(CliError::usage(
                format!("`--contract` needs an image, but `{text}` is a file"),
                "leave out `--contract`, or name an image, such as `oci:DIR[:TAG]`",
            )),
            None => image_or_file_contract(text, platform, reader),
        };
    }
    let stored = reader.open(text)?;
    let contract = required_label_contract(&stored, platform)?;
    if from.is_some() {
        return Ok(whole_contract(&stored, &contract, from, reader)?.contract);
    }
    let document = match contract.document {
        Some(_) => contract_next_to_image(&stored)?,
        None => None,
    };
    let Some(document) = document else { return Ok(contract) };
    check_belongs_to_image(&contract, &document)?;
    Ok(document.contract)
}

/// Returns the whole contract that is stored next to an image, if any.
fn contract_next_to_image(stored: &ParsedImage) -> Result<Option<ContractDocument>, CliError> {
    parse_artifact(stored.read_artifact(contract::CONTRACT_MEDIA_TYPE), &stored.source.location)
}

fn parse_artifact(
    content: Result<Option<Vec<u8>>, layout::LayoutError>,
    place: &str,
) -> Result<Option<ContractDocument>, CliError> {
    let content = content.map_err(coracle::Error::from)?;
    content.map(|content| parse_whole_contract(&String::from_utf8_lossy(&content), place)).transpose()
}

fn whole_contract_missing(place: &str, stored: &ParsedImage) -> CliError {
    CliError {
        exit: CliExit::Failed,
        message: format!("`{place}` has no whole contract of `{}`", stored.source.location),
        hint: Some(
            "build the image with `--publish-contract oci:DIR` or `docker://NAME`, and pass the same location to `--contract`"
                .into(),
        ),
    }
}

/// Fails if the whole contract does not belong to the image's contract.
fn check_belongs_to_image(contract: &Contract, document: &ContractDocument) -> Result<(), CliError> {
    let same = match &contract.document {
        Some(digest) => document
            .contract
            .to_json()
            .is_ok_and(|json| coracle_core::digest::Digest::compute(json.as_bytes()).to_string() == *digest),
        None => document.contract == *contract,
    };
    if same {
        return Ok(());
    }
    Err(CliError {
        exit: CliExit::Failed,
        message: "the whole contract belongs to another image".into(),
        hint: Some(
            "name the one that was published with this image: `--contract FILE` or `--contract oci:DIR`"
                .into(),
        ),
    })
}

/// A contract in a JSON file.
#[allow(clippy::large_enum_variant, reason = "only one exists at a time")]
enum ContractFile {
    Whole(ContractDocument),
    Label(Contract),
}

/// Reads a JSON file with a contract.
fn read_contract_file(path: &Path) -> Result<ContractFile, CliError> {
    let mut text = String::new();
    let file = std::fs::File::open(path).context("read", path).map_err(coracle::Error::from)?;
    file.take(MAX_CONTRACT_SIZE)
        .read_to_string(&mut text)
        .context("read", path)
        .map_err(coracle::Error::from)?;
    let name = path.display().to_string();
    let value: serde_json::Value =
        serde_json::from_str(&text).map_err(|error| invalid_contract(&name, &error))?;
    if value.get("contract").is_some() {
        return parse_whole_contract(&text, &name).map(ContractFile::Whole);
    }
    Contract::parse(&text).map(ContractFile::Label).map_err(|error| invalid_contract(&name, &error))
}

/// Parses a whole contract; `name` is its location in messages.
fn parse_whole_contract(text: &str, name: &str) -> Result<ContractDocument, CliError> {
    let document: ContractDocument =
        serde_json::from_str(text).map_err(|error| invalid_contract(name, &error))?;
    // The rules of a label's contract also apply to the contract in a whole contract.
    let checked = document.contract.to_json().and_then(|json| Contract::parse(&json));
    checked.map(|_| document).map_err(|error| invalid_contract(name, &error))
}

fn invalid_contract(name: &str, why: &dyn std::fmt::Display) -> CliError {
    CliError {
        exit: CliExit::Failed,
        message: format!("`{name}` is not a contract: {why}"),
        hint: Some(
            "name a JSON file with the text of an image's contract label, or with a whole contract".into(),
        ),
    }
}
