//! OpenSSL's configuration, with the providers and engines that it activates.
//!
//! OpenSSL's directories are strings in libcrypto, which `openssl version -a` prints; variables of the
//! image's environment replace them. Source: `crypto/cversion.c`, `crypto/provider_conf.c`,
//! `crypto/engine/eng_cnf.c`.

use super::error::Error;
use super::implicit_policy::Inclusion;
use super::openssl_conf::OpensslConf;
use super::plugins;
use super::program_context::ProgramContext;
use super::requested_dependencies::RequestedDependencies;
use crate::closure::{DlopenCaller, DlopenRequest, MappedObject};
use crate::elf::{self, DlopenPriority};
use coracle_core::path::RawPath;

/// Providers that are part of libcrypto.
const BUILT_IN_PROVIDERS: [&str; 3] = ["default", "base", "null"];

/// Keys of a provider or engine with the path of a PKCS#11 module that it opens.
const MODULE_PATH_KEYS: [&str; 2] = ["pkcs11-module-path", "MODULE_PATH"];

/// Adds OpenSSL's configuration with what it activates, and if requested all providers and engines.
pub(super) fn add_openssl(
    program: &ProgramContext<'_>,
    requests: &mut RequestedDependencies,
) -> Result<(), Error> {
    let policy = program.policy.openssl;
    let Some(libcrypto) = program.library_with_prefix("libcrypto.so").filter(|_| policy != Inclusion::Never)
    else {
        if policy == Inclusion::Always {
            let why = "`openssl` has no effect: no libcrypto is mapped";
            requests.mark_unused("openssl", why, "leave `openssl` at `auto`");
        }
        return Ok(());
    };
    requests.mark_used("openssl");
    let modules = openssl_directory(program, libcrypto, "OPENSSL_MODULES", "MODULESDIR")?;
    let engines = openssl_directory(program, libcrypto, "OPENSSL_ENGINES", "ENGINESDIR")?;
    if let Some(path) = configuration_path(program, libcrypto)? {
        let conf = OpensslConf::read(program, &path, environment_path(program, "OPENSSL_CONF_INCLUDE"))?;
        let activated = activated_modules(program, &conf, modules.as_ref(), engines.as_ref())?;
        requests.dlopens.extend(activated.into_iter().map(|name| DlopenRequest {
            caller: DlopenCaller::from_library(libcrypto),
            names: vec![name.as_bytes().to_vec()],
            purpose: format!("activated by {path}"),
            priority: DlopenPriority::Recommended,
        }));
        requests.data_files.extend(conf.files);
    }
    if policy == Inclusion::Always {
        for directory in [modules, engines].into_iter().flatten() {
            let by = DlopenCaller::from_library(libcrypto);
            plugins::add_plugin_directory(program, &directory, &by, "OpenSSL provider or engine", requests)?;
        }
    }
    Ok(())
}

/// Returns the path of the configuration: `OPENSSL_CONF`, or `openssl.cnf` in OpenSSL's directory.
fn configuration_path(
    program: &ProgramContext<'_>,
    libcrypto: &MappedObject,
) -> Result<Option<RawPath>, Error> {
    if let Some(path) = environment_path(program, "OPENSSL_CONF") {
        return Ok(Some(path));
    }
    let directory = built_in_directory(libcrypto, "OPENSSLDIR")?;
    Ok(directory.map(|directory| RawPath::join_bytes(directory.as_bytes(), b"openssl.cnf")))
}

/// Returns the files of the providers and engines that `conf` activates, and of the modules that these
/// open.
fn activated_modules(
    program: &ProgramContext<'_>,
    conf: &OpensslConf,
    modules: Option<&RawPath>,
    engines: Option<&RawPath>,
) -> Result<Vec<RawPath>, Error> {
    let mut paths = Vec::new();
    // Programs may have a section of their own: that of Node is called by `nodejs_conf`.
    let starts = conf.default_section().filter(|(name, _)| name.ends_with("_conf"));
    for (kind, list) in starts.flat_map(|(_, start)| conf.section_values(start)) {
        for (name, section) in conf.section_values(list) {
            let name = without_prefix_before_dot(name);
            match without_prefix_before_dot(kind) {
                "providers" if conf.value_in_section(section, "activate").is_some() => {
                    paths.extend(provider_path(conf, name, section, modules));
                }
                "engines" => paths.extend(engine_path(program, conf, name, section, engines)?),
                _ => continue,
            }
            let opened = MODULE_PATH_KEYS.iter().filter_map(|key| conf.value_in_section(section, key));
            paths.extend(opened.map(RawPath::new));
        }
    }
    Ok(paths)
}

/// Returns the path of a provider; `None` if it is a part of libcrypto.
fn provider_path(
    conf: &OpensslConf,
    name: &str,
    section: &str,
    modules: Option<&RawPath>,
) -> Option<RawPath> {
    let name = conf.value_in_section(section, "identity").unwrap_or(name);
    match conf.value_in_section(section, "module") {
        Some(module) => Some(join_unless_absolute(modules, module)),
        None if BUILT_IN_PROVIDERS.contains(&name) => None,
        None => Some(join_unless_absolute(modules, &format!("{name}.so"))),
    }
}

/// Returns the path of an engine; `None` if it is a part of libcrypto.
fn engine_path(
    program: &ProgramContext<'_>,
    conf: &OpensslConf,
    name: &str,
    section: &str,
    engines: Option<&RawPath>,
) -> Result<Option<RawPath>, Error> {
    if let Some(path) = conf.value_in_section(section, "dynamic_path") {
        return Ok(Some(join_unless_absolute(engines, path)));
    }
    let name = conf.value_in_section(section, "engine_id").unwrap_or(name);
    let path = join_unless_absolute(engines, &format!("{name}.so"));
    Ok(program.data_file(&path, "")?.map(|_| path))
}

/// Joins a path to `directory`, unless it is absolute.
fn join_unless_absolute(directory: Option<&RawPath>, path: &str) -> RawPath {
    match directory {
        Some(directory) if !path.starts_with('/') => {
            RawPath::join_bytes(directory.as_bytes(), path.as_bytes())
        }
        _ => RawPath::new(path),
    }
}

/// Returns a name without its part before the first dot, which makes names unique.
fn without_prefix_before_dot(name: &str) -> &str {
    name.split_once('.').map_or(name, |(_, name)| name)
}

/// Returns a directory that a variable of the image names, or else the directory that is compiled
/// in.
fn openssl_directory(
    program: &ProgramContext<'_>,
    libcrypto: &MappedObject,
    variable_name: &str,
    built_in_name: &str,
) -> Result<Option<RawPath>, Error> {
    match environment_path(program, variable_name) {
        Some(directory) => Ok(Some(directory)),
        None => built_in_directory(libcrypto, built_in_name),
    }
}

/// Returns the path in a variable of the image's environment.
fn environment_path(program: &ProgramContext<'_>, name: &str) -> Option<RawPath> {
    let value = program.sources.options.variables.get(name)?;
    (!value.is_empty()).then(|| RawPath::new(value.as_str()))
}

/// Returns a directory that is compiled into libcrypto as in `OPENSSLDIR: "/usr/lib/ssl"`.
pub(super) fn built_in_directory(libcrypto: &MappedObject, name: &str) -> Result<Option<RawPath>, Error> {
    let start = format!("{name}: \"");
    let strings = elf::printable_data_strings_containing(
        &libcrypto.file.content.open()?,
        &libcrypto.object,
        &[&start],
    )?;
    let directory = strings.iter().find_map(|string| {
        let value = string.strip_prefix(start.as_bytes())?.strip_suffix(b"\"")?;
        value.starts_with(b"/").then(|| RawPath::new(value))
    });
    Ok(directory)
}
