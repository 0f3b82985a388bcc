//! Prints the packages that own the given files: `cargo run --example owners -- ROOT FILE…`. Without
//! files, prints all packages of the root.

#![expect(clippy::print_stdout, reason = "an example prints its result")]

use std::collections::BTreeSet;

use coracle_core::file_system::HostFs;
use coracle_core::path::ImagePath;
use coracle_inventory::{FileSelection, Inventory};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let root = HostFs::new(arguments.next().ok_or("the first argument is a root directory")?);
    let files = arguments.map(|path| path.parse()).collect::<Result<BTreeSet<ImagePath>, _>>()?;
    let selection = if files.is_empty() { FileSelection::All } else { FileSelection::Paths(&files) };
    let inventory = Inventory::read(&root, selection)?;
    for package in &inventory.packages {
        println!("{package}");
        if !files.is_empty() {
            package.files.keys().for_each(|path| println!("  {path}"));
        }
    }
    Ok(())
}
