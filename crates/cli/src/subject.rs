//! What a positional argument means: a file, or a revision in AWS.
//!
//! What is a file is a file. Only what is none, or is asked for together with a stack, is looked up.

use crate::arguments::{AwsArguments, StackArguments};
use crate::error::Error;
use crate::input;
use crate::online::Aws;
use ecs_sidecar_aws::observe::Wanted;
use ecs_sidecar_core::ids::{AccountId, Arn, Family};
use std::path::{Path, PathBuf};

/// The variable that names the stack where no option does.
const STACK: &str = "ECS_SIDECAR_STACK";

/// What somebody asks about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Subject {
    /// A file, or standard input as `-`.
    File(PathBuf),
    /// A revision in AWS.
    Revision(Revision),
}

/// A revision, and what was said of where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Revision {
    /// As it was written.
    pub(crate) text: String,
    /// Which one it is in its account and Region.
    pub(crate) wanted: Wanted,
    /// Its ARN, if that was given.
    arn: Option<Arn>,
}

impl Subject {
    /// Reads an argument. With a stack named beside it, it is nothing but a revision in AWS.
    pub(crate) fn of(argument: &Path, stack: Option<&str>) -> Result<Self, Error> {
        let is_file = argument == Path::new("-") || argument.exists() && !argument.is_dir();
        if is_file && stack.is_none() {
            return Ok(Self::File(argument.to_owned()));
        }
        match (argument.to_str().and_then(Revision::read), stack) {
            (Some(revision), _) => Ok(Self::Revision(revision)),
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

impl Revision {
    /// `web`, `web:3`, or the ARN of the latter.
    fn read(text: &str) -> Option<Self> {
        // It stands for standard input, though a family could be called so.
        if text == "-" {
            return None;
        }
        let arn = text.parse::<Arn>().ok();
        let wanted = match (&arn, text.rsplit_once(':')) {
            (Some(arn), _) => arn.revision().filter(|_| arn.service() == "ecs").map(numbered)?,
            (None, Some((family, number))) => numbered((family.parse().ok()?, number.parse().ok()?)),
            (None, None) => Wanted::Newest(text.parse().ok()?),
        };
        Some(Self { text: text.to_owned(), wanted, arn })
    }

    /// How AWS is asked about it: in the Region that an ARN names, unless another one was asked for.
    pub(crate) fn connect(&self, arguments: &AwsArguments) -> Result<Aws, Error> {
        let said = self.arn.as_ref().and_then(Arn::region);
        let region = arguments.region.clone().or(said.clone());
        let aws = Aws::connect(&AwsArguments { region, ..arguments.clone() }).map_err(|error| self.lookup(error))?;
        match said.filter(|said| *said != aws.region) {
            Some(said) => {
                Err(Error::Elsewhere { text: self.text.clone(), asked: aws.region.to_string(), said: said.to_string() })
            }
            None => Ok(aws),
        }
    }

    /// Whether somebody said which account it is in.
    pub(crate) fn has_account(&self) -> bool {
        self.arn.is_some()
    }

    /// Fails if it is another account's.
    pub(crate) fn must_be_in(&self, account: &AccountId) -> Result<(), Error> {
        match self.arn.as_ref().and_then(Arn::account).filter(|said| said != account) {
            Some(said) => {
                Err(Error::Elsewhere { text: self.text.clone(), asked: account.to_string(), said: said.to_string() })
            }
            None => Ok(()),
        }
    }

    /// It is not there.
    pub(crate) fn missing(&self, aws: &Aws) -> Error {
        let what = match &self.wanted {
            Wanted::Newest(family) => format!("ACTIVE revision of {family}"),
            Wanted::Revision(family, number) => format!("revision {family}:{number}"),
        };
        Error::NoRevision { what, region: aws.region.clone() }
    }

    /// What is in the way of a look at it, and that it was taken for no file.
    pub(crate) fn lookup(&self, error: Error) -> Error {
        Error::Lookup { text: self.text.clone(), source: Box::new(error) }
    }
}

fn numbered((family, number): (Family, u64)) -> Wanted {
    Wanted::Revision(family, number)
}

/// The stack that was named, or the one that is meant without a name.
pub(crate) fn stack(named: Option<&str>, aws: &AwsArguments) -> StackArguments {
    let from_environment = || std::env::var(STACK).ok().filter(|name| !name.is_empty());
    let stack = named.map(str::to_owned).or_else(from_environment);
    StackArguments { stack: stack.unwrap_or_else(|| ecs_sidecar_core::names::OPERATOR.to_owned()), aws: aws.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_revisions_are_read_and_other_texts_are_files() {
        let revision = |text: &str| match Subject::of(Path::new(text), None) {
            Ok(Subject::Revision(revision)) => Some(revision.wanted),
            Ok(Subject::File(_)) | Err(_) => None,
        };
        let web = || "web".parse().expect("a family");
        assert_eq!(revision("web"), Some(Wanted::Newest(web())));
        assert_eq!(revision("web:7"), Some(Wanted::Revision(web(), 7)));
        let arn = "arn:aws:ecs:eu-west-1:111122223333:task-definition/web:7";
        assert_eq!(revision(arn), Some(Wanted::Revision(web(), 7)));
        for text in
            ["-", "web.json", "./web", "web:", "web:x", "a b", "", &arn[..arn.len() - 2], "arn:aws:iam::1:role/web"]
        {
            assert_eq!(revision(text), None, "{text}");
        }
        for text in ["-", "web.json"] {
            assert!(Subject::of(Path::new(text), Some("shop")).is_err(), "{text}");
        }
    }
}
