//! `coracle manifests` as its users meet it, judged by the programs that they hand its output to: kubectl, helm,
//! kubernetes-validate, and a YAML parser of Python.

mod command;
mod config_map_contents;
mod documentation;
mod errors;
mod name_hashes;
mod pods;
mod project;
mod secrets;
mod workload_kinds;
