//! Asks a person before something is undone.

use crate::error::Error;
use std::io::{BufRead, IsTerminal as _, Write};

/// Whether to go on: `yes` says so, or else somebody at a terminal does. Without either it is an error.
pub(crate) fn confirm(question: &str, yes: bool) -> Result<bool, Error> {
    if yes {
        return Ok(true);
    }
    if !std::io::stdin().is_terminal() {
        return Err(Error::NobodyToAsk);
    }
    let agreed = ask(question, &mut std::io::stdin().lock(), &mut anstream::stderr().lock())
        .map_err(|source| Error::Read { file: "standard input".to_owned(), source })?;
    if !agreed {
        // Standard error may be closed; the exit code says the same.
        let _ = writeln!(anstream::stderr(), "nothing was changed");
    }
    Ok(agreed)
}

/// What is neither `y` nor `yes` is a no, and so is the end of the input.
fn ask(question: &str, answers: &mut dyn BufRead, out: &mut dyn Write) -> std::io::Result<bool> {
    write!(out, "{question} [y/N] ")?;
    out.flush()?;
    let mut answer = String::new();
    answers.read_line(&mut answer)?;
    Ok(["y", "yes"].contains(&answer.trim().to_ascii_lowercase().as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_yes_is_a_yes() {
        for (answer, wanted) in [("y\n", true), ("YES\r\n", true), ("\n", false), ("", false), ("yep\n", false)] {
            let mut asked = Vec::new();
            assert_eq!(ask("really?", &mut answer.as_bytes(), &mut asked).expect("read"), wanted, "{answer:?}");
            assert_eq!(asked, b"really? [y/N] ");
        }
    }
}
