//! `coracle inspect` and `coracle diff`, with images of Coracle and of other tools.

mod diff;
mod foreign_images;
mod inspect_reports;
mod layout;
mod page;
