//! Makes a root that fails as small as it can be while it still fails.

use super::random_root::{Item, World};

pub(super) fn reduced(mut world: World) -> World {
    loop {
        let smaller = smaller(&world).find(|smaller| smaller.difference().is_some());
        let Some(smaller) = smaller else { return world };
        world = smaller;
    }
}

/// The same less one file that is mapped, one item, or one thing of an item.
fn smaller(world: &World) -> impl Iterator<Item = World> + '_ {
    let files = (0..world.files.len()).filter(|_| world.files.len() > 1).map(|index| {
        let mut less = world.clone();
        less.files.remove(index);
        less
    });
    let items = (0..world.items.len()).filter_map(|index| without(world, index));
    let parts = (0..world.items.len()).flat_map(move |index| {
        parts(&world.items[index]).into_iter().map(move |part| {
            let mut less = world.clone();
            less.items[index] = part;
            less
        })
    });
    files.chain(items).chain(parts)
}

/// Without an item that nothing else starts from.
fn without(world: &World, index: usize) -> Option<World> {
    let mut less = world.clone();
    let removed = less.items.remove(index);
    let path = removed.path().unwrap_or_default();
    // Without a kind of CPU the answer would depend on the machine.
    let is_held = matches!(removed, Item::Hwcaps(_))
        || less.files.iter().any(|file| file == path)
        || less.items.iter().any(|item| match item {
            Item::HardLink { first, .. } => first == path,
            Item::Without(removed) => removed == path,
            _ => false,
        });
    (!is_held).then_some(less)
}

/// An item less one of its parts.
fn parts(item: &Item) -> Vec<Item> {
    let lists = |list: &str, separators: &[char], make: &dyn Fn(String) -> Item| {
        let elements: Vec<&str> = list.split(separators).collect();
        let less = |index: usize| {
            let mut less = elements.clone();
            less.remove(index);
            make(less.join(":"))
        };
        (0..elements.len()).filter(|_| elements.len() > 1).map(less).collect()
    };
    match item {
        Item::Elf { path, is_program, traits } => {
            let less = |index: usize| {
                let mut less = traits.clone();
                less.remove(index);
                Item::Elf { path: path.clone(), is_program: *is_program, traits: less }
            };
            let mut all: Vec<Item> = (0..traits.len()).map(less).collect();
            for (index, own) in traits.iter().enumerate() {
                all.extend(shorter(own).into_iter().map(|shorter| {
                    let mut less = traits.clone();
                    less[index] = shorter;
                    Item::Elf { path: path.clone(), is_program: *is_program, traits: less }
                }));
            }
            all
        }
        Item::LibraryPath(list) => lists(list, &[':', ';'], &Item::LibraryPath),
        Item::Preload(list) => lists(list, &[':', ' '], &Item::Preload),
        Item::Ldconfig(list) => {
            let lines: Vec<&str> = list.lines().collect();
            let less = |index: usize| {
                let mut less = lines.clone();
                less.remove(index);
                Item::Ldconfig(less.join("\n"))
            };
            (0..lines.len()).map(less).collect()
        }
        _ => Vec::new(),
    }
}

/// A list of directories less one of them.
fn shorter(own: &super::random_root::Trait) -> Vec<super::random_root::Trait> {
    use super::random_root::Trait;
    let (list, make): (&str, fn(String) -> Trait) = match own {
        Trait::Rpath(list) => (list, Trait::Rpath),
        Trait::Runpath(list) => (list, Trait::Runpath),
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
