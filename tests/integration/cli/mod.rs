//! The command line: help, completions, manual pages, usage errors.

mod completions;
mod help;
mod invalid_recipe_keys;
mod manual_pages;
mod output;
mod recipe_keys;
mod unreadable_recipes;
mod usage_errors;
