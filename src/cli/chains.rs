//! `--why NAME`: every chain from the program to an object.

use std::fmt::Write as _;

use coracle::closure::{Closure, LinkMap};
use coracle::path::Spelled;

use super::report::FAINT;

/// More chains than anybody reads: the number grows with every library that many others need.
const MOST: usize = 100;

/// The chains to every object that `wanted` names: by its path, its file's name, or the name that was asked for.
pub(super) fn text(closure: &Closure, wanted: &str) -> String {
    let mut text = String::new();
    for elf in closure.elves() {
        let map = &elf.objects;
        let is_meant = |index: &usize| is_meant(map, *index, wanted);
        for target in (0..map.objects.len()).filter(is_meant) {
            let mut chains = Vec::new();
            follow(map, &mut vec![target], &mut chains);
            for chain in &chains {
                write_chain(&mut text, map, chain);
            }
            if chains.len() == MOST {
                let _ = writeln!(text, "{FAINT}and more: these are the first {MOST} chains{FAINT:#}");
            }
        }
    }
    if text.is_empty() {
        let _ = writeln!(text, "nothing needs `{wanted}`");
    }
    text
}

fn is_meant(map: &LinkMap, index: usize, wanted: &str) -> bool {
    let Some(object) = map.objects.get(index) else { return false };
    let asked = map.edges.iter().any(|edge| edge.to == index && edge.name == wanted.as_bytes());
    asked || object.spelled.as_bytes() == wanted.as_bytes() || object.spelled.name() == wanted.as_bytes()
}

/// All ways up from the last object of `chain` to the program, none through an object twice.
fn follow(map: &LinkMap, chain: &mut Vec<usize>, chains: &mut Vec<Vec<usize>>) {
    let Some(&last) = chain.last() else { return };
    if last == 0 {
        chains.push(chain.iter().rev().copied().collect());
        return;
    }
    for edge in map.edges.iter().filter(|edge| edge.to == last) {
        if chains.len() < MOST && !chain.contains(&edge.from) {
            chain.push(edge.from);
            follow(map, chain, chains);
            chain.pop();
        }
    }
}

fn write_chain(text: &mut String, map: &LinkMap, chain: &[usize]) {
    let spelled =
        |index: usize| map.objects.get(index).map(|object| object.spelled.to_string()).unwrap_or_default();
    let mut before = None;
    for &index in chain {
        let line = match before {
            None => spelled(index),
            Some(from) => {
                let edge = map.edges.iter().find(|edge| edge.from == from && edge.to == index);
                let name =
                    edge.map(|edge| Spelled::new(edge.name.as_slice()).to_string()).unwrap_or_default();
                let rule = edge.and_then(|edge| edge.found.as_ref()).map(|(rule, _)| format!(", {rule}"));
                let how = rule.unwrap_or_else(|| ", mapped already".into());
                format!("  needs {name}: {}{FAINT}{how}{FAINT:#}", spelled(index))
            }
        };
        let _ = writeln!(text, "{line}");
        before = Some(index);
    }
}
