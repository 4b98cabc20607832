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
        let mut at = 0;
        for (index, replacement) in replacements.iter().enumerate() {
            let (span, text) = replacement;
            while let Some(node) = old.get(at).filter(|node| node.span().start < span.start) {
                let all = node.nodes as usize;
                if span.start < node.span().end {
                    self.enter(*node, &replacements[index..]);
                    at += 1;
                } else {
                    self.take(&old[at..at + all]);
                    at += all;
                }
            }
            while let Some(node) = old.get(at).filter(|node| node.span().start < span.end) {
                at += node.nodes as usize;
            }
            self.read(span.start, text.len())?;
            self.shift += shift_of(replacement);
        }
        while let Some(node) = old.get(at) {
            let all = node.nodes as usize;
            self.take(&old[at..at + all]);
            at += all;
        }
        self.close(u32::MAX);
        Ok(self.nodes)
    }

    /// Takes over a value, or a key, in which nothing is replaced.
    fn take(&mut self, old: &[Node]) {
        let shift = self.shift;
        let moved = |at: u32| at.wrapping_add_signed(shift);
        self.close(moved(old[0].start));
        self.count(1);
        self.nodes.extend(old.iter().map(|node| Node { start: moved(node.start), end: moved(node.end), ..*node }));
    }

    /// Begins a list or an object in which some of what is still to be replaced lies.
    fn enter(&mut self, node: Node, ahead: &[(Span, String)]) {
        let inside = ahead.iter().take_while(|(span, _)| span.start < node.end as usize);
        let start = node.start.wrapping_add_signed(self.shift);
        let end = node.end.wrapping_add_signed(self.shift + inside.map(shift_of).sum::<i32>());
        self.close(start);
        self.count(1);
        self.open.push(self.nodes.len());
        self.nodes.push(Node { start, end, children: 0, ..node });
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The document after the replacements, if its index is that of its text.
    fn changed(text: &str, replacements: &[(Span, &str)]) -> String {
        let document = Document::parse(text).expect("JSON");
        let replacements = replacements.iter().map(|(span, text)| (span.clone(), (*text).to_owned())).collect();
        let changed = document.replacing(replacements).expect("JSON");
        assert!(Document::parse(changed.text()).expect("JSON").nodes == changed.nodes, "{}", changed.text());
        changed.text().to_owned()
    }

    #[test]
    fn what_is_put_in_taken_out_and_moved_has_its_index() {
        let text = r#"{"a":[1,{"b":null,"c":2},[]],"d":{},"e":"é"}"#;
        let at = |part: &str| text.find(part).expect("a part");
        let span = |part: &str| at(part)..at(part) + part.len();
        let expected = r#"{"a":[{"c":2},[3,{"x":[4]}]],"d":{"y":"\n"},"e":"é"}"#;
        let (list, object) = (at("[]") + 1, at("{}") + 1);
        // In no order, and two of them in one list.
        let replacements = [
            (object..object, r#""y":"\n""#),
            (span("1,"), ""),
            (list..list, r#"3,{"x":[4]}"#),
            (span(r#""b":null,"#), ""),
        ];
        assert_eq!(changed(text, &replacements), expected);
    }

    #[test]
    fn white_space_alone_and_the_last_of_a_list_can_go() {
        assert_eq!(changed(r#"{"l":[ ],"m":[1 , 2]}"#, &[(6..7, ""), (15..19, "")]), r#"{"l":[],"m":[1]}"#);
    }

    #[test]
    fn depth_is_counted_from_the_outermost_value() {
        let outer = "[".repeat(60) + &"]".repeat(60);
        let document = Document::parse(outer.as_str()).expect("not too deep");
        let put_in = |depth: usize| document.replacing(vec![(60..60, "[".repeat(depth) + &"]".repeat(depth))]);
        assert!(put_in(41).is_ok());
        assert!(matches!(put_in(42), Err(JsonError::TooDeep { line: 1, column: 102 })));
    }
}
