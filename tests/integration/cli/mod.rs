//! The command line: help, completions, manual pages, usage errors.

mod completions;
mod foreign_text;
mod help;
mod invalid_recipe_keys;
mod manual_pages;
mod output;
mod quiet;
mod recipe_keys;
#[cfg(target_os = "linux")]
mod terminal_width;
mod unreadable_recipes;
mod usage_errors;
