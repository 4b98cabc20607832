//! Other texts in the place of some stretches of a document, and its index after that.
//!
//! What was not replaced is not read again: its nodes move. Must not know: what is replaced, and why.

use super::{Document, JsonError, JsonType, MAX_BYTES, Node, Span, index, judge, short};
use std::sync::Arc;

/// Puts other texts in the place of some stretches, which must not overlap.
pub fn replaced(text: &str, mut replacements: Vec<(Span, String)>) -> String {
    in_order(&mut replacements);
    spliced(text, &replacements)
}

fn in_order(replacements: &mut [(Span, String)]) {
    replacements.sort_by_key(|(span, _)| span.start);
}

fn spliced(text: &str, replacements: &[(Span, String)]) -> String {
    let more: usize = replacements.iter().map(|(_, replacement)| replacement.len()).sum();
    let mut out = String::with_capacity(text.len() + more);
    let mut at = 0;
    for (span, replacement) in replacements {
        out.push_str(&text[at..span.start]);
        out.push_str(replacement);
        at = span.end;
    }
    out.push_str(&text[at..]);
    out
}

impl Document {
    /// The document with other texts in the place of some stretches, which must not overlap. A stretch, and what takes
    /// its place, is whole items or whole members with what joins them, or the white space around them; and no object
    /// gets a key twice by it. Fails on depth and on size.
    pub(crate) fn replacing(&self, mut replacements: Vec<(Span, String)>) -> Result<Self, JsonError> {
        in_order(&mut replacements);
        let text = spliced(&self.text, &replacements);
        if text.len() > MAX_BYTES {
            return Err(JsonError::TooLong);
        }
        debug_assert!(judge(&text).is_ok(), "pieces of JSON make JSON");
        let nodes = Vec::with_capacity(self.nodes.len() + 64);
        let moving = Moving { text: &text, nodes, open: Vec::new(), shift: 0 };
        let nodes = moving.over(&self.nodes, &replacements)?;
        debug_assert!(index::of(&text).is_ok_and(|read| read == nodes), "moved, the index is what reading would give");
        Ok(Self { text: text.into(), nodes: Arc::new(nodes) })
    }
}

/// The index of the new text, as far as it is made.
struct Moving<'a> {
    /// The new text.
    text: &'a str,
    nodes: Vec<Node>,
    /// Lists and objects that have not ended yet, the inner ones last.
    open: Vec<usize>,
    /// By how many bytes what follows moves to the right; none of them is longer than [`MAX_BYTES`].
    shift: i32,
}

/// By how many bytes a replacement moves what follows it.
fn shift_of((span, replacement): &(Span, String)) -> i32 {
    short(replacement.len()).cast_signed() - short(span.len()).cast_signed()
}

impl Moving<'_> {
    fn over(mut self, old: &[Node], replacements: &[(Span, String)]) -> Result<Vec<Node>, JsonError> {
        let mut old = old.iter().peekable();
        for (index, replacement) in replacements.iter().enumerate() {
            let (span, text) = replacement;
            while let Some(node) = old.next_if(|node| node.span().start < span.start) {
                self.keep(node, &replacements[index..]);
            }
            while old.next_if(|node| node.span().start < span.end).is_some() {}
            self.read(span.start, text.len())?;
            self.shift += shift_of(replacement);
        }
        old.for_each(|node| self.keep(node, &[]));
        self.close(u32::MAX);
        Ok(self.nodes)
    }

    /// Takes over a node of the old index, in which some of what is still to be replaced may lie.
    fn keep(&mut self, node: &Node, ahead: &[(Span, String)]) {
        let inside = ahead.iter().take_while(|(span, _)| span.start < node.end as usize);
        let start = node.start.wrapping_add_signed(self.shift);
        let end = node.end.wrapping_add_signed(self.shift + inside.map(shift_of).sum::<i32>());
        self.close(start);
        self.count(1);
        match node.json_type {
            JsonType::Array | JsonType::Object => {
                self.open.push(self.nodes.len());
                self.nodes.push(Node { start, end, nodes: 1, children: 0, ..*node });
            }
            JsonType::Null | JsonType::Boolean | JsonType::Number | JsonType::String => {
                self.nodes.push(Node { start, end, ..*node });
            }
        }
    }

    /// Reads what stands in the new text for a stretch of the old one.
    fn read(&mut self, old_start: usize, length: usize) -> Result<(), JsonError> {
        let start = short(old_start).wrapping_add_signed(self.shift);
        self.close(start);
        let holder = *self.open.last().expect("a stretch lies in a list or an object");
        let span = start as usize..start as usize + length;
        let nodes = index::inside(self.text, span, self.nodes[holder].json_type, self.open.len())?;
        self.count(nodes.children);
        self.nodes.extend(nodes.list);
        Ok(())
    }

    /// Counts nodes that stand directly in the innermost open list or object.
    fn count(&mut self, children: u32) {
        if let Some(holder) = self.open.last() {
            self.nodes[*holder].children += children;
        }
    }

    /// Closes what has ended before that place.
    fn close(&mut self, at: u32) {
        while let Some(ended) = self.open.pop_if(|open| self.nodes[*open].end <= at) {
            let nodes = short(self.nodes.len() - ended);
            let node = &mut self.nodes[ended];
            node.nodes = nodes;
            if node.json_type == JsonType::Object {
                node.children /= 2; // a member is two nodes
            }
        }
    }
}
