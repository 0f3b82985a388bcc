//! What makes signatures: a key, or a program that has access to one.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use coracle_core::hint::Hint;
use coracle_core::json;
use coracle_oci::image::{Artifact, Descriptor, ImageError};
use coracle_oci::layout::{self, DiskFormat, DiskLocation, LayoutError};
use serde_json::Value;

use crate::bundle::{self, SignedBundle};
use crate::signing_key::SigningKey;
use crate::statement::Statement;

/// The argument that a signer program gets before its own. Source: bazel-contrib/rules_img,
/// `docs/image-signing.md`.
const SUBCOMMAND: &str = "sign-oci-artifact";

/// Makes signatures.
#[derive(Clone, Debug)]
pub enum Signer {
    /// Signs with a key.
    Key(SigningKey),
    /// Runs a program that signs, for example with a key in a KMS.
    Program(SignerProgram),
}

/// A program that signs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignerProgram {
    /// The program, searched in `PATH` if it has no `/`.
    pub program: PathBuf,
    /// Its arguments, after the subcommand.
    pub args: Vec<OsString>,
}

/// A document about an image, such as an SBOM, that is signed together with it.
#[derive(Clone, PartialEq, Debug)]
pub struct Attestation {
    /// The image that it is about.
    pub subject: Descriptor,
    /// The descriptor of its unsigned artifact.
    pub artifact: Descriptor,
    /// The type of the document as a predicate, a URI.
    pub predicate_type: String,
    /// The document.
    pub predicate: Value,
}

/// Why a signature cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The signer program cannot be started.
    #[error("cannot run the signer `{}`: {source}", .program.display())]
    NotStarted {
        /// The program.
        program: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The signer program failed.
    #[error("the signer `{}` failed: {status}", .program.display())]
    Failed {
        /// The program.
        program: PathBuf,
        /// How it ended.
        status: ExitStatus,
    },
    /// The output of the signer program is not a signature.
    #[error("the signer `{}` wrote no signature of the image", .program.display())]
    InvalidOutput {
        /// The program.
        program: PathBuf,
        /// The cause.
        source: Box<LayoutError>,
    },
    /// A temporary file cannot be written.
    #[error("cannot write a temporary file: {0}")]
    TemporaryFile(#[source] std::io::Error),
    /// A document cannot be created.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// A statement cannot be serialized.
    #[error("cannot write a signature as JSON")]
    Serialize(#[from] serde_json::Error),
}

impl Hint for SignError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::NotStarted { .. } => Some("`--signer` takes the path of a program, or its name in PATH".into()),
            Self::Failed { .. } => Some("nothing was pushed; the messages of the signer are above".into()),
            Self::InvalidOutput { .. } => Some(
                "a signer reads a descriptor from stdin, and writes an image layout as a tar with one artifact \
                 whose `subject` is that descriptor to stdout; see docs/signing.md"
                    .into(),
            ),
            Self::Image(error) => error.hint(),
            Self::TemporaryFile(_) | Self::Serialize(_) => None,
        }
    }
}

impl Signer {
    /// Signs an image.
    ///
    /// # Errors
    /// Fails if the signer program fails, or its output is not an artifact about the image.
    pub fn sign_image(&self, image: &Descriptor) -> Result<Artifact, SignError> {
        match self {
            Self::Key(key) => bundle_artifact(&Statement::image_signature(image.digest), image, key),
            Self::Program(program) => program.sign(image),
        }
    }

    /// Signs a document about an image: a key signs a statement that contains it, a program signs the
    /// digest of its artifact.
    ///
    /// # Errors
    /// Fails like [`Signer::sign_image`].
    pub fn sign_attestation(&self, attestation: &Attestation) -> Result<Artifact, SignError> {
        let Attestation { subject, artifact, predicate_type, predicate } = attestation;
        match self {
            Self::Key(key) => {
                let statement = Statement::new(subject.digest, predicate_type, predicate.clone());
                bundle_artifact(&statement, subject, key)
            }
            Self::Program(program) => program.sign(artifact),
        }
    }
}

/// Signs `statement`, and returns the bundle as an artifact about `subject`.
fn bundle_artifact(
    statement: &Statement,
    subject: &Descriptor,
    key: &SigningKey,
) -> Result<Artifact, SignError> {
    let signed = SignedBundle::new(statement, key)?;
    let annotations = BTreeMap::from(signed.annotations());
    Ok(Artifact::with_annotations(bundle::MEDIA_TYPE, signed.json().to_vec(), subject, annotations)?)
}

impl SignerProgram {
    fn sign(&self, subject: &Descriptor) -> Result<Artifact, SignError> {
        let temporary = tempfile::tempdir().map_err(SignError::TemporaryFile)?;
        let path = temporary.path().join("signature.tar");
        self.run(subject, &path)?;
        let location = DiskLocation { format: DiskFormat::OciArchive, path, tag: None };
        layout::read_only_artifact(&location, &subject.digest).map_err(|source| SignError::InvalidOutput {
            program: self.program.clone(),
            source: Box::new(source),
        })
    }

    /// Runs the program, with its output in the file `output`. Its messages go to stderr, where it may
    /// also ask the user to log in.
    fn run(&self, subject: &Descriptor, output: &Path) -> Result<(), SignError> {
        let output = File::create_new(output).map_err(SignError::TemporaryFile)?;
        let not_started = |source| SignError::NotStarted { program: self.program.clone(), source };
        let mut child = Command::new(&self.program)
            .arg(SUBCOMMAND)
            .args(&self.args)
            .stdin(Stdio::piped())
            .stdout(output)
            .spawn()
            .map_err(not_started)?;
        let plain = Descriptor { platform: None, annotations: BTreeMap::new(), ..subject.clone() };
        let descriptor = json::to_bytes(&plain)?;
        // A program that does not read its input fails by its status, or by its output.
        let _ = child.stdin.take().map(|mut stdin| stdin.write_all(&descriptor));
        let status = child.wait().map_err(not_started)?;
        match status.success() {
            true => Ok(()),
            false => Err(SignError::Failed { program: self.program.clone(), status }),
        }
    }
}
