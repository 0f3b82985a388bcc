//! The rules of the API server for a container's `resources`. Source: `ValidateResourceRequirements`
//! in `pkg/apis/core/validation`, `IsExtendedResourceName` in `pkg/apis/core/helper`.

use std::collections::BTreeMap;

use coracle_core::path::escape_bytes;

use crate::manifests::name_rules::is_qualified_name;
use crate::quantity::Quantity;

/// Resources without a domain, except for huge pages.
const STANDARD_RESOURCES: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];
/// Resources in bytes.
const BYTE_RESOURCES: [&str; 2] = ["memory", "ephemeral-storage"];
const HUGE_PAGES: &str = "hugepages-";

/// Quantities by resource.
pub type Quantities = BTreeMap<String, String>;

/// `requests` or `limits`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ResourceList {
    /// Reserved resources.
    Requests,
    /// Upper limits.
    Limits,
}

/// A problem with one quantity.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ResourceProblem {
    /// The list of the quantity.
    pub list: ResourceList,
    /// The resource.
    pub resource: String,
    /// The message.
    pub message: String,
    /// Advice on how to fix it.
    pub hint: String,
}

/// Returns everything that the API server rejects.
pub fn resource_problems(requests: &Quantities, limits: &Quantities) -> Vec<ResourceProblem> {
    let mut problems = Vec::new();
    for (list, quantities) in [(ResourceList::Requests, requests), (ResourceList::Limits, limits)] {
        for (resource, quantity) in quantities {
            let found = name_problem(resource).or_else(|| value_problem(resource, quantity));
            problems.extend(found.map(|(message, hint)| problem(list, resource, message, hint)));
        }
    }
    if problems.is_empty() {
        problems.extend(requests.iter().filter_map(|(resource, text)| {
            let (message, hint) = comparison_problem(resource, text, limits.get(resource))?;
            Some(problem(ResourceList::Requests, resource, message, &hint))
        }));
        problems.extend(huge_page_problem(requests, limits));
    }
    problems
}

/// Returns a warning for each quantity of bytes that is not a whole number: Kubernetes accepts
/// `512m`, which is half a byte.
pub fn fraction_warnings(requests: &Quantities, limits: &Quantities) -> Vec<String> {
    let all = [("requests", requests), ("limits", limits)];
    let all =
        all.into_iter().flat_map(|(list, quantities)| quantities.iter().map(move |entry| (list, entry)));
    let is_fraction = |resource: &String, text: &String| {
        BYTE_RESOURCES.contains(&resource.as_str())
            && text.parse().is_ok_and(|quantity: Quantity| !quantity.is_whole())
    };
    all.filter(|(_, (resource, text))| is_fraction(resource, text))
        .map(|(list, (resource, text))| {
            format!(
                "`{resource} = \"{text}\"` in `{list}` is not a whole number of bytes: `m` is a thousandth; megabytes \
                 are `M` or `Mi`"
            )
        })
        .collect()
}

fn problem(list: ResourceList, resource: &str, message: String, hint: &str) -> ResourceProblem {
    ResourceProblem { list, resource: resource.to_owned(), message, hint: hint.to_owned() }
}

/// Returns whether devices of a vendor have this name: `example.com/gpu`.
fn is_extended(resource: &str) -> bool {
    resource.contains('/') && !resource.contains("kubernetes.io/")
}

fn name_problem(resource: &str) -> Option<(String, &'static str)> {
    let shown = escape_bytes(resource.as_bytes());
    let is_huge_page = resource.strip_prefix(HUGE_PAGES).is_some_and(|size| page_size(size).is_some());
    let is_valid = if resource.contains('/') {
        is_qualified_name(resource)
            && !(is_extended(resource)
                && (resource.starts_with("requests.") || !is_qualified_name(&format!("requests.{resource}"))))
    } else {
        STANDARD_RESOURCES.contains(&resource) || is_huge_page
    };
    (!is_valid).then(|| {
        (
            format!("`{shown}` is not a resource of containers"),
            "write `cpu`, `memory`, `ephemeral-storage`, `hugepages-SIZE`, or a device such as `example.com/gpu`",
        )
    })
}

fn page_size(size: &str) -> Option<Quantity> {
    size.parse().ok().filter(|size: &Quantity| !size.is_zero())
}

fn value_problem(resource: &str, text: &str) -> Option<(String, &'static str)> {
    let quantity: Quantity = match text.parse() {
        Ok(quantity) => quantity,
        Err(error) => {
            let error: crate::quantity::ParseQuantityError = error;
            return Some((error.to_string(), "write it as `50m`, `0.5` or `64Mi`"));
        }
    };
    if is_extended(resource) && !quantity.is_whole() {
        return Some((
            format!("`{text}` is not a whole number, and `{resource}` has no fractions"),
            "write a whole number",
        ));
    }
    let page = resource.strip_prefix(HUGE_PAGES).and_then(page_size)?;
    (!quantity.is_multiple_of(page)).then(|| {
        (
            format!("`{text}` is not a multiple of the page size of `{resource}`"),
            "write whole pages, as in `4Mi`",
        )
    })
}

/// Returns the problem of a request and its limit.
fn comparison_problem(resource: &str, text: &str, limit: Option<&String>) -> Option<(String, String)> {
    let must_equal = is_extended(resource) || resource.starts_with(HUGE_PAGES);
    let request: Quantity = text.parse().ok()?;
    let Some(limit_text) = limit else {
        return must_equal.then(|| {
            (
                format!("the request of `{resource}` needs an equal limit: it cannot be overcommitted"),
                format!("write it in `limits`: `\"{resource}\" = \"{text}\"`"),
            )
        });
    };
    let limit: Quantity = limit_text.parse().ok()?;
    if must_equal && request != limit {
        let message =
            format!("the request of `{resource}`, `{text}`, differs from its limit, `{limit_text}`");
        return Some((message, "write the same quantity in both: it cannot be overcommitted".into()));
    }
    (request > limit).then(|| {
        (
            format!("the request of `{resource}`, `{text}`, is larger than its limit, `{limit_text}`"),
            "raise the limit, or lower the request".into(),
        )
    })
}

fn huge_page_problem(requests: &Quantities, limits: &Quantities) -> Option<ResourceProblem> {
    let all = || requests.keys().chain(limits.keys());
    let page = all().find(|resource| resource.starts_with(HUGE_PAGES))?;
    let has_others = all().any(|resource| ["cpu", "memory"].contains(&resource.as_str()));
    let list = if requests.contains_key(page) { ResourceList::Requests } else { ResourceList::Limits };
    (!has_others).then(|| {
        problem(
            list,
            page,
            format!("`{page}` requires a quantity of `cpu` or `memory`, too"),
            "write `cpu` or `memory` next to it",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quantities(entries: &[(&str, &str)]) -> Quantities {
        entries.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn rejects_what_the_api_server_rejects() {
        for (requests, limits, expected) in [
            (&[("memory", "64Mi")][..], &[("memory", "32m")][..], "larger than its limit"),
            (&[("cpu", "2")], &[("cpu", "1500m")], "larger than its limit"),
            (&[("gpu", "1")], &[], "not a resource"),
            (&[("CPU", "1")], &[], "not a resource"),
            (&[("storage", "1Gi")], &[], "not a resource"),
            (&[("pods", "1")], &[], "not a resource"),
            (&[("hugepages-", "2Mi")], &[], "not a resource"),
            (&[("requests.acme.com/gpu", "1")], &[], "not a resource"),
            (&[], &[("acme.com/gpu", "1.5")], "not a whole number"),
            (&[], &[("acme.com/gpu", "500m")], "not a whole number"),
            (&[("acme.com/gpu", "1")], &[], "needs an equal limit"),
            (&[("acme.com/gpu", "1")], &[("acme.com/gpu", "2")], "differs from its limit"),
            (&[], &[("cpu", "1"), ("hugepages-2Mi", "3Mi")], "not a multiple"),
            (&[], &[("hugepages-2Mi", "4Mi")], "requires a quantity"),
            (&[("cpu", "a lot")], &[], "not a quantity"),
        ] {
            let found = resource_problems(&quantities(requests), &quantities(limits));
            assert!(
                found.len() == 1 && found[0].message.contains(expected),
                "{requests:?} {limits:?} {found:?}"
            );
        }
        for (requests, limits) in [
            (&[("cpu", "0.1"), ("memory", "64Mi")][..], &[("memory", "64Mi")][..]),
            (&[("memory", "512m")], &[]),
            (&[], &[("acme.com/gpu", "2")]),
            (&[("acme.com/gpu", "2000m")], &[("acme.com/gpu", "2")]),
            (&[("cpu", "1")], &[("cpu", "1"), ("hugepages-2Mi", "4Mi")]),
            (&[("ephemeral-storage", "1e9")], &[("ephemeral-storage", "1G")]),
            (&[("kubernetes.io/batch-cpu", "1")], &[]),
        ] {
            assert_eq!(resource_problems(&quantities(requests), &quantities(limits)), [], "{requests:?}");
        }
        assert_eq!(
            fraction_warnings(&quantities(&[("memory", "512m"), ("cpu", "512m")]), &quantities(&[])).len(),
            1
        );
    }
}
