//! The container that is run, independent of the program that runs it.

use std::path::PathBuf;

use crate::PortMapping;

/// A container as a restricted pod has it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Container {
    /// The name of the container and of its host.
    pub name: String,
    /// The program and its arguments.
    pub args: Vec<String>,
    /// The environment, in the order in which it is set.
    pub env: Vec<(String, String)>,
    /// The working directory.
    pub working_dir: String,
    /// The numeric user.
    pub uid: u32,
    /// The numeric group.
    pub gid: u32,
    /// The group of volumes, as `fsGroup` of a pod; a supplementary group of the program.
    pub volume_group: Option<u32>,
    /// Directories and files that are mounted, parents before their children.
    pub mounts: Vec<BindMount>,
    /// Directories that the program writes to, with the owner that they have in the image; only engines
    /// have them.
    pub temporary_directories: Vec<String>,
    /// The ports that are reachable from this machine.
    pub ports: Vec<PortMapping>,
    /// The signal that asks the program to stop.
    pub stop_signal: Option<String>,
    /// `true` if stdin and stdout are a terminal.
    pub has_terminal: bool,
}

/// A directory or file of this machine that is mounted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BindMount {
    /// The path on this machine.
    pub source: PathBuf,
    /// The path in the container.
    pub destination: String,
    /// `true` if the program may write to it.
    pub is_writable: bool,
}

impl Container {
    /// Returns a container with this name that runs nothing yet, as user and group 65532.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            args: Vec::new(),
            env: Vec::new(),
            working_dir: "/".into(),
            uid: 65532,
            gid: 65532,
            volume_group: None,
            mounts: Vec::new(),
            temporary_directories: Vec::new(),
            ports: Vec::new(),
            stop_signal: None,
            has_terminal: false,
        }
    }
}
