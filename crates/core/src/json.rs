//! JSON that remembers the bytes it came from.
//!
//! Knows: JSON text, and where in it each value stands. Must not know: what a task definition is.
//!
//! A [`Document`] keeps the text as it was read and an index of spans over it, so that whatever nobody edits is
//! written back as the very bytes that came: numbers such as `1.50` or of thirty digits, escapes, key order and
//! white space. `serde_json` judges whether the text is JSON at all; the index is then built in one pass.

mod index;
mod replace;

pub use replace::replaced;

use std::borrow::Cow;
use std::sync::Arc;

/// How deep values may be nested. ECS's own shapes need 7 levels.
pub const MAX_DEPTH: usize = 100;

/// How long a text may be, in bytes: so that no input, however it is laid out, takes all memory.
pub const MAX_BYTES: usize = 16 * 1024 * 1024;

/// Why a text is not a usable JSON document. Lines and columns count from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// The text is longer than [`MAX_BYTES`].
    #[error("longer than {MAX_BYTES} bytes")]
    TooLong,
    /// The text is not JSON.
    #[error("not JSON: {message}")]
    Syntax {
        /// What `serde_json` says, with line and column.
        message: String,
    },
    /// An object names a member twice: which of the two counts is anybody's guess.
    #[error("duplicate key {key:?} at line {line} column {column}")]
    DuplicateKey {
        /// The key, unescaped.
        key: String,
        /// Line of the second occurrence.
        line: usize,
        /// Column of the second occurrence.
        column: usize,
    },
    /// Values are nested deeper than [`MAX_DEPTH`].
    #[error("nested deeper than {MAX_DEPTH} levels at line {line} column {column}")]
    TooDeep {
        /// Line of the value that is too deep.
        line: usize,
        /// Column of the value that is too deep.
        column: usize,
    },
    /// A string holds half of a surrogate pair, which is no Unicode text.
    #[error("a string with a lone surrogate escape at line {line} column {column}")]
    LoneSurrogate {
        /// Line of the string.
        line: usize,
        /// Column of the string.
        column: usize,
    },
}

/// A JSON text and the index over it. Neither ever changes, so that a clone costs nothing.
#[derive(Clone)]
pub struct Document {
    text: Arc<str>,
    /// Each value before what is in it, and each key before its value; the outermost value is the first.
    nodes: Arc<Vec<Node>>,
}

/// A stretch of the text: byte offsets, the end excluded.
pub(crate) type Span = std::ops::Range<usize>;

/// A key or a value in the index. [`MAX_BYTES`] is why 32 bits do.
#[derive(Clone, Copy, PartialEq)]
struct Node {
    /// Where it begins and ends in the text, quotes and brackets included.
    start: u32,
    end: u32,
    /// How many nodes it is, with all that is in it: the next one stands behind them.
    nodes: u32,
    /// How many items or members it has.
    children: u32,
    json_type: JsonType,
    /// Whether it is a string with an escape in it.
    escaped: bool,
}

impl Document {
    /// Reads a text. Fails on what is not JSON, on a duplicate key, on depth and on size.
    pub fn parse(text: impl Into<Arc<str>>) -> Result<Self, JsonError> {
        let text: Arc<str> = text.into();
        if text.len() > MAX_BYTES {
            return Err(JsonError::TooLong);
        }
        judge(&text)?;
        Self::index(text)
    }

    /// Reads a text that was put together from pieces of JSON, and is JSON by that. Fails on the rest as [`parse`] does.
    ///
    /// [`parse`]: Self::parse
    pub(crate) fn parse_pieces(text: String) -> Result<Self, JsonError> {
        debug_assert!(judge(&text).is_ok(), "pieces of JSON make JSON");
        if text.len() > MAX_BYTES {
            return Err(JsonError::TooLong);
        }
        Self::index(text.into())
    }

    fn index(text: Arc<str>) -> Result<Self, JsonError> {
        let nodes = Arc::new(index::of(&text)?);
        Ok(Self { text, nodes })
    }

    /// The text, byte for byte.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The outermost value.
    pub fn root(&self) -> Value<'_> {
        Value { document: self, at: 0 }
    }
}

/// Whether a text is JSON at all.
fn judge(text: &str) -> Result<(), JsonError> {
    match serde_json::from_str::<serde::de::IgnoredAny>(text) {
        Ok(_) => Ok(()),
        Err(error) => Err(JsonError::Syntax { message: error.to_string() }),
    }
}

/// The length only: a definition's environment is nobody's business but its owner's.
impl std::fmt::Debug for Document {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Document({} bytes)", self.text.len())
    }
}

impl Node {
    fn span(&self) -> Span {
        self.start as usize..self.end as usize
    }

    /// The same node in a text that begins so many bytes further on.
    fn moved_left(&self, bytes: usize) -> Self {
        Self { start: self.start - short(bytes), end: self.end - short(bytes), ..*self }
    }
}

/// A value inside a [`Document`].
#[derive(Clone, Copy)]
pub struct Value<'a> {
    document: &'a Document,
    /// Which of the document's nodes it is.
    at: usize,
}

/// The length only, as for [`Document`].
impl std::fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Value({} bytes)", self.raw().len())
    }
}

/// The six kinds of JSON values, as messages name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonType {
    /// `null`
    Null,
    /// `true` or `false`
    Boolean,
    /// A number, whole or not.
    Number,
    /// A string.
    String,
    /// An array.
    Array,
    /// An object.
    Object,
}

impl JsonType {
    /// The word for messages.
    pub fn label(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean => "a boolean",
            Self::Number => "a number",
            Self::String => "a string",
            Self::Array => "an array",
            Self::Object => "an object",
        }
    }
}

impl<'a> Value<'a> {
    fn node(self) -> &'a Node {
        &self.document.nodes[self.at]
    }

    /// The bytes of the value as they were read.
    pub fn raw(self) -> &'a str {
        &self.document.text[self.span()]
    }

    /// Where the value stands in the text, in bytes.
    pub fn span(self) -> Span {
        self.node().span()
    }

    /// What kind of value it is.
    pub fn json_type(self) -> JsonType {
        self.node().json_type
    }

    /// Whether it is `null`, which in AWS's JSON is the same as absent.
    pub fn is_null(self) -> bool {
        self.json_type() == JsonType::Null
    }

    /// The member of that name, if this is an object that has it and it is not `null`.
    pub fn get(self, key: &str) -> Option<Self> {
        self.entries().find(|(name, value)| name.says(key) && !value.is_null()).map(|(_, value)| value)
    }

    /// The members of an object in their order; nothing for another kind of value.
    pub fn members(self) -> impl Iterator<Item = (Cow<'a, str>, Self)> {
        self.entries().map(|(key, value)| (key.unquoted(), value))
    }

    /// The items of an array in their order; nothing for another kind of value.
    pub fn items(self) -> impl ExactSizeIterator<Item = Self> {
        let left = if self.json_type() == JsonType::Array { self.len() } else { 0 };
        Items { next: self.inside(), left }
    }

    /// How many items or members it has.
    pub(crate) fn len(self) -> usize {
        self.node().children as usize
    }

    /// The members with their keys as they stand in the text.
    pub(crate) fn entries(self) -> impl Iterator<Item = (Self, Self)> {
        let left = if self.json_type() == JsonType::Object { self.len() } else { 0 };
        let mut items = Items { next: self.inside(), left: 2 * left };
        std::iter::from_fn(move || Some((items.next()?, items.next()?)))
    }

    /// The n-th item or the value of the n-th member.
    pub(crate) fn child(self, index: usize) -> Option<Self> {
        self.items().nth(index).or_else(|| self.entries().nth(index).map(|(_, value)| value))
    }

    /// The first node in it, if there is any.
    fn inside(self) -> Self {
        Self { at: self.at + 1, ..self }
    }

    /// The node behind it and all that is in it, if there is any.
    fn behind(self) -> Self {
        Self { at: self.at + self.node().nodes as usize, ..self }
    }

    /// The value as a document of its own.
    pub(crate) fn to_document(self) -> Document {
        let Span { start, .. } = self.span();
        let nodes = &self.document.nodes[self.at..self.behind().at];
        let nodes = nodes.iter().map(|node| node.moved_left(start)).collect();
        Document { text: self.raw().into(), nodes: Arc::new(nodes) }
    }

    /// The text of a string.
    fn unquoted(self) -> Cow<'a, str> {
        unquoted(self.raw(), self.node().escaped)
    }

    /// Whether this is a string of that text.
    #[inline]
    pub(crate) fn says(self, text: &str) -> bool {
        let node = self.node();
        if node.json_type != JsonType::String || node.escaped {
            return self.as_str().is_some_and(|says| says == text);
        }
        let Span { start, end } = node.span();
        &self.document.text.as_bytes()[start + 1..end - 1] == text.as_bytes()
    }

    /// The string, unescaped, if it is one.
    pub fn as_str(self) -> Option<Cow<'a, str>> {
        (self.json_type() == JsonType::String).then(|| self.unquoted())
    }

    /// The whole number, if it is one; `512.0` is.
    pub fn as_i64(self) -> Option<i64> {
        if self.json_type() != JsonType::Number {
            return None;
        }
        self.raw().parse().ok().or_else(|| {
            let number: f64 = self.raw().parse().ok()?;
            #[expect(clippy::cast_possible_truncation, reason = "a whole number below 2^53 is exact")]
            (number.fract() == 0.0 && number.abs() < 9e15).then_some(number as i64)
        })
    }

    /// The boolean, if it is one.
    pub fn as_bool(self) -> Option<bool> {
        (self.json_type() == JsonType::Boolean).then(|| self.raw() == "true")
    }
}

/// Nodes that stand side by side.
struct Items<'a> {
    next: Value<'a>,
    left: usize,
}

impl<'a> Iterator for Items<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        self.left = self.left.checked_sub(1)?;
        let item = self.next;
        self.next = item.behind();
        Some(item)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Items<'_> {}

/// The text of a JSON string without its quotes and escapes. It was checked when it was indexed.
fn unquoted(quoted: &str, escaped: bool) -> Cow<'_, str> {
    if escaped {
        Cow::Owned(serde_json::from_str(quoted).expect("a string that was checked when it was indexed"))
    } else {
        Cow::Borrowed(&quoted[1..quoted.len() - 1])
    }
}

/// A place in a text, or a number of nodes, none of which is longer than [`MAX_BYTES`].
fn short(number: usize) -> u32 {
    u32::try_from(number).expect("a text has an end long before that")
}

/// Writes a string as JSON.
pub fn quote(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Document {
        Document::parse(text).expect("valid JSON")
    }

    #[test]
    fn keeps_numbers_escapes_and_white_space_as_they_came() {
        let text = " {\n\t\"a\" : 1.50, \"b\":123456789012345678901234567890,\"c\":[1e2 , \"\\u00e9\"],\"d\":1e999}\n";
        let document = parse(text);
        assert_eq!(document.text(), text);
        let root = document.root();
        assert_eq!(root.get("a").expect("a").raw(), "1.50");
        assert_eq!(root.get("b").expect("b").raw(), "123456789012345678901234567890");
        assert_eq!(root.get("c").expect("c").raw(), "[1e2 , \"\\u00e9\"]");
        assert_eq!(root.get("c").expect("c").items().nth(1).and_then(Value::as_str).as_deref(), Some("é"));
    }

    #[test]
    fn reads_keys_through_their_escapes_and_skips_null() {
        let document = parse(r#"{"\u0061":1,"b":null}"#);
        assert_eq!(document.root().get("a").and_then(Value::as_i64), Some(1));
        assert!(document.root().get("b").is_none());
    }

    #[test]
    fn says_where_a_key_is_twice() {
        let error = Document::parse("{\"a\":1,\n \"b\":{\"x\":1,\"\\u0078\":2}}").expect_err("twice");
        assert_eq!(error, JsonError::DuplicateKey { key: "x".into(), line: 2, column: 13 });
    }

    #[test]
    fn refuses_depth_half_surrogates_and_what_is_not_json() {
        let deep = "[".repeat(10_000) + &"]".repeat(10_000);
        assert!(matches!(Document::parse(deep), Err(JsonError::TooDeep { line: 1, column: 102 })));
        assert!(matches!(Document::parse(r#"{"a":"\ud800"}"#), Err(JsonError::LoneSurrogate { .. })));
        let error = Document::parse("{\"a\":}").expect_err("not JSON").to_string();
        assert!(error.contains("line 1 column 6"), "{error}");
    }

    #[test]
    fn whole_numbers_are_whole_however_they_are_written() {
        let document = parse("[512, 512.0, 0.5, 1e3, \"512\"]");
        let numbers: Vec<_> = document.root().items().map(Value::as_i64).collect();
        assert_eq!(numbers, [Some(512), Some(512), None, Some(1000), None]);
    }
}
