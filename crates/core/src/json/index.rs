//! Where each value of a text stands, found in one pass.
//!
//! `serde_json` has judged that the text is JSON, so that this may pass over strings and numbers without looking at them.
//! It refuses what is JSON and still no good: a key twice, half a surrogate pair, and depth.

use super::{JsonError, Kind, MAX_DEPTH, Member, Node, Span, unescape};
use std::borrow::Cow;
use std::collections::HashSet;

/// The keys of one object, to find the one that is there twice.
#[derive(Default)]
struct Keys<'a> {
    few: Vec<Cow<'a, str>>,
    many: HashSet<Cow<'a, str>>,
}

impl<'a> Keys<'a> {
    /// Up to here, looking at each is faster than hashing; most objects have two or three keys.
    const FEW: usize = 16;

    /// Adds a key. `false` if it was there.
    fn add(&mut self, key: Cow<'a, str>) -> bool {
        if self.few.len() < Self::FEW {
            let new = !self.few.contains(&key);
            self.few.push(key);
            return new;
        }
        !self.few.contains(&key) && self.many.insert(key)
    }
}

/// The index over a text that is known to be JSON.
pub(super) fn of(text: &str) -> Result<Node, JsonError> {
    Indexer { text, at: 0 }.value(0)
}

/// Builds the index.
struct Indexer<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Indexer<'a> {
    fn value(&mut self, depth: usize) -> Result<Node, JsonError> {
        self.skip_space();
        let start = self.at;
        if depth > MAX_DEPTH {
            let (line, column) = self.position(start);
            return Err(JsonError::TooDeep { line, column });
        }
        let kind = match self.byte() {
            b'{' => self.object(depth)?,
            b'[' => self.array(depth)?,
            b'"' => {
                self.string()?;
                Kind::String
            }
            b't' | b'f' => self.scalar(Kind::Bool),
            b'n' => self.scalar(Kind::Null),
            _ => self.scalar(Kind::Number),
        };
        Ok(Node { span: start..self.at, kind })
    }

    fn object(&mut self, depth: usize) -> Result<Kind, JsonError> {
        let mut members: Vec<Member> = Vec::new();
        let mut keys = Keys::default();
        self.at += 1;
        loop {
            self.skip_space();
            match self.byte() {
                b'}' => break,
                b',' => self.at += 1,
                _ => {
                    let key = self.string()?;
                    if !keys.add(unescape(&self.text[key.clone()])) {
                        let (line, column) = self.position(key.start);
                        let key = unescape(&self.text[key]).into_owned();
                        return Err(JsonError::DuplicateKey { key, line, column });
                    }
                    self.skip_space();
                    self.at += 1; // the colon
                    let value = self.value(depth + 1)?;
                    members.push(Member { key, value });
                }
            }
        }
        self.at += 1;
        Ok(Kind::Object(members))
    }

    fn array(&mut self, depth: usize) -> Result<Kind, JsonError> {
        let mut items = Vec::new();
        self.at += 1;
        loop {
            self.skip_space();
            match self.byte() {
                b']' => break,
                b',' => self.at += 1,
                _ => items.push(self.value(depth + 1)?),
            }
        }
        self.at += 1;
        Ok(Kind::Array(items))
    }

    fn string(&mut self) -> Result<Span, JsonError> {
        let start = self.at;
        let mut unicode = false;
        self.at += 1;
        loop {
            match self.byte() {
                b'"' => break,
                b'\\' => {
                    unicode |= self.text.as_bytes()[self.at + 1] == b'u';
                    self.at += 2;
                }
                _ => self.at += 1,
            }
        }
        self.at += 1;
        if unicode && serde_json::from_str::<String>(&self.text[start..self.at]).is_err() {
            let (line, column) = self.position(start);
            return Err(JsonError::LoneSurrogate { line, column });
        }
        Ok(start..self.at)
    }

    fn scalar(&mut self, kind: Kind) -> Kind {
        while self.at < self.text.len() && !matches!(self.byte(), b',' | b']' | b'}' | b' ' | b'\n' | b'\r' | b'\t') {
            self.at += 1;
        }
        kind
    }

    fn skip_space(&mut self) {
        while self.at < self.text.len() && matches!(self.byte(), b' ' | b'\n' | b'\r' | b'\t') {
            self.at += 1;
        }
    }

    fn byte(&self) -> u8 {
        self.text.as_bytes()[self.at]
    }

    fn position(&self, at: usize) -> (usize, usize) {
        let before = &self.text[..at];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or(before).chars().count() + 1;
        (line, column)
    }
}
