//! Judges JSON types, required members, fixed sets of values and ranges by the table in `model.rs`.
//!
//! Knows: the walk. Must not know: any member of ECS. What the table does not name is never a finding: a future ECS
//! may have it.

use super::Rule;
use super::place::{Findings, Place, Step, is_absent};
use crate::json::{JsonType, Value};

/// What a member has to be.
pub enum Shape {
    /// A string.
    Text,
    /// One of these strings.
    Choice(&'static [&'static str]),
    /// One of these strings, or one that begins so: ECS adds to these every year.
    Prefix(&'static [&'static str], &'static str),
    /// A whole number from, to.
    Whole(i64, i64),
    /// A boolean.
    Flag,
    /// An object with keys of the user's choice and strings for values.
    Map,
    /// An array; its items are known by their place in it.
    List(&'static Shape),
    /// An array; its items are known by their `name`.
    Named(&'static Shape),
    /// An object with these members.
    Object(&'static [Field]),
}

/// A member of an object.
pub struct Field {
    /// Its name, as the API has it.
    pub name: &'static str,
    /// What it has to be.
    pub shape: Shape,
    /// Whether it has to be there.
    pub required: bool,
}

/// The shape of a whole number for which no range is documented: the model's integers have 32 bits.
pub(super) const WHOLE: Shape = Shape::Whole(i32::MIN as i64, i32::MAX as i64);

/// Judges an object by its fields.
pub(super) fn check(object: Value<'_>, fields: &[Field], place: Option<&Place<'_>>, findings: &mut Findings) {
    let mut present: u64 = 0;
    for (name, value) in object.members() {
        let Some(index) = fields.iter().position(|field| field.name == name) else {
            continue;
        };
        // An empty object is walked: if it has required members, ECS misses them.
        if value.json_type() != JsonType::Object && is_absent(value) {
            continue;
        }
        present |= 1 << index;
        let at = place.map_or(Place::member(&name), |place| place.then(&name));
        check_value(value, &fields[index].shape, &at, findings);
    }
    for (index, field) in fields.iter().enumerate() {
        if field.required && present & (1 << index) == 0 {
            let at = place.map_or(Place::member(field.name), |place| place.then(field.name));
            findings.add(Rule::MissingMember, &at, format!("{} is required", field.name));
        }
    }
}

fn check_value(value: Value<'_>, shape: &Shape, place: &Place<'_>, findings: &mut Findings) {
    let found = value.json_type();
    if found == JsonType::Null {
        return; // an item of a list
    }
    let wanted = json_type(shape);
    if found != wanted {
        let message = format!("this is {}, but must be {}", found.label(), wanted.label());
        return findings.add(Rule::WrongType, place, message);
    }
    match shape {
        Shape::Text | Shape::Flag => {}
        Shape::Choice(values) => check_choice(value, values, None, place, findings),
        Shape::Prefix(values, prefix) => check_choice(value, values, Some(prefix), place, findings),
        Shape::Whole(least, most) => check_whole(value, *least, *most, place, findings),
        Shape::Map => {
            for (key, item) in value.members() {
                check_value(item, &Shape::Text, &place.then(&key), findings);
            }
        }
        Shape::List(shape) => {
            for (index, item) in value.items().enumerate() {
                check_value(item, shape, &place.item(index), findings);
            }
        }
        Shape::Named(shape) => {
            for (index, item) in value.items().enumerate() {
                check_value(item, shape, &place.step(Step::Listed(item, index)), findings);
            }
        }
        Shape::Object(fields) => check(value, fields, Some(place), findings),
    }
}

/// The JSON type that a shape has.
pub(crate) fn json_type(shape: &Shape) -> JsonType {
    match shape {
        Shape::Text | Shape::Choice(_) | Shape::Prefix(..) => JsonType::String,
        Shape::Whole(..) => JsonType::Number,
        Shape::Flag => JsonType::Boolean,
        Shape::Map | Shape::Object(_) => JsonType::Object,
        Shape::List(_) | Shape::Named(_) => JsonType::Array,
    }
}

fn check_choice(value: Value<'_>, values: &[&str], prefix: Option<&str>, place: &Place<'_>, findings: &mut Findings) {
    let Some(text) = value.as_str() else {
        return;
    };
    if text.is_empty() || values.contains(&&*text) || prefix.is_some_and(|prefix| text.starts_with(prefix)) {
        return;
    }
    let wanted = values.join(", ") + &prefix.map(|prefix| format!(", {prefix}*")).unwrap_or_default();
    findings.add(Rule::InvalidValue, place, format!("{text:?} is none of {wanted}"));
}

fn check_whole(value: Value<'_>, least: i64, most: i64, place: &Place<'_>, findings: &mut Findings) {
    match value.as_i64() {
        None => findings.add(Rule::WrongType, place, format!("{} is no whole number of 32 bits", value.raw())),
        Some(number) if !(least..=most).contains(&number) => {
            findings.add(Rule::OutOfRange, place, format!("{number} is not between {least} and {most}"));
        }
        Some(_) => {}
    }
}
