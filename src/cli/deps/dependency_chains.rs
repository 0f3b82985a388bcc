//! The dependency chains from the program to one object, and the objects that only it needs.

use std::collections::VecDeque;

use coracle_ld::closure::{LinkMap, MapReason};

/// The most chains that are returned; their number grows with each library that many others need.
const MAX_CHAINS: usize = 100;

/// The most partial chains that are followed; in a dense graph most of them are redundant.
const MAX_PARTIAL_CHAINS: usize = 50_000;

/// Chains from the program to one object, as indices into the link map's objects.
pub(super) struct DependencyChains {
    /// The chains, the shortest first; no chain contains an object twice.
    pub(super) chains: Vec<Vec<usize>>,
    /// `true` if there may be more chains than these.
    pub(super) is_truncated: bool,
}

/// Returns the chains to the object `target`.
pub(super) fn chains_to(map: &LinkMap, target: usize) -> DependencyChains {
    let mut parents = vec![Vec::new(); map.objects.len()];
    for edge in &map.edges {
        if let Some(parents) = parents.get_mut(edge.to)
            && !parents.contains(&edge.from)
        {
            parents.push(edge.from);
        }
    }
    let mut chains = Vec::new();
    let mut pending = VecDeque::from([vec![target]]);
    let mut followed = 1;
    while let Some(chain) = pending.pop_front() {
        let Some(&last) = chain.last() else { continue };
        if last == 0 {
            chains.push(chain.into_iter().rev().collect());
            if chains.len() == MAX_CHAINS {
                break;
            }
            continue;
        }
        for &parent in parents.get(last).into_iter().flatten() {
            if !chain.contains(&parent) && followed < MAX_PARTIAL_CHAINS {
                followed += 1;
                pending.push_back(chain.iter().copied().chain([parent]).collect());
            }
        }
    }
    let is_truncated = !pending.is_empty() || followed == MAX_PARTIAL_CHAINS;
    DependencyChains { chains, is_truncated }
}

/// Returns the objects that only `target` needs, directly or indirectly.
pub(super) fn exclusive_dependencies(map: &LinkMap, target: usize) -> Vec<usize> {
    // Everything that the program and the interpreter reach without `target` is needed by others, too.
    let mut is_needed_by_others = vec![false; map.objects.len()];
    let interpreter = map.objects.iter().position(|object| object.reason == MapReason::Interpreter);
    let mut pending: Vec<usize> = [Some(0), interpreter].into_iter().flatten().collect();
    while let Some(index) = pending.pop() {
        let needed = is_needed_by_others.get_mut(index).filter(|needed| !**needed && index != target);
        let Some(needed) = needed else { continue };
        *needed = true;
        pending.extend(map.edges.iter().filter(|edge| edge.from == index).map(|edge| edge.to));
    }
    let exclusive = is_needed_by_others.iter().enumerate();
    let exclusive = exclusive.filter(|(index, needed)| !**needed && *index != target);
    exclusive.map(|(index, _)| index).collect()
}
