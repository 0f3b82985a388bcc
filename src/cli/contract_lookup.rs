//! Finds the contract of an image: in its label, in the whole contract that was published with it, or
//! in a JSON file.

use std::io::Read as _;
use std::path::Path;

use coracle_core::fs::Context as _;
use coracle_core::json;
use coracle_core::platform::Platform;
use coracle_kube::contract::{self, Contract, ContractDocument};
use coracle_oci::layout::ParsedImage;

use super::error::CliError;
use super::image_reader::{ImageOpener, has_transport, parse_location};

/// The maximum size of a contract file, in bytes.
const MAX_CONTRACT_SIZE: u64 = 64 << 20;

/// Returns the contract in an image's label; `None` without a label.
pub(super) fn label_contract(
    image: &ParsedImage,
    platform: Option<&Platform>,
) -> Result<Option<Contract>, CliError> {
    let label = image.label(contract::CONTRACT_LABEL, platform).map_err(coracle::Error::from)?;
    label.map(Contract::parse).transpose().map_err(|error| {
        let failure = CliError::from(coracle::Error::from(error));
        CliError { message: format!("`{}`: {}", image.source.location, failure.message), ..failure }
    })
}

/// Like [`label_contract`], but fails if there is none.
pub(super) fn required_label_contract(
    image: &ParsedImage,
    platform: Option<&Platform>,
) -> Result<Contract, CliError> {
    label_contract(image, platform)?.ok_or_else(|| {
        let location = &image.source.location;
        CliError::failed_with_hint(
            format!("`{location}` has no contract: its label `{}` is missing", contract::CONTRACT_LABEL),
            "build the image with `[[config]]` in its recipe, or with `--config FOLDER:TO`",
        )
    })
}

/// Returns whether `text` is the path of a JSON file, not an image location.
fn is_contract_file(text: &str) -> bool {
    !text.contains(':') || Path::new(text).is_file()
}

/// Returns the contract of an image, or of a JSON file with a label's text or a whole contract. An
/// image without a label has an empty contract.
pub(super) fn image_or_file_contract(
    text: &str,
    platform: Option<&Platform>,
    reader: &ImageOpener<'_>,
) -> Result<Contract, CliError> {
    if is_contract_file(text) {
        return match read_contract_file(Path::new(text))? {
            ContractInFile::Whole(document) => Ok(document.contract),
            ContractInFile::Label(contract) => Ok(contract),
        };
    }
    Ok(label_contract(&reader.open(text)?, platform)?.unwrap_or_default())
}

/// Returns the whole contract of an image: from the location `published_at`, else from next to the image.
pub(super) fn whole_contract(
    image: &ParsedImage,
    contract: &Contract,
    published_at: Option<&str>,
    reader: &ImageOpener<'_>,
) -> Result<ContractDocument, CliError> {
    let document = match published_at {
        None => contract_next_to_image(image)?
            .ok_or_else(|| whole_contract_missing(&image.source.location, image))?,
        Some(text) if has_transport(text) => {
            let location = parse_location(text)?;
            let artifact = reader.read_artifact(&location, contract::CONTRACT_MEDIA_TYPE, image)?;
            parse_artifact(artifact, text)?.ok_or_else(|| whole_contract_missing(text, image))?
        }
        Some(path) => match read_contract_file(Path::new(path))? {
            ContractInFile::Whole(document) => document,
            ContractInFile::Label(_) => {
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
/// them; they are in the whole contract, at the location `published_at`, else next to the image if it is
/// there.
pub(super) fn contract_with_parameters(
    text: &str,
    platform: Option<&Platform>,
    published_at: Option<&str>,
    reader: &ImageOpener<'_>,
) -> Result<Contract, CliError> {
    if is_contract_file(text) {
        return match published_at {
            Some(_) => Err(CliError::usage(
                format!("`--contract` needs an image, but `{text}` is a file"),
                "leave out `--contract`, or name an image, such as `oci:DIR[:TAG]`",
            )),
            None => image_or_file_contract(text, platform, reader),
        };
    }
    let image = reader.open(text)?;
    let contract = required_label_contract(&image, platform)?;
    if published_at.is_some() {
        return Ok(whole_contract(&image, &contract, published_at, reader)?.contract);
    }
    let document = match contract.document {
        Some(_) => contract_next_to_image(&image)?,
        None => None,
    };
    let Some(document) = document else { return Ok(contract) };
    check_belongs_to_image(&contract, &document)?;
    Ok(document.contract)
}

/// Returns the whole contract that is stored next to an image, if any.
fn contract_next_to_image(image: &ParsedImage) -> Result<Option<ContractDocument>, CliError> {
    let artifact = image.read_artifact(contract::CONTRACT_MEDIA_TYPE).map_err(coracle::Error::from)?;
    parse_artifact(artifact, &image.source.location)
}

fn parse_artifact(content: Option<Vec<u8>>, location: &str) -> Result<Option<ContractDocument>, CliError> {
    content.map(|content| parse_whole_contract(&String::from_utf8_lossy(&content), location)).transpose()
}

fn whole_contract_missing(location: &str, image: &ParsedImage) -> CliError {
    CliError::failed_with_hint(
        format!("`{location}` has no whole contract of `{}`", image.source.location),
        "build the image with `--publish-contract oci:DIR` or `docker://NAME`, and pass the same location to `--contract`",
    )
}

/// Fails if the whole contract does not belong to the image's contract.
fn check_belongs_to_image(contract: &Contract, document: &ContractDocument) -> Result<(), CliError> {
    let is_same = match &contract.document {
        Some(digest) => document
            .contract
            .to_json()
            .is_ok_and(|json| coracle_core::digest::Digest::compute(json.as_bytes()).to_string() == *digest),
        None => document.contract == *contract,
    };
    if is_same {
        return Ok(());
    }
    Err(CliError::failed_with_hint(
        "the whole contract belongs to another image",
        "name the one that was published with this image: `--contract FILE` or `--contract oci:DIR`",
    ))
}

/// A contract in a JSON file.
#[allow(clippy::large_enum_variant, reason = "only one exists at a time")]
enum ContractInFile {
    Whole(ContractDocument),
    Label(Contract),
}

/// Reads a JSON file with a contract.
fn read_contract_file(path: &Path) -> Result<ContractInFile, CliError> {
    let mut text = String::new();
    let file = std::fs::File::open(path).context("read", path)?;
    file.take(MAX_CONTRACT_SIZE + 1).read_to_string(&mut text).context("read", path)?;
    let name = path.display().to_string();
    if text.len() as u64 > MAX_CONTRACT_SIZE {
        return Err(invalid_contract(&name, &format!("it has more than {MAX_CONTRACT_SIZE} bytes")));
    }
    let value = json::parse(text.as_bytes()).map_err(|error| invalid_contract(&name, &error))?;
    if value.get("contract").is_some() {
        return parse_whole_contract(&text, &name).map(ContractInFile::Whole);
    }
    Contract::parse(&text).map(ContractInFile::Label).map_err(|error| invalid_contract(&name, &error))
}

/// Parses a whole contract; `name` is its location in messages.
fn parse_whole_contract(text: &str, name: &str) -> Result<ContractDocument, CliError> {
    let document: ContractDocument = json::parse(text.as_bytes())
        .and_then(serde_json::from_value)
        .map_err(|error| invalid_contract(name, &error))?;
    // The rules of a label's contract also apply to the contract in a whole contract.
    let checked = document.contract.to_json().and_then(|json| Contract::parse(&json));
    checked.map(|_| document).map_err(|error| invalid_contract(name, &error))
}

fn invalid_contract(name: &str, why: &dyn std::fmt::Display) -> CliError {
    CliError::failed_with_hint(
        format!("`{name}` is not a contract: {why}"),
        "name a JSON file with the text of an image's contract label, or with a whole contract",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_large_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(MAX_CONTRACT_SIZE + 1).unwrap();
        let Err(error) = read_contract_file(file.path()) else { panic!("it was read") };
        let expected =
            format!("`{}` is not a contract: it has more than 67108864 bytes", file.path().display());
        assert_eq!(error.message, expected);
    }
}
