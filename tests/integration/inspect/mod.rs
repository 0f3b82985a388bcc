//! `coracle inspect` and `coracle diff`, with images of Coracle and of other tools.

mod diff;
mod foreign_images;
mod inspect;
mod layout;
mod page;
