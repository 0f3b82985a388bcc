//! Dependency chains: paths through a link map from its program to one object.

use coracle_ld::closure::{LinkMap, MapReason};

/// The most chains that are returned; their number grows with each library that many others need.
const MAX_CHAINS: usize = 100;

/// The most partial chains that are followed; in a dense graph most of them are redundant.
const MAX_PARTIAL_CHAINS: usize = 50_000;

/// Chains from the program to one object, as indices into the link map's objects.
pub(super) struct DependencyChains {
    /// The shortest first; none contains an object twice.
    pub(super) chains: Vec<Vec<usize>>,
    /// Whether there may be more chains than these.
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
    let mut open = vec![vec![target]];
    let mut at = 0;
    while let Some(chain) = open.get_mut(at).map(std::mem::take) {
        at += 1;
        let Some(&last) = chain.last() else { continue };
        if last == 0 {
            chains.push(chain.into_iter().rev().collect());
            if chains.len() == MAX_CHAINS {
                break;
            }
            continue;
        }
        for &parent in parents.get(last).into_iter().flatten() {
            if !chain.contains(&parent) && open.len() < MAX_PARTIAL_CHAINS {
                open.push(chain.iter().copied().chain([parent]).collect());
            }
        }
    }
    let is_cut = at < open.len() || open.len() == MAX_PARTIAL_CHAINS;
    DependencyChains { chains, is_truncated: is_cut }
}

/// Returns the objects that only `target` needs, directly or indirectly.
pub(super) fn exclusive_dependencies(map: &LinkMap, target: usize) -> Vec<usize> {
    let mut stays = vec![false; map.objects.len()];
    let interpreter = map.objects.iter().position(|object| object.reason == MapReason::Interpreter);
    let mut open: Vec<usize> = [Some(0), interpreter].into_iter().flatten().collect();
    while let Some(index) = open.pop() {
        let Some(stay) = stays.get_mut(index).filter(|stay| !**stay && index != target) else { continue };
        *stay = true;
        open.extend(map.edges.iter().filter(|edge| edge.from == index).map(|edge| edge.to));
    }
    let gone = stays.iter().enumerate().filter(|(index, stay)| !**stay && *index != target);
    gone.map(|(index, _)| index).collect()
}
