//! `coracle deps` from outside, on programs made for it and in a root of its own.

mod errors;
mod listing;
mod sysroots;
mod test_programs;
mod why;
