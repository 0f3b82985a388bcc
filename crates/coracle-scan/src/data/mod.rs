//! Lists that the rules use, with the public lists that they correspond to.

pub(crate) mod config_file_names;
pub(crate) mod letter_pairs;
pub(crate) mod text_formats;
pub(crate) mod words;
