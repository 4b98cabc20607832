//! Answers for machines.

use crate::error::Error;
use serde::Serialize;
use std::io::Write;

/// An answer that people can read too.
pub(crate) fn write(answer: &(impl Serialize + ?Sized), out: &mut dyn Write) -> Result<(), Error> {
    let text = serde_json::to_string_pretty(answer).expect("an answer is plain JSON");
    writeln!(out, "{text}")?;
    Ok(())
}
