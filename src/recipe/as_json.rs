//! The recipe as JSON: what it says about the image after all flags and defaults, with the names of the
//! keys in coracle.toml. Configuration is not part of the image, and is left out.

use serde_json::{Value, json};

use super::recipe_settings::{Contents, FileTimes, ImageSettings, Linkage, Recipe, RootOverrideKind};
use crate::rootfs::ExcludePattern;
use coracle_core::digest::Digest;
use coracle_core::json;
use coracle_ld::elf::DlopenPriority;
use coracle_ld::implicit::{ImplicitPolicy, Inclusion, TimeZones};
use coracle_ld::ldso::HwcapsSelection;

impl Recipe {
    /// Returns the settings that shape the image, as JSON. Members that have no value are left out.
    pub fn to_json(&self) -> Value {
        let mut document = json!({
            "image": image_json(&self.image),
            "contents": contents_json(&self.contents),
            "compression": self.output.compression.to_string(),
            "linkage": match self.checks.linkage {
                Linkage::Auto => "auto",
                Linkage::Static => "static",
                Linkage::Dynamic => "dynamic",
            },
            "allow": self.checks.allowed_paths.iter()
                .map(|(path, reason)| (path.to_string(), reason.as_str().into()))
                .collect::<serde_json::Map<String, Value>>(),
        });
        remove_empty(&mut document);
        document
    }

    /// Returns the checksum of the settings that shape the image. Names of the image do not.
    ///
    /// # Errors
    /// Fails if they cannot be serialized.
    pub fn checksum(&self) -> Result<Digest, serde_json::Error> {
        let mut document = self.to_json();
        if let Some(image) = document.get_mut("image").and_then(Value::as_object_mut) {
            image.remove("names");
        }
        Ok(Digest::compute(&json::to_bytes(&document)?))
    }
}

fn image_json(image: &ImageSettings) -> Value {
    json!({
        "names": image.names.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "base": image.base.as_ref().map(ToString::to_string),
        "args": image.args,
        "user": image.user.map(|user| user.to_string()),
        "expose": image.exposed_ports.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "env": image.env,
        "working-dir": image.working_dir.as_ref().map(ToString::to_string),
        "stop-signal": image.stop_signal.as_ref().map(ToString::to_string),
        "labels": image.labels,
        "annotations": image.annotations,
        "platform": image.platform.as_ref().map(ToString::to_string),
    })
}

fn contents_json(contents: &Contents) -> Value {
    let program = |program: &super::RecipeProgram| {
        json!({
            "from": program.from.to_string_lossy(),
            "to": program.to.as_ref().map(ToString::to_string),
        })
    };
    let include = |include: &super::RecipeInclude| {
        json!({
            "from": include.from.to_string_lossy(),
            "to": include.to.to_string(),
            "exclude": include.exclude.iter().map(ExcludePattern::as_str).collect::<Vec<_>>(),
            "times": times_word(include.times),
        })
    };
    let root = |root: &super::RootOverride| {
        json!({
            "kind": match root.kind {
                RootOverrideKind::Root => "root",
                RootOverrideKind::Sysroot => "sysroot",
            },
            "platform": root.platform.as_ref().map(ToString::to_string),
            "directory": root.directory.to_string_lossy(),
        })
    };
    json!({
        "programs": contents.programs.iter().map(program).collect::<Vec<_>>(),
        "include": contents.includes.iter().map(include).collect::<Vec<_>>(),
        "exclude": contents.exclude.iter().map(ExcludePattern::as_str).collect::<Vec<_>>(),
        "include-times": contents.include_times.map(times_word),
        "strip": contents.strip,
        "runtime": runtime_json(&contents.implicit),
        "complete": contents.complete,
        "hwcaps": match &contents.hwcaps {
            HwcapsSelection::All => None,
            HwcapsSelection::None => Some("none".into()),
            HwcapsSelection::UpTo(level) => Some(String::from_utf8_lossy(level).into_owned()),
        },
        "inventory": {"packages": contents.inventory.packages, "licences": contents.inventory.licences},
        "roots": contents.root_overrides.iter().map(root).collect::<Vec<_>>(),
    })
}

fn runtime_json(policy: &ImplicitPolicy) -> Value {
    let word = |inclusion: Inclusion| match inclusion {
        Inclusion::Auto => None,
        Inclusion::Always => Some("always"),
        Inclusion::Never => Some("never"),
    };
    json!({
        "certificates": word(policy.certificates),
        "local-certificates": policy.local_certificates,
        "nss": word(policy.nss),
        "nss-modules": policy.nss_modules,
        "openssl": word(policy.openssl),
        "libgcc": word(policy.libgcc),
        "dlopen": policy.dlopen,
        "dlopen-notes": policy.dlopen_notes.map_or("never", |priority| match priority {
            DlopenPriority::Required => "required",
            DlopenPriority::Recommended => "recommended",
            DlopenPriority::Suggested => "suggested",
        }),
        "time-zones": policy.time_zones.as_ref().map(|zones| match zones {
            TimeZones::Listed(zones) => json!(zones),
            TimeZones::All => json!("all"),
        }),
        "locales": policy.locales,
        "charsets": policy.charsets,
        "pam": policy.pam,
        "plugins": policy.plugins,
    })
}

fn times_word(times: FileTimes) -> Option<&'static str> {
    match times {
        FileTimes::Zero => None,
        FileTimes::Epoch => Some("epoch"),
    }
}

/// Removes members that are null, false, or empty.
fn remove_empty(value: &mut Value) {
    let members = match value {
        Value::Object(members) => members,
        Value::Array(items) => return items.iter_mut().for_each(remove_empty),
        _ => return,
    };
    members.values_mut().for_each(remove_empty);
    members.retain(|_, value| match value {
        Value::Null | Value::Bool(false) => false,
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
        _ => true,
    });
}
