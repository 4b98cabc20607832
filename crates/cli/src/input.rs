//! Reads what the command line names.

use crate::error::Error;
use ecs_sidecar_core::definition::{InputError, MAX_INPUT, TaskDefinition};
use ecs_sidecar_core::policy::{PRESETS, Policy};
use std::io::Read;
use std::path::Path;

/// A task definition and the text that it was read from.
pub(crate) struct Input {
    pub(crate) text: String,
    pub(crate) definition: TaskDefinition,
    /// Whether it comes from a file, and not from AWS.
    pub(crate) is_file: bool,
}

/// Reads a task definition from a file or, for `-`, from standard input.
pub(crate) fn definition(path: &Path) -> Result<Input, Error> {
    let text = text(path)?;
    let file = name(path);
    let definition = TaskDefinition::parse(&text).map_err(|source| Error::Input { file, source: Box::new(source) })?;
    Ok(Input { text, definition, is_file: true })
}

/// Reads a policy: a preset by its name, or else a file.
pub(crate) fn policy(name_or_path: &str) -> Result<Policy, Error> {
    let is_preset = PRESETS.iter().any(|(preset, _)| *preset == name_or_path);
    let looks_like_path = name_or_path.contains(['/', '\\', '.']);
    if !is_preset && (looks_like_path || Path::new(name_or_path).exists()) {
        return policy_file(Path::new(name_or_path));
    }
    Policy::preset(name_or_path)
        .map_err(|source| Error::Policy { name: name_or_path.to_owned(), source: Box::new(source) })
}

/// Reads a policy from a file or, for `-`, from standard input.
pub(crate) fn policy_file(path: &Path) -> Result<Policy, Error> {
    policy_document(path).map(|(_, policy)| policy)
}

/// The same with its text as somebody wrote it.
pub(crate) fn policy_document(path: &Path) -> Result<(String, Policy), Error> {
    let text = text(path)?;
    match Policy::parse(&text) {
        Ok(policy) => Ok((text, policy)),
        Err(source) => Err(Error::Policy { name: name(path), source: Box::new(source) }),
    }
}

/// How a file is called.
pub(crate) fn name(path: &Path) -> String {
    if path == Path::new("-") { "standard input".to_owned() } else { path.display().to_string() }
}

fn text(path: &Path) -> Result<String, Error> {
    let file = name(path);
    let read = |source: std::io::Error| Error::Read { file: file.clone(), source };
    let mut bytes = Vec::new();
    // One byte more than is taken, so that a longer input is seen to be longer.
    let limit = u64::try_from(MAX_INPUT).unwrap_or(u64::MAX) + 1;
    if path == Path::new("-") {
        std::io::stdin().lock().take(limit).read_to_end(&mut bytes).map_err(read)?;
    } else {
        std::fs::File::open(path).map_err(read)?.take(limit).read_to_end(&mut bytes).map_err(read)?;
    }
    if bytes.len() > MAX_INPUT {
        let source = Box::new(InputError::TooLong);
        return Err(Error::Input { file, source });
    }
    let text = String::from_utf8(bytes)
        .map_err(|error| Error::NotUtf8 { file: file.clone(), offset: error.utf8_error().valid_up_to() })?;
    if text.trim().is_empty() {
        return Err(Error::Empty { file });
    }
    // Some editors on Windows begin a file with a byte order mark.
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}
