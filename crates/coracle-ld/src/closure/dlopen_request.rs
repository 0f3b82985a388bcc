//! Requests to open a library with dlopen(3), and their results.

use std::rc::Rc;

use super::link_map::{LinkMap, MappedObject};
use crate::elf::DlopenPriority;
use coracle_core::path::RawPath;

/// A library to open.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DlopenRequest {
    /// The object that opens it, from which the search starts.
    pub caller: DlopenCaller,
    /// Alternatives: the first that is found is opened. Names without a slash are searched for.
    pub names: Vec<Vec<u8>>,
    /// The purpose, for reports.
    pub purpose: String,
    /// The consequence if none is found.
    pub priority: DlopenPriority,
}

/// The object that calls `dlopen`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DlopenCaller {
    /// The program.
    Program,
    /// The library with this soname or file name.
    Library(Vec<u8>),
    /// The loader, which opens each audit module in an own namespace.
    Audit,
}

/// A library that was opened.
#[derive(Clone, Debug)]
pub struct Dlopened {
    /// The object that opened it.
    pub caller: DlopenCaller,
    /// The name that was found.
    pub name: Vec<u8>,
    /// The purpose, for reports.
    pub purpose: String,
    /// The link map on the best CPU, then the link maps on older CPUs that differ from it.
    pub maps: Vec<Rc<LinkMap>>,
}

/// A library that could not be opened, or whose dependencies are missing.
#[derive(Debug)]
pub struct DlopenFailure {
    /// The request.
    pub request: DlopenRequest,
    /// The link map that results from the request's first name. It lists the missing libraries.
    pub link_map: Rc<LinkMap>,
}

impl DlopenCaller {
    /// Returns the caller for a mapped library: its soname, or its path if it has none.
    pub fn from_library(library: &MappedObject) -> Self {
        let soname = library.object.dynamic.soname.clone();
        Self::Library(soname.unwrap_or_else(|| library.raw_path.as_bytes().to_vec()))
    }
}

impl Dlopened {
    /// Returns whether an object called `name` is new in the maps.
    pub(super) fn adds_object(&self, name: &[u8]) -> bool {
        self.maps.iter().any(|map| map.new_objects().any(|(_, mapped)| mapped.has_name(name)))
    }

    /// Returns whether the `dlopen` adds no object and no alias, on any CPU, to `start`, the link map of the program's start.
    pub(super) fn adds_nothing(&self, start: &LinkMap) -> bool {
        let is_empty = |map: &Rc<LinkMap>| {
            map.new_objects().next().is_none() && map.aliases.len() == start.aliases.len()
        };
        self.maps.iter().all(is_empty)
    }
}

impl DlopenFailure {
    /// Returns the names that were tried, for messages.
    pub fn tried_names(&self) -> String {
        let names: Vec<String> =
            self.request.names.iter().map(|name| format!("`{}`", RawPath::new(name.as_slice()))).collect();
        names.join(" or ")
    }

    /// Returns why the first name could not be opened.
    pub fn reason(&self) -> String {
        let Some(missing) = self.link_map.missing.first() else {
            return if self.link_map.loader.is_some() {
                "the library that opens it is not mapped".into()
            } else {
                "the program is static and has no loader to open it".into()
            };
        };
        match missing.trace.rejected.last() {
            Some((path, rejection)) => format!("{path}: {rejection}"),
            None if self.request.names.contains(&missing.name) => "it was not found".into(),
            None => {
                let name = RawPath::new(missing.name.as_slice());
                let dependent = self.link_map.objects.get(missing.needed_by);
                let dependent = dependent.map(|object| format!(", needed by `{}`,", object.raw_path));
                format!("`{name}`{} was not found", dependent.as_deref().unwrap_or_default())
            }
        }
    }
}
