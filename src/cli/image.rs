//! Reads the images that commands are given, and their contracts.

use std::cell::OnceCell;
use std::io::Read as _;
use std::path::Path;

use coracle_kube::contract::{self, Contract, Document};
use coracle_core::fs::Context as _;
use coracle_core::platform::Platform;
use coracle_oci::registry::{Access, Client};
use coracle_oci::layout::{self, Stored};
use coracle_oci::copy::{self, Named, ParsePlaceError, Place};

use super::args::RegistryArgs;
use super::exit::Exit;
use super::failure::Failure;
use super::registry;

/// The most bytes of a contract file that are read.
const MAX_CONTRACT: u64 = 64 << 20;

/// Whether `text` is an image location with a transport, such as `oci:DIR`, not a name.
pub(super) fn is_place(text: &str) -> bool {
    copy::Place::has_transport(text)
}

/// Reads the images of one command, with one registry client for all of them.
pub(super) struct Reader<'a> {
    args: &'a RegistryArgs,
    remote: Vec<Named>,
    client: OnceCell<Client>,
}

impl<'a> Reader<'a> {
    /// `texts` are the images that the command reads; those in registries decide which registry the
    /// credentials from the environment are for.
    pub(super) fn new<'t>(args: &'a RegistryArgs, texts: impl IntoIterator<Item = &'t str>) -> Self {
        let places = texts.into_iter().filter_map(|text| text.parse().ok());
        let named = |place| match place {
            Place::Remote(named) => Some(named),
            Place::Local(_) | Place::Engine(_) => None,
        };
        Self { args, remote: places.filter_map(named).collect(), client: OnceCell::new() }
    }

    /// Opens the image at the location `text`.
    pub(super) fn open(&self, text: &str) -> Result<Stored, Failure> {
        match place(text)? {
            Place::Local(place) => Ok(layout::open(&place).map_err(coracle::Error::from)?),
            place @ (Place::Remote(_) | Place::Engine(_)) => {
                copy::open(&place, self.client()?).map_err(|error| registry::failure(&error))
            }
        }
    }

    /// Returns the whole contract of `subject` that was published to the location `text`, if any.
    fn published(&self, text: &str, subject: &Stored) -> Result<Option<Document>, Failure> {
        let digests = subject.digests();
        let content = match place(text)? {
            Place::Local(place) => layout::artifact(&place, contract::MEDIA_TYPE, &digests),
            Place::Remote(named) => {
                let remote = self.client()?.open(&(&named.reference).into(), &Access::Pull);
                layout::remote_artifact(remote, contract::MEDIA_TYPE, &digests)
            }
            // Engines store only images.
            Place::Engine(_) => return Ok(None),
        };
        whole_of(content, text)
    }

    fn client(&self) -> Result<&Client, Failure> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let client = registry::client(self.args, &self.remote.iter().collect::<Vec<_>>())?;
        Ok(self.client.get_or_init(|| client))
    }
}

/// Parses an image location.
pub(super) fn place(text: &str) -> Result<Place, Failure> {
    text.parse().map_err(|error: ParsePlaceError| Failure::usage(error.to_string(), error.hint()))
}

/// Parses the value of `--platform`.
pub(super) fn platform(text: Option<&str>) -> Result<Option<Platform>, Failure> {
    let parsed = text.map(str::parse::<Platform>).transpose();
    parsed.map_err(|error| Failure::usage(format!("`--platform`: {error}"), error.hint()))
}

/// Returns the contract in an image's label; `None` without a label.
pub(super) fn contract(stored: &Stored, platform: Option<&Platform>) -> Result<Option<Contract>, Failure> {
    let label = stored.label(contract::LABEL, platform).map_err(coracle::Error::from)?;
    let contract = label.map(Contract::parse).transpose();
    contract.map_err(|error| {
        let failure = Failure::from(coracle::Error::from(error));
        Failure { message: format!("`{}`: {}", stored.origin.place, failure.message), ..failure }
    })
}

/// Like [`contract`], but fails if there is none.
pub(super) fn required(stored: &Stored, platform: Option<&Platform>) -> Result<Contract, Failure> {
    contract(stored, platform)?.ok_or_else(|| Failure {
        exit: Exit::Failed,
        message: format!(
            "`{}` has no contract: its label `{}` is missing",
            stored.origin.place,
            contract::LABEL
        ),
        hint: Some("build the image with `[[config]]` in its recipe, or with `--config MOUNT=FOLDER`".into()),
    })
}

/// Whether `text` is the path of a JSON file, not an image location.
fn is_file(text: &str) -> bool {
    !text.contains(':') || Path::new(text).is_file()
}

/// Returns the contract of an image, or of a JSON file with a label's text or a whole contract.
pub(super) fn contract_or_file(
    text: &str,
    platform: Option<&Platform>,
    reader: &Reader<'_>,
) -> Result<Contract, Failure> {
    if is_file(text) {
        return match document(Path::new(text))? {
            Whole::Document(document) => Ok(document.contract),
            Whole::Contract(contract) => Ok(contract),
        };
    }
    required(&reader.open(text)?, platform)
}

/// Returns the whole contract of an image: from the location `from`, else from next to the image.
pub(super) fn document_of(
    stored: &Stored,
    contract: &Contract,
    from: Option<&str>,
    reader: &Reader<'_>,
) -> Result<Document, Failure> {
    let document = match from {
        None => beside(stored)?.ok_or_else(|| unpublished(&stored.origin.place, stored))?,
        Some(text) if is_place(text) => {
            reader.published(text, stored)?.ok_or_else(|| unpublished(text, stored))?
        }
        Some(path) => match document(Path::new(path))? {
            Whole::Document(document) => document,
            Whole::Contract(_) => {
                return Err(Failure::usage(
                    format!("`{path}` is the contract of a label, which has no templates"),
                    "name the whole contract with `--contract`",
                ));
            }
        },
    };
    matches(contract, &document)?;
    Ok(document)
}

/// Returns the contract of an image or a file, with all parameters. A label may have no room for
/// them; they are in the whole contract, at the location `from`, else next to the image if it is
/// there.
pub(super) fn full_contract(
    text: &str,
    platform: Option<&Platform>,
    from: Option<&str>,
    reader: &Reader<'_>,
) -> Result<Contract, Failure> {
    if is_file(text) {
        return match from {
            Some(_) => Err(Failure::usage(
                format!("`--contract` needs an image, but `{text}` is a file"),
                "leave out `--contract`, or name an image, such as `oci:DIR[:TAG]`",
            )),
            None => contract_or_file(text, platform, reader),
        };
    }
    let stored = reader.open(text)?;
    let contract = required(&stored, platform)?;
    if from.is_some() {
        return Ok(document_of(&stored, &contract, from, reader)?.contract);
    }
    let document = match contract.document {
        Some(_) => beside(&stored)?,
        None => None,
    };
    let Some(document) = document else { return Ok(contract) };
    matches(&contract, &document)?;
    Ok(document.contract)
}

/// Returns the whole contract that is stored next to an image, if any.
fn beside(stored: &Stored) -> Result<Option<Document>, Failure> {
    whole_of(stored.artifact(contract::MEDIA_TYPE), &stored.origin.place)
}

fn whole_of(
    content: Result<Option<Vec<u8>>, layout::Error>,
    place: &str,
) -> Result<Option<Document>, Failure> {
    let content = content.map_err(coracle::Error::from)?;
    content.map(|content| whole(&String::from_utf8_lossy(&content), place)).transpose()
}

fn unpublished(place: &str, stored: &Stored) -> Failure {
    Failure {
        exit: Exit::Failed,
        message: format!("`{place}` has no whole contract of `{}`", stored.origin.place),
        hint: Some(
            "build the image with `--publish-contract oci:DIR` or `docker://NAME`, and pass the same location to `--contract`"
                .into(),
        ),
    }
}

/// Fails if the whole contract does not belong to the image's contract.
fn matches(contract: &Contract, document: &Document) -> Result<(), Failure> {
    let same = match &contract.document {
        Some(digest) => document
            .contract
            .to_json()
            .is_ok_and(|json| coracle_core::digest::Digest::of(json.as_bytes()).to_string() == *digest),
        None => document.contract == *contract,
    };
    if same {
        return Ok(());
    }
    Err(Failure {
        exit: Exit::Failed,
        message: "the whole contract belongs to another image".into(),
        hint: Some(
            "name the one that was published with this image: `--contract FILE` or `--contract oci:DIR`"
                .into(),
        ),
    })
}

/// A contract in a JSON file.
#[allow(clippy::large_enum_variant, reason = "only one exists at a time")]
enum Whole {
    Document(Document),
    Contract(Contract),
}

/// Reads a JSON file with a contract.
fn document(path: &Path) -> Result<Whole, Failure> {
    let mut text = String::new();
    let file = std::fs::File::open(path).context("read", path).map_err(coracle::Error::from)?;
    file.take(MAX_CONTRACT).read_to_string(&mut text).context("read", path).map_err(coracle::Error::from)?;
    let name = path.display().to_string();
    let value: serde_json::Value = serde_json::from_str(&text).map_err(|error| wrong(&name, &error))?;
    if value.get("contract").is_some() {
        return whole(&text, &name).map(Whole::Document);
    }
    Contract::parse(&text).map(Whole::Contract).map_err(|error| wrong(&name, &error))
}

/// Parses a whole contract; `name` is its location in messages.
fn whole(text: &str, name: &str) -> Result<Document, Failure> {
    let document: Document = serde_json::from_str(text).map_err(|error| wrong(name, &error))?;
    // The rules of a label's contract also apply to the contract in a whole contract.
    let checked = document.contract.to_json().and_then(|json| Contract::parse(&json));
    checked.map(|_| document).map_err(|error| wrong(name, &error))
}

fn wrong(name: &str, why: &dyn std::fmt::Display) -> Failure {
    Failure {
        exit: Exit::Failed,
        message: format!("`{name}` is not a contract: {why}"),
        hint: Some(
            "name a JSON file with the text of an image's contract label, or with a whole contract".into(),
        ),
    }
}
