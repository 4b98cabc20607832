//! Families and revisions as people name them.
//!
//! Knows: ARNs and short names, and whether they are of the place that is asked. Must not know: what is asked about them.

use crate::error::Error;
use ecs_sidecar_aws::Settings;
use ecs_sidecar_core::ids::{AccountId, Arn, Family, Region};
use std::fmt;
use std::str::FromStr;

/// A revision, by its ARN or as `web:7`.
#[derive(Debug, Clone)]
pub(crate) struct Revision {
    pub(crate) family: Family,
    pub(crate) number: u64,
    arn: Option<Arn>,
}

/// A family, by its name or by a revision of it.
#[derive(Debug, Clone)]
pub(crate) enum Named {
    /// Its name.
    Family(Family),
    /// A revision of it.
    Revision(Revision),
}

impl FromStr for Revision {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wanted = || {
            "give a revision's ARN, such as arn:aws:ecs:eu-west-1:111122223333:task-definition/web:7, or FAMILY:REVISION"
                .to_owned()
        };
        if text.starts_with("arn:") {
            let arn: Arn = text.parse().map_err(|_| wanted())?;
            let is_whole = arn.service() == "ecs" && arn.region().is_some() && arn.account().is_some();
            let (family, number) = arn.revision().filter(|_| is_whole).ok_or_else(wanted)?;
            return Ok(Self { family, number, arn: Some(arn) });
        }
        let (family, number) = text.rsplit_once(':').ok_or_else(wanted)?;
        let number = number.parse().map_err(|_| wanted())?;
        Ok(Self { family: family.parse().map_err(|_| wanted())?, number, arn: None })
    }
}

impl FromStr for Named {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.contains(':') {
            return text.parse().map(Self::Revision);
        }
        text.parse().map(Self::Family).map_err(|error: ecs_sidecar_core::ids::IdError| error.to_string())
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.arn {
            Some(arn) => write!(formatter, "{arn}"),
            None => write!(formatter, "{}:{}", self.family, self.number),
        }
    }
}

impl fmt::Display for Named {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Family(family) => write!(formatter, "{family}"),
            Self::Revision(revision) => write!(formatter, "{revision}"),
        }
    }
}

impl Revision {
    /// Its ARN, where the operator is.
    ///
    /// Errors: [`Error::Elsewhere`].
    pub(crate) fn arn(&self, home: &Settings) -> Result<Arn, Error> {
        let (region, account) = (&home.region, &home.account);
        let Some(arn) = &self.arn else {
            let partition = region.partition().name;
            let arn = format!("arn:{partition}:ecs:{region}:{account}:task-definition/{self}");
            return Ok(arn.parse().expect("made of the parts of an ARN"));
        };
        must_be(arn, arn.region(), region)?;
        must_be(arn, arn.account(), account)?;
        Ok(arn.clone())
    }
}

impl Named {
    /// Its ARN, if that was given.
    fn arn(&self) -> Option<&Arn> {
        match self {
            Self::Family(_) => None,
            Self::Revision(revision) => revision.arn.as_ref(),
        }
    }

    /// The Region that was said with it.
    pub(crate) fn region(&self) -> Option<Region> {
        self.arn().and_then(Arn::region)
    }

    /// Whether somebody said which account it is in.
    pub(crate) fn has_account(&self) -> bool {
        self.arn().is_some()
    }

    /// Errors: [`Error::Elsewhere`], if it is another Region's.
    pub(crate) fn must_be_in_region(&self, region: &Region) -> Result<(), Error> {
        self.arn().map_or(Ok(()), |arn| must_be(arn, arn.region(), region))
    }

    /// Errors: [`Error::Elsewhere`], if it is another account's.
    pub(crate) fn must_be_in(&self, account: &AccountId) -> Result<(), Error> {
        self.arn().map_or(Ok(()), |arn| must_be(arn, arn.account(), account))
    }
}

/// What an ARN says must be what is asked.
fn must_be<T: PartialEq + fmt::Display>(arn: &Arn, said: Option<T>, asked: &T) -> Result<(), Error> {
    match said.filter(|said| said != asked) {
        Some(said) => Err(Error::Elsewhere { text: arn.to_string(), asked: asked.to_string(), said: said.to_string() }),
        None => Ok(()),
    }
}

/// `web:7` of an ARN; what is none stays as it is.
pub(crate) fn short(arn: &str) -> &str {
    arn.split_once(":task-definition/").map_or(arn, |(_, revision)| revision)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_has_a_number() {
        let arn = "arn:aws:ecs:eu-west-1:111122223333:task-definition/web:7";
        for text in [arn, "web:7"] {
            let revision: Revision = text.parse().expect("a revision");
            assert_eq!((revision.family.as_str(), revision.number), ("web", 7));
        }
        for text in ["web", "web:", ":7", "web:x", "arn:aws:ecs:eu-west-1:111122223333:cluster/web:7", "arn:aws:s3:::x"]
        {
            assert!(text.parse::<Revision>().is_err(), "{text}");
        }
        assert!(matches!("web".parse(), Ok(Named::Family(_))) && matches!(arn.parse(), Ok(Named::Revision(_))));
        assert_eq!((short(arn), short("web")), ("web:7", "web"));
    }
}
