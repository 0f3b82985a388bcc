//! `coracle deps`, on programs and roots that are made for the tests.

mod errors;
mod listing;
mod sysroots;
mod test_programs;
mod why;
