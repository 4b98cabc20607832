//! Fingerprints of JSON.

use sha2::{Digest as _, Sha256};
use std::fmt;

/// `sha256:` and 64 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Digest(String);

impl Digest {
    /// Of a text that is already canonical.
    pub fn of(canonical: &str) -> Self {
        use std::fmt::Write as _;
        let mut text = String::from("sha256:");
        for byte in Sha256::digest(canonical.as_bytes()) {
            write!(text, "{byte:02x}").expect("a String takes all that is written");
        }
        Self(text)
    }

    /// The text of it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Of a text that was written before.
impl std::str::FromStr for Digest {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
