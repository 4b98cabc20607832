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

/// What stands in a list or an object, or in a part of one.
pub(super) struct Inside {
    /// The nodes that stand directly in it; a member is two.
    pub(super) children: u32,
    /// All nodes.
    pub(super) list: Vec<Node>,
}

/// The index over a stretch of a text that holds some items of a list or some members of an object, at that depth.
pub(super) fn inside(text: &str, span: Span, holder: JsonType, depth: usize) -> Result<Inside, JsonError> {
    let mut indexer = Indexer { text: &text[..span.end], at: span.start, nodes: Vec::new() };
    let first = indexer.begin(holder);
    indexer.children(first, depth - 1)?;
    let mut list = indexer.nodes;
    let holder = list.remove(first);
    let children = if holder.json_type == JsonType::Object { 2 * holder.children } else { holder.children };
    Ok(Inside { children, list })
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
            b'{' => self.holder(JsonType::Object, depth),
            b'[' => self.holder(JsonType::Array, depth),
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

    fn holder(&mut self, json_type: JsonType, depth: usize) -> Result<(), JsonError> {
        let holder = self.begin(json_type);
        self.at += 1;
        self.children(holder, depth)?;
        self.at += 1;
        self.end(holder);
        Ok(())
    }

    /// Reads items or members up to the bracket behind them, or to the end of the text.
    fn children(&mut self, holder: usize, depth: usize) -> Result<(), JsonError> {
        let is_object = self.nodes[holder].json_type == JsonType::Object;
        let mut many = HashSet::new();
        loop {
            self.skip_space();
            match self.text.as_bytes().get(self.at) {
                None | Some(b']' | b'}') => return Ok(()),
                Some(b',') => self.at += 1,
                Some(_) => {
                    if is_object {
                        self.key(holder, &mut many)?;
                        self.skip_space();
                        self.at += 1; // the colon
                    }
                    self.value(depth + 1)?;
                    self.nodes[holder].children += 1;
                }
            }
        }
    }

    /// Reads the next key of an object, which must be none of those before it; `many` has these where they are many.
    fn key(&mut self, object: usize, many: &mut HashSet<Cow<'a, str>>) -> Result<(), JsonError> {
        /// Up to here, looking at each is faster than hashing; most objects have two or three keys.
        const FEW: u32 = 16;
        let key = self.nodes.len();
        self.string()?;
        let is_new = if self.nodes[object].children < FEW {
            !self.keys(object).any(|other| self.same_text(other, key))
        } else {
            if many.is_empty() {
                many.extend(self.keys(object).map(|key| self.unquoted(key)));
            }
            many.insert(self.unquoted(key))
        };
        if is_new {
            return Ok(());
        }
        let (line, column) = self.position(self.nodes[key].span().start);
        Err(JsonError::DuplicateKey { key: self.unquoted(key).into_owned(), line, column })
    }

    /// The keys of those members of an object that have been read to their end.
    fn keys(&self, object: usize) -> impl Iterator<Item = usize> {
        let mut next = object + 1;
        (0..self.nodes[object].children).map(move |_| {
            let (key, value) = (next, next + 1);
            next = value + self.nodes[value].nodes as usize;
            key
        })
    }

    fn same_text(&self, one: usize, other: usize) -> bool {
        let raw = |node: usize| &self.text.as_bytes()[self.nodes[node].span()];
        let escaped = self.nodes[one].escaped || self.nodes[other].escaped;
        if escaped { self.unquoted(one) == self.unquoted(other) } else { raw(one) == raw(other) }
    }

    fn unquoted(&self, node: usize) -> Cow<'a, str> {
        let node = &self.nodes[node];
        unquoted(&self.text[node.span()], node.escaped)
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
