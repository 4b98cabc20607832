//! What a positional argument means: a file, or a revision in AWS.
//!
//! What is a file is a file. Only what is none, or is asked for together with a stack, is looked up.

use crate::error::Error;
use crate::input;
use crate::revision::Named;
use std::path::{Path, PathBuf};

/// What somebody asks about.
#[derive(Debug)]
pub(crate) enum Subject {
    /// A file, or standard input as `-`.
    File(PathBuf),
    /// A revision in AWS; of a family, its newest one.
    InAws(Named),
}

impl Subject {
    /// Reads an argument. With a stack named beside it, it is nothing but a revision in AWS.
    pub(crate) fn of(argument: &Path, stack: Option<&str>) -> Result<Self, Error> {
        let is_file = argument == Path::new("-") || argument.exists() && !argument.is_dir();
        if is_file && stack.is_none() {
            return Ok(Self::File(argument.to_owned()));
        }
        // It stands for standard input, though a family could be called so.
        let named = argument.to_str().filter(|text| *text != "-").and_then(|text| text.parse().ok());
        match (named, stack) {
            (Some(named), _) => Ok(Self::InAws(named)),
            (None, Some(_)) => Err(Error::NoRevisionName { text: input::name(argument) }),
            (None, None) => match argument.metadata() {
                Err(source) if source.kind() == std::io::ErrorKind::NotFound => {
                    Err(Error::NoSubject { text: input::name(argument), source })
                }
                // Whoever reads it says why it cannot be read.
                Ok(_) | Err(_) => Ok(Self::File(argument.to_owned())),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_revisions_are_read_and_other_texts_are_files() {
        let named = |text: &str| match Subject::of(Path::new(text), None) {
            Ok(Subject::InAws(named)) => Some(named.to_string()),
            Ok(Subject::File(_)) | Err(_) => None,
        };
        let arn = "arn:aws:ecs:eu-west-1:111122223333:task-definition/web:7";
        for text in ["web", "web:7", arn] {
            assert_eq!(named(text).as_deref(), Some(text));
        }
        for text in
            ["-", "web.json", "./web", "web:", "web:x", "a b", "", &arn[..arn.len() - 2], "arn:aws:iam::1:role/web"]
        {
            assert_eq!(named(text), None, "{text}");
        }
        for text in ["-", "web.json"] {
            assert!(Subject::of(Path::new(text), Some("shop")).is_err(), "{text}");
        }
    }
}
