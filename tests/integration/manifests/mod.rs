//! `coracle manifests`. The output is checked with kubectl, helm, kubernetes-validate, and a YAML
//! parser of Python.

mod accepted_recipes;
mod command;
mod config_map_contents;
mod documentation;
mod errors;
mod folders;
mod layouts;
mod name_hashes;
mod pods;
mod project;
mod reload_image;
mod secrets;
mod workload_kinds;
