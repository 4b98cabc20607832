//! Makes edits in the text of a document, and nothing else in it.
//!
//! Knows: spans and white space. An addition takes the layout of its neighbours; a removal takes away exactly the
//! bytes that such an addition brings, so the two are inverse to the byte. Must not know: task definitions.

use crate::edit::{Edit, PatchOperation, Path, Place};
pub use crate::json::replaced;
use crate::json::{Document, JsonError, JsonType, Span, Value, quote};
use memchr::{memchr, memrchr};

/// Why an edit cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// The document has no such place.
    #[error("there is no place {path} in this document")]
    NoSuchPlace {
        /// The path as it is displayed.
        path: String,
    },
    /// A value to be written is not JSON.
    #[error("the value for {path} cannot be written")]
    Value {
        /// The path as it is displayed.
        path: String,
        /// What is wrong with it.
        #[source]
        source: JsonError,
    },
}

/// Makes the edits one after the other and answers with the new document.
pub fn apply(document: &Document, edits: &[Edit]) -> Result<Document, EditError> {
    edits.iter().try_fold(document.clone(), |document, edit| {
        change(&document, &edit.path, edit.after.as_deref()).map(|(document, _)| document)
    })
}

/// The same edits as a JSON Patch to this document: operations that apply one after the other.
pub fn patch(document: &Document, edits: &[Edit]) -> Result<Vec<PatchOperation>, EditError> {
    let mut document = document.clone();
    let mut operations = Vec::new();
    for edit in edits {
        let (changed, operation) = change(&document, &edit.path, edit.after.as_deref())?;
        document = changed;
        operations.extend(operation);
    }
    Ok(operations)
}

/// Sets a place to a value, or with `None` removes it; a list that is missing is made. Removing what is not there
/// changes nothing and needs no operation.
pub(crate) fn change(
    document: &Document,
    path: &Path,
    after: Option<&str>,
) -> Result<(Document, Option<PatchOperation>), EditError> {
    let missing = || EditError::NoSuchPlace { path: path.to_string() };
    let layout = Layout::of(document);
    let place = path.place(document.root()).ok_or_else(missing)?;
    let (splice, operation) = match (place, after) {
        (Place::Here { parent, index, pointer }, Some(value)) => {
            let splice = layout.replace(parent, index, value).map_err(|source| bad_value(path, source))?;
            (splice, operation("replace", pointer, Some(value)))
        }
        (Place::Here { parent, index, pointer }, None) => {
            (cut(document.text(), parent, index), operation("remove", pointer, None))
        }
        (Place::NotHere { .. }, None) => return Ok((document.clone(), None)),
        (Place::NotHere { parent, key, pointer }, Some(value)) => {
            let splice = layout.append(parent, key.as_deref(), value).map_err(|source| bad_value(path, source))?;
            (splice, operation("add", pointer, Some(value)))
        }
        (Place::NoList { .. }, None) => return Ok((document.clone(), None)),
        (Place::NoList { parent, key, pointer }, Some(item)) => {
            let list = format!("[{item}]");
            let splice = layout.append(parent, Some(&key), &list).map_err(|source| bad_value(path, source))?;
            (splice, operation("add", pointer, Some(&list)))
        }
    };
    let document = document.replacing(vec![splice]).map_err(|source| bad_value(path, source))?;
    Ok((document, Some(operation)))
}

fn bad_value(path: &Path, source: JsonError) -> EditError {
    EditError::Value { path: path.to_string(), source }
}

fn operation(op: &'static str, path: String, value: Option<&str>) -> PatchOperation {
    let value = value.map(|text| {
        serde_json::value::RawValue::from_string(text.to_owned()).expect("the value was rendered, so it is JSON")
    });
    PatchOperation { op, path, value }
}

/// A stretch of text, and what comes in its place.
type Splice = (Span, String);

/// Where each child stands: a member with its key.
pub(crate) fn children(parent: Value<'_>) -> Vec<Span> {
    let items = parent.items().map(Value::span);
    items.chain(parent.entries().map(|(key, value)| key.span().start..value.span().end)).collect()
}

/// Takes out a child with the comma that joins it to its neighbour, or with the white space around an only child; but
/// blanks behind an only child that itself has none before it were there when the list was still empty.
fn cut(text: &str, parent: Value<'_>, index: usize) -> Splice {
    let children = children(parent);
    let inside = parent.span().start + 1..parent.span().end - 1;
    let span = if index > 0 {
        children[index - 1].end..children[index].end
    } else if children.len() > 1 {
        children[0].start..children[1].start
    } else if children[0].start == inside.start && !text[children[0].end..inside.end].is_empty() {
        children[0].clone()
    } else {
        inside
    };
    (span, String::new())
}

/// How the document is laid out.
struct Layout<'a> {
    text: &'a str,
    /// One level of indentation; `None` where the document is written on one line.
    unit: Option<&'a str>,
    /// What stands between a key and its value: `:` or `: `.
    colon: &'a str,
}

impl<'a> Layout<'a> {
    fn of(document: &'a Document) -> Self {
        let text = document.text();
        let root = document.root();
        let first = root.entries().next().map(|(key, value)| (key.span(), value.span()));
        let lines = memchr(b'\n', root.raw().as_bytes()).is_some();
        let indent = first.as_ref().map_or("", |(key, _)| indent_of_line(text, key.start));
        let unit = indent.strip_prefix(indent_of_line(text, root.span().start)).filter(|unit| !unit.is_empty());
        let colon = first.map_or(":", |(key, value)| &text[key.end..value.start]);
        let colon = if lines || colon == ": " { ": " } else { ":" };
        Self { text, unit: lines.then_some(unit.unwrap_or("  ")), colon }
    }

    fn indent_at(&self, at: usize) -> &'a str {
        indent_of_line(self.text, at)
    }

    /// A value as it is to be written at that indentation.
    fn render(&self, value: &str, indent: &str) -> Result<String, JsonError> {
        let document = Document::parse(value)?;
        Ok(match self.unit {
            Some(unit) => {
                let mut out = String::new();
                pretty(document.root(), indent, unit, &mut out);
                out
            }
            None => value.to_owned(),
        })
    }

    /// Puts another value in the place of a child's.
    fn replace(&self, parent: Value<'_>, index: usize, value: &str) -> Result<Splice, JsonError> {
        let child = children(parent)[index].clone();
        let start = parent.child(index).map_or(child.start, |value| value.span().start);
        let value = self.render(value, self.indent_at(start))?;
        let key = &self.text[child.start..start]; // with its colon
        Ok((child, format!("{key}{value}")))
    }

    /// Adds a child behind the last one of a list, or of an object if there is a key.
    fn append(&self, parent: Value<'_>, key: Option<&str>, value: &str) -> Result<Splice, JsonError> {
        let child = |indent: &str| -> Result<String, JsonError> {
            let value = self.render(value, indent)?;
            Ok(match key {
                Some(key) => format!("{}{}{value}", quote(key), self.colon),
                None => value,
            })
        };
        let children = children(parent);
        let (Some(first), Some(last)) = (children.first(), children.last()) else {
            let inside = parent.span().start + 1..parent.span().end - 1;
            if !inside.is_empty() {
                let text = child(self.indent_at(parent.span().start))?;
                return Ok((inside.start..inside.start, text));
            }
            let outer = self.indent_at(parent.span().start);
            let text = match self.unit {
                Some(unit) => {
                    let inner = format!("{outer}{unit}");
                    format!("\n{inner}{}\n{outer}", child(&inner)?)
                }
                None => child("")?,
            };
            return Ok((inside, text));
        };
        let lead = &self.text[parent.span().start + 1..first.start];
        let joint = match children.len() {
            _ if lead.contains('\n') => format!(",{lead}"),
            1 if self.colon == ": " => ", ".to_owned(),
            1 => ",".to_owned(),
            count => self.text[children[count - 2].end..last.start].to_owned(),
        };
        let child = child(self.indent_at(last.start))?;
        Ok((last.end..last.end, joint + &child))
    }
}

fn indent_of_line(text: &str, at: usize) -> &str {
    // Most definitions are one long line.
    let start = memrchr(b'\n', &text.as_bytes()[..at]).map_or(0, |newline| newline + 1);
    let line = &text[start..];
    &line[..line.len() - line.trim_start_matches([' ', '\t']).len()]
}

/// A value over several lines, two blanks a level. Scalars stay the bytes they are.
pub fn indented(value: Value<'_>) -> String {
    let mut out = String::new();
    pretty(value, "", "  ", &mut out);
    out
}

/// Writes a value over several lines. Scalars stay the bytes they are.
fn pretty(value: Value<'_>, indent: &str, unit: &str, out: &mut String) {
    let inner = format!("{indent}{unit}");
    let (open, close) = match value.json_type() {
        JsonType::Object => ('{', '}'),
        JsonType::Array => ('[', ']'),
        JsonType::Null | JsonType::Boolean | JsonType::Number | JsonType::String => return out.push_str(value.raw()),
    };
    out.push(open);
    let members = value.members().map(|(key, member)| (Some(key), member));
    let items = value.items().map(|item| (None, item));
    for (index, (key, child)) in members.chain(items).enumerate() {
        out.push_str(if index == 0 { "\n" } else { ",\n" });
        out.push_str(&inner);
        if let Some(key) = key {
            out.push_str(&quote(&key));
            out.push_str(": ");
        }
        pretty(child, &inner, unit, out);
    }
    if value.len() > 0 {
        out.push('\n');
        out.push_str(indent);
    }
    out.push(close);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit(path: &str, after: Option<&str>) -> Edit {
        let path = Path::parse(path).expect("a path");
        Edit { path, before: None, after: after.map(str::to_owned), reason: String::new() }
    }

    /// What comes of one edit, and of taking it back.
    fn there_and_back(text: &str, path: &str, value: &str) -> (String, String) {
        let document = Document::parse(text).expect("JSON");
        let there = apply(&document, &[edit(path, Some(value))]).expect("applies");
        let back = apply(&there, &[edit(path, None)]).expect("applies");
        (there.text().to_owned(), back.text().to_owned())
    }

    #[test]
    fn an_addition_takes_the_layout_of_its_neighbours_and_goes_without_a_trace() {
        for (text, expected) in [
            (r#"{"l":[{"name":"a"}]}"#, r#"{"l":[{"name":"a"},{"name":"b","x":[1]}]}"#),
            (r#"{"l": [{"name": "a"}]}"#, r#"{"l": [{"name": "a"}, {"name":"b","x":[1]}]}"#),
            (
                "{\n  \"l\": [\n    {\n      \"name\": \"a\"\n    }\n  ]\n}\n",
                "{\n  \"l\": [\n    {\n      \"name\": \"a\"\n    },\n    {\n      \"name\": \"b\",\n      \"x\": [\n        1\n      ]\n    }\n  ]\n}\n",
            ),
            (
                "{\n\t\"l\": [{\n\t\t\"name\": \"a\"\n\t}]\n}",
                "{\n\t\"l\": [{\n\t\t\"name\": \"a\"\n\t}, {\n\t\t\"name\": \"b\",\n\t\t\"x\": [\n\t\t\t1\n\t\t]\n\t}]\n}",
            ),
        ] {
            let (there, back) = there_and_back(text, "l[b]", r#"{"name":"b","x":[1]}"#);
            assert_eq!(there, expected);
            assert_eq!(back, text);
        }
    }

    #[test]
    fn blanks_in_an_empty_list_are_there_again_when_it_is_empty_again() {
        for text in [r#"{"l":[]}"#, r#"{"l":[ ]}"#, "{\n  \"l\": []\n}", "{\n  \"l\": [ ]\n}", "{\n  \"l\": [\n  ]\n}"]
        {
            let (there, back) = there_and_back(text, "l[b]", r#"{"name":"b"}"#);
            assert!(Document::parse(there).is_ok());
            assert_eq!(back, text);
        }
    }

    #[test]
    fn a_missing_list_is_made_and_a_scalar_replaced() {
        let document = Document::parse(r#"{"l":[{"name":"a","n":1.50}],"cpu":"256"}"#).expect("JSON");
        let edits =
            [edit("l[a].links[x]", Some("\"x\"")), edit("l[a].links[y]", Some("\"y\"")), edit("cpu", Some("\"512\""))];
        let changed = apply(&document, &edits).expect("applies");
        assert_eq!(changed.text(), r#"{"l":[{"name":"a","n":1.50,"links":["x","y"]}],"cpu":"512"}"#);
        let operations = serde_json::to_string(&patch(&document, &edits).expect("applies")).expect("serializes");
        assert_eq!(
            operations,
            r#"[{"op":"add","path":"/l/0/links","value":["x"]},{"op":"add","path":"/l/0/links/-","value":"y"},{"op":"replace","path":"/cpu","value":"512"}]"#
        );
    }

    #[test]
    fn a_place_that_is_not_there_is_an_error_to_set_and_nothing_to_remove() {
        let document = Document::parse(r#"{"l":[]}"#).expect("JSON");
        assert!(apply(&document, &[edit("l[a].cpu", Some("1"))]).is_err());
        assert_eq!(apply(&document, &[edit("cpu", None)]).expect("applies").text(), document.text());
    }
}
