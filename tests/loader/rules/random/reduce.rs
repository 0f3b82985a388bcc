//! Reduces a failing root to a smaller one that still fails.

use super::random_root::{RandomRoot, RootEntry};

pub(super) fn minimize(mut root: RandomRoot) -> RandomRoot {
    loop {
        let smaller = smaller(&root).find(|smaller| smaller.difference().is_some());
        let Some(smaller) = smaller else { return root };
        root = smaller;
    }
}

/// Returns the roots without one mapped file, one entry, or one part of an entry.
fn smaller(root: &RandomRoot) -> impl Iterator<Item = RandomRoot> + '_ {
    let files = (0..root.files.len()).filter(|_| root.files.len() > 1).map(|index| {
        let mut less = root.clone();
        less.files.remove(index);
        less
    });
    let entries = (0..root.entries.len()).filter_map(|index| without(root, index));
    let parts = (0..root.entries.len()).flat_map(move |index| {
        parts(&root.entries[index]).into_iter().map(move |part| {
            let mut less = root.clone();
            less.entries[index] = part;
            less
        })
    });
    files.chain(entries).chain(parts)
}

/// Returns the root without one entry; `None` if other entries depend on it.
fn without(root: &RandomRoot, index: usize) -> Option<RandomRoot> {
    let mut less = root.clone();
    let removed = less.entries.remove(index);
    let path = removed.path().unwrap_or_default();
    // Without a kind of CPU the answer would depend on the machine.
    let is_held = matches!(removed, RootEntry::Hwcaps(_))
        || less.files.iter().any(|file| file == path)
        || less.entries.iter().any(|entry| match entry {
            RootEntry::HardLink { first, .. } => first == path,
            RootEntry::Without(removed) => removed == path,
            _ => false,
        });
    (!is_held).then_some(less)
}

/// Returns the entry without each of its parts.
fn parts(entry: &RootEntry) -> Vec<RootEntry> {
    let lists = |list: &str, separators: &[char], make: &dyn Fn(String) -> RootEntry| {
        let elements: Vec<&str> = list.split(separators).collect();
        let less = |index: usize| {
            let mut less = elements.clone();
            less.remove(index);
            make(less.join(":"))
        };
        (0..elements.len()).filter(|_| elements.len() > 1).map(less).collect()
    };
    match entry {
        RootEntry::Elf { path, is_program, features } => {
            let less = |index: usize| {
                let mut less = features.clone();
                less.remove(index);
                RootEntry::Elf { path: path.clone(), is_program: *is_program, features: less }
            };
            let mut all: Vec<RootEntry> = (0..features.len()).map(less).collect();
            for (index, own) in features.iter().enumerate() {
                all.extend(shorter(own).into_iter().map(|shorter| {
                    let mut less = features.clone();
                    less[index] = shorter;
                    RootEntry::Elf { path: path.clone(), is_program: *is_program, features: less }
                }));
            }
            all
        }
        RootEntry::LibraryPath(list) => lists(list, &[':', ';'], &RootEntry::LibraryPath),
        RootEntry::Preload(list) => lists(list, &[':', ' '], &RootEntry::Preload),
        RootEntry::Ldconfig(list) => {
            let lines: Vec<&str> = list.lines().collect();
            let less = |index: usize| {
                let mut less = lines.clone();
                less.remove(index);
                RootEntry::Ldconfig(less.join("\n"))
            };
            (0..lines.len()).map(less).collect()
        }
        _ => Vec::new(),
    }
}

/// Returns the list of directories without each of its elements.
fn shorter(own: &super::random_root::ElfFeature) -> Vec<super::random_root::ElfFeature> {
    use super::random_root::ElfFeature;
    let (list, make): (&str, fn(String) -> ElfFeature) = match own {
        ElfFeature::Rpath(list) => (list, ElfFeature::Rpath),
        ElfFeature::Runpath(list) => (list, ElfFeature::Runpath),
        _ => return Vec::new(),
    };
    let elements: Vec<&str> = list.split(':').collect();
    let less = |index: usize| {
        let mut less = elements.clone();
        less.remove(index);
        make(less.join(":"))
    };
    (0..elements.len()).filter(|_| elements.len() > 1).map(less).collect()
}
