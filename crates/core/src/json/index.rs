//! Where each value of a text stands, found in one pass.
//!
//! `serde_json` has judged that the text is JSON, so that this may pass over strings and numbers without looking at them.
//! It refuses what is JSON and still no good: a key twice, half a surrogate pair, and depth.

use super::{JsonError, JsonType, MAX_DEPTH, Node, Span, short, unquoted};
use memchr::memchr2;
use std::borrow::Cow;
use std::collections::HashSet;

/// The index over a text that is known to be JSON.
pub(super) fn of(text: &str) -> Result<Vec<Node>, JsonError> {
    // Definitions have a node for about fourteen bytes.
    let nodes = Vec::with_capacity(text.len() / 12 + 1);
    let mut indexer = Indexer { text, at: 0, nodes };
    indexer.value(0)?;
    Ok(indexer.nodes)
}

/// Builds the index.
struct Indexer<'a> {
    text: &'a str,
    at: usize,
    nodes: Vec<Node>,
}

impl<'a> Indexer<'a> {
    fn value(&mut self, depth: usize) -> Result<(), JsonError> {
        self.skip_space();
        let start = self.at;
        if depth > MAX_DEPTH {
            let (line, column) = self.position(start);
            return Err(JsonError::TooDeep { line, column });
        }
        match self.byte() {
            b'{' => self.object(depth),
            b'[' => self.array(depth),
            b'"' => self.string(),
            b't' | b'f' => self.scalar(JsonType::Boolean),
            b'n' => self.scalar(JsonType::Null),
            _ => self.scalar(JsonType::Number),
        }
    }

    /// Notes what begins here; where it ends shows later.
    fn begin(&mut self, json_type: JsonType) -> usize {
        let start = short(self.at);
        self.nodes.push(Node { start, end: start, nodes: 1, children: 0, json_type, escaped: false });
        self.nodes.len() - 1
    }

    fn end(&mut self, node: usize) {
        self.nodes[node].end = short(self.at);
        self.nodes[node].nodes = short(self.nodes.len() - node);
    }

    fn object(&mut self, depth: usize) -> Result<(), JsonError> {
        let object = self.begin(JsonType::Object);
        let mut keys = HashSet::new();
        self.at += 1;
        loop {
            self.skip_space();
            match self.byte() {
                b'}' => break,
                b',' => self.at += 1,
                _ => {
                    self.key(object, &mut keys)?;
                    self.skip_space();
                    self.at += 1; // the colon
                    self.value(depth + 1)?;
                    self.nodes[object].children += 1;
                }
            }
        }
        self.at += 1;
        self.end(object);
        Ok(())
    }

    /// Reads the next key of an object, which must be none of those before it; `many` has these where they are many.
    fn key(&mut self, object: usize, many: &mut HashSet<Cow<'a, str>>) -> Result<(), JsonError> {
        /// Up to here, looking at each is faster than hashing; most objects have two or three keys.
        const FEW: u32 = 16;
        let at = self.nodes.len();
        self.string()?;
        let key = self.unquoted(at);
        let is_new = if self.nodes[object].children < FEW {
            self.keys(object).all(|other| other != key)
        } else {
            if many.is_empty() {
                many.extend(self.keys(object));
            }
            many.insert(key.clone())
        };
        if is_new {
            return Ok(());
        }
        let (line, column) = self.position(self.nodes[at].span().start);
        Err(JsonError::DuplicateKey { key: key.into_owned(), line, column })
    }

    /// The keys of those members of an object that have been read to their end.
    fn keys(&self, object: usize) -> impl Iterator<Item = Cow<'a, str>> {
        let mut next = object + 1;
        (0..self.nodes[object].children).map(move |_| {
            let (key, value) = (next, next + 1);
            next = value + self.nodes[value].nodes as usize;
            self.unquoted(key)
        })
    }

    fn unquoted(&self, node: usize) -> Cow<'a, str> {
        let node = &self.nodes[node];
        unquoted(&self.text[node.span()], node.escaped)
    }

    fn array(&mut self, depth: usize) -> Result<(), JsonError> {
        let array = self.begin(JsonType::Array);
        self.at += 1;
        loop {
            self.skip_space();
            match self.byte() {
                b']' => break,
                b',' => self.at += 1,
                _ => {
                    self.value(depth + 1)?;
                    self.nodes[array].children += 1;
                }
            }
        }
        self.at += 1;
        self.end(array);
        Ok(())
    }

    fn string(&mut self) -> Result<(), JsonError> {
        let string = self.begin(JsonType::String);
        let Span { start, .. } = self.nodes[string].span();
        let mut unicode = false;
        self.at += 1;
        loop {
            let rest = &self.text.as_bytes()[self.at..];
            self.at += memchr2(b'"', b'\\', rest).expect("a string ends");
            if self.byte() == b'"' {
                break;
            }
            self.nodes[string].escaped = true;
            unicode |= self.text.as_bytes()[self.at + 1] == b'u';
            self.at += 2;
        }
        self.at += 1;
        if unicode && serde_json::from_str::<String>(&self.text[start..self.at]).is_err() {
            let (line, column) = self.position(start);
            return Err(JsonError::LoneSurrogate { line, column });
        }
        self.end(string);
        Ok(())
    }

    fn scalar(&mut self, json_type: JsonType) -> Result<(), JsonError> {
        let scalar = self.begin(json_type);
        while self.at < self.text.len() && !matches!(self.byte(), b',' | b']' | b'}' | b' ' | b'\n' | b'\r' | b'\t') {
            self.at += 1;
        }
        self.end(scalar);
        Ok(())
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
