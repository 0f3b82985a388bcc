//! The command line: help, and every way to say something wrong.

mod completions;
mod help;
mod invalid_recipe_keys;
mod manual_pages;
mod output;
mod unreadable_recipes;
mod usage_errors;
