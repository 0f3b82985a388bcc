//! The next step after an error.

/// An error that may suggest the next step to the user.
pub trait Hint {
    /// The next step for the user; `None` if there is no usual one.
    fn hint(&self) -> Option<String>;
}
