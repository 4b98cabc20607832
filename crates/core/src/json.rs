//! JSON that remembers the bytes it came from.
//!
//! Knows: JSON text, and where in it each value stands. Must not know: what a task definition is.
//!
//! A [`Document`] keeps the text as it was read and an index of spans over it, so that whatever nobody edits is
//! written back as the very bytes that came: numbers such as `1.50` or of thirty digits, escapes, key order and
//! white space. `serde_json` judges whether the text is JSON at all; the index is then built in one pass.

mod index;

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
    root: Arc<Node>,
}

/// A stretch of the text: byte offsets, the end excluded.
pub(crate) type Span = std::ops::Range<usize>;

#[derive(Clone)]
pub(crate) struct Node {
    pub(crate) span: Span,
    pub(crate) kind: Kind,
}

#[derive(Clone)]
pub(crate) enum Kind {
    Null,
    Bool,
    Number,
    String,
    Array(Vec<Node>),
    Object(Vec<Member>),
}

#[derive(Clone)]
pub(crate) struct Member {
    /// The key with its quotes.
    pub(crate) key: Span,
    pub(crate) value: Node,
}

impl Member {
    /// Where key and value stand together.
    pub(crate) fn span(&self) -> Span {
        self.key.start..self.value.span.end
    }
}

impl Document {
    /// Reads a text. Fails on what is not JSON, on a duplicate key, on depth and on size.
    pub fn parse(text: impl Into<Arc<str>>) -> Result<Self, JsonError> {
        let text: Arc<str> = text.into();
        if text.len() > MAX_BYTES {
            return Err(JsonError::TooLong);
        }
        serde_json::from_str::<serde::de::IgnoredAny>(&text)
            .map_err(|error| JsonError::Syntax { message: error.to_string() })?;
        let root = Arc::new(index::of(&text)?);
        Ok(Self { text, root })
    }

    /// The text, byte for byte.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The outermost value.
    pub fn root(&self) -> Value<'_> {
        Value { text: &self.text, node: &self.root }
    }
}

/// The length only: a definition's environment is nobody's business but its owner's.
impl std::fmt::Debug for Document {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Document({} bytes)", self.text.len())
    }
}

/// A value inside a [`Document`].
#[derive(Clone, Copy)]
pub struct Value<'a> {
    text: &'a str,
    pub(crate) node: &'a Node,
}

/// The length only, as for [`Document`].
impl std::fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Value({} bytes)", self.node.span.len())
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
    /// The bytes of the value as they were read.
    pub fn raw(self) -> &'a str {
        &self.text[self.node.span.clone()]
    }

    /// Where the value stands in the text, in bytes.
    pub fn span(self) -> std::ops::Range<usize> {
        self.node.span.clone()
    }

    /// What kind of value it is.
    pub fn json_type(self) -> JsonType {
        match self.node.kind {
            Kind::Null => JsonType::Null,
            Kind::Bool => JsonType::Boolean,
            Kind::Number => JsonType::Number,
            Kind::String => JsonType::String,
            Kind::Array(_) => JsonType::Array,
            Kind::Object(_) => JsonType::Object,
        }
    }

    /// Whether it is `null`, which in AWS's JSON is the same as absent.
    pub fn is_null(self) -> bool {
        matches!(self.node.kind, Kind::Null)
    }

    /// The member of that name, if this is an object that has it and it is not `null`.
    pub fn get(self, key: &str) -> Option<Self> {
        self.members().find(|(name, value)| name == key && !value.is_null()).map(|(_, value)| value)
    }

    /// The members of an object in their order; nothing for another kind of value.
    pub fn members(self) -> impl Iterator<Item = (Cow<'a, str>, Self)> {
        let members = match &self.node.kind {
            Kind::Object(members) => members.as_slice(),
            Kind::Null | Kind::Bool | Kind::Number | Kind::String | Kind::Array(_) => &[],
        };
        members.iter().map(move |member| {
            (unescape(&self.text[member.key.clone()]), Value { text: self.text, node: &member.value })
        })
    }

    /// The items of an array in their order; nothing for another kind of value.
    pub fn items(self) -> impl ExactSizeIterator<Item = Self> {
        let items = match &self.node.kind {
            Kind::Array(items) => items.as_slice(),
            Kind::Null | Kind::Bool | Kind::Number | Kind::String | Kind::Object(_) => &[],
        };
        items.iter().map(move |node| Value { text: self.text, node })
    }

    /// Another node of the same text.
    pub(crate) fn at(self, node: &'a Node) -> Self {
        Value { text: self.text, node }
    }

    /// The n-th item or the value of the n-th member.
    pub(crate) fn child(self, index: usize) -> Option<Self> {
        match &self.node.kind {
            Kind::Array(items) => items.get(index).map(|node| self.at(node)),
            Kind::Object(members) => members.get(index).map(|member| self.at(&member.value)),
            Kind::Null | Kind::Bool | Kind::Number | Kind::String => None,
        }
    }

    /// The string, unescaped, if it is one.
    pub fn as_str(self) -> Option<Cow<'a, str>> {
        matches!(self.node.kind, Kind::String).then(|| unescape(self.raw()))
    }

    /// The whole number, if it is one; `512.0` is.
    pub fn as_i64(self) -> Option<i64> {
        if !matches!(self.node.kind, Kind::Number) {
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
        matches!(self.node.kind, Kind::Bool).then(|| self.raw() == "true")
    }
}

/// The text of a JSON string without its quotes and escapes. The span was checked when it was indexed.
fn unescape(quoted: &str) -> Cow<'_, str> {
    let inner = &quoted[1..quoted.len() - 1];
    if inner.contains('\\') {
        Cow::Owned(serde_json::from_str(quoted).expect("a string that was checked when it was indexed"))
    } else {
        Cow::Borrowed(inner)
    }
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
