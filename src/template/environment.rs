//! The engine as we set it up: strict, bounded, and without anything that is not in template and values.

use std::path::{Component, Path};
use std::sync::{Arc, Mutex, PoisonError};

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior};
use serde_json::Value;

use super::{Error, Rendered, Template, Uses, filters, rendered};

/// Steps that a template may take: a loop over ten thousand values takes a tenth of it.
const FUEL: u64 = 10_000_000;
/// Templates in templates.
const MAX_RECURSION: usize = 64;
/// A template larger than this is something else.
const MAX_INCLUDE: u64 = 4 << 20;

pub(super) fn render(template: &Template, values: &Value) -> Result<Rendered, Error> {
    let included = Arc::new(Mutex::new(Vec::new()));
    let name = template.path.display().to_string();
    let environment = environment(template, &included)?;
    let main = environment
        .template_from_named_str(&name, &template.text)
        .map_err(|error| Error::of(error, values))?;
    let (text, spans) = main.render_with_spans(Serde(values)).map_err(|error| Error::of(error, values))?;
    let mut uses: Uses = keys(&main);
    for name in included.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        uses.extend(environment.get_template(name).map(|template| keys(&template)).unwrap_or_default());
    }
    Ok(rendered::of(text, &spans, uses))
}

fn keys(template: &minijinja::Template<'_, '_>) -> Uses {
    template.undeclared_variables(true).into_iter().filter_map(|name| name.parse().ok()).collect()
}

fn environment<'a>(
    template: &'a Template,
    included: &Arc<Mutex<Vec<String>>>,
) -> Result<Environment<'a>, Error> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_debug(true);
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(MAX_RECURSION);
    environment.set_syntax(syntax(template)?);
    // It prints everything that there is, secrets too.
    environment.remove_global("debug");
    filters::add(&mut environment);
    let (folder, included) = (template.folder().to_owned(), Arc::clone(included));
    environment.set_loader(move |name| {
        let found = include(&folder, name)?;
        included.lock().unwrap_or_else(PoisonError::into_inner).push(name.to_owned());
        Ok(found)
    });
    Ok(environment)
}

fn syntax(template: &Template) -> Result<SyntaxConfig, Error> {
    let delimiters = &template.delimiters;
    let pair = |(start, end): &(String, String)| (start.clone(), end.clone());
    let ((vs, ve), (bs, be), (cs, ce)) =
        (pair(&delimiters.variable), pair(&delimiters.block), pair(&delimiters.comment));
    let syntax = SyntaxConfig::builder()
        .variable_delimiters(vs, ve)
        .block_delimiters(bs, be)
        .comment_delimiters(cs, ce)
        .keep_trailing_newline(true)
        .build();
    syntax.map_err(|error| Error::Delimiters { path: template.path.clone(), message: error.to_string() })
}

/// The text of a template below `folder`, links followed; nothing where there is none.
fn include(folder: &Path, name: &str) -> Result<Option<String>, minijinja::Error> {
    let refused = |why: String| minijinja::Error::new(ErrorKind::InvalidOperation, why);
    let is_below = Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
    if !is_below {
        return Err(refused(format!("`{name}` leads out of the template's folder")));
    }
    let folder = if folder == Path::new("") { Path::new(".") } else { folder };
    let path = folder.join(name);
    let (Ok(real), Ok(above)) = (std::fs::canonicalize(&path), std::fs::canonicalize(folder)) else {
        return Ok(None);
    };
    if !real.starts_with(above) {
        return Err(refused(format!("`{name}` is a link that leads out of the template's folder")));
    }
    let size = std::fs::metadata(&real).map(|metadata| metadata.len());
    if size.as_ref().is_ok_and(|size| *size > MAX_INCLUDE) {
        return Err(refused(format!("`{name}` is larger than {MAX_INCLUDE} bytes")));
    }
    let text = std::fs::read_to_string(&real);
    text.map(Some).map_err(|error| refused(format!("cannot read `{name}`: {error}")))
}
