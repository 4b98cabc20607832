//! Update expressions.
//!
//! Knows: their grammar and what they make of an item. Must not know: who may change it.

use crate::world::answer::ServiceError;
use crate::world::dynamodb::attribute::{Attribute, Item};
use crate::world::dynamodb::token::{Given, Tokens};
use crate::world::dynamodb::validation;
use crate::world::input::Input;
use std::collections::BTreeSet;

/// What an attribute is set to.
#[derive(Debug, Clone)]
enum Source {
    Path(String),
    Value(Attribute),
    Default(String, Box<Self>),
    Sum(Box<Self>, Box<Self>),
    Difference(Box<Self>, Box<Self>),
    Joined(Box<Self>, Box<Self>),
}

/// What becomes of an attribute.
#[derive(Debug, Clone)]
enum Action {
    Set(Source),
    Add(Attribute),
    Delete(Attribute),
    Remove,
}

/// The actions of an expression, each on another attribute.
#[derive(Debug, Clone, Default)]
pub(crate) struct Update(Vec<(String, Action)>);

const SECTIONS: [&str; 4] = ["SET", "ADD", "DELETE", "REMOVE"];

impl Update {
    /// Reads a request's UpdateExpression; none changes nothing.
    pub(crate) fn read(input: &Input, given: &Given) -> Result<Self, ServiceError> {
        let Some(mut tokens) = Tokens::of(input, "UpdateExpression", given)? else { return Ok(Self::default()) };
        let mut update = Self::default();
        let mut seen = BTreeSet::new();
        while tokens.peek().is_some() {
            let section = SECTIONS.into_iter().find(|word| tokens.takes_word(word)).ok_or_else(|| tokens.syntax())?;
            if !seen.insert(section) {
                let why = format!("The \"{section}\" section can only be used once in an update expression;");
                return Err(tokens.invalid(why));
            }
            loop {
                let path = tokens.path()?;
                let action = action(&mut tokens, section)?;
                if update.0.iter().any(|(other, _)| *other == path) {
                    let why = "Two document paths overlap with each other; must remove or rewrite one of these paths; ";
                    return Err(tokens.invalid(format!("{why}path one: [{path}], path two: [{path}]")));
                }
                update.0.push((path, action));
                if !tokens.takes(",") {
                    break;
                }
            }
        }
        Ok(update)
    }

    /// The attributes that it changes.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(path, _)| &**path)
    }

    /// The item after it. All that is read is read of the item before.
    pub(crate) fn of(&self, before: &Item) -> Result<Item, ServiceError> {
        let mut after = before.clone();
        for (path, action) in &self.0 {
            let old = before.get(path);
            let new = match action {
                Action::Set(source) => Some(source.of(before)?),
                Action::Remove => None,
                Action::Add(more) => Some(sum(old, more)?),
                Action::Delete(less) => old.map(|old| rest(old, less)).transpose()?.flatten(),
            };
            match new {
                Some(new) => drop(after.insert(path.clone(), new)),
                None => drop(after.remove(path)),
            }
        }
        Ok(after)
    }
}

fn action(tokens: &mut Tokens<'_>, section: &str) -> Result<Action, ServiceError> {
    match section {
        "SET" => {
            tokens.expect("=")?;
            let one = source(tokens)?;
            Ok(Action::Set(if tokens.takes("+") {
                Source::Sum(Box::new(one), Box::new(source(tokens)?))
            } else if tokens.takes("-") {
                Source::Difference(Box::new(one), Box::new(source(tokens)?))
            } else {
                one
            }))
        }
        "REMOVE" => Ok(Action::Remove),
        _ => {
            let value = tokens.value()?.ok_or_else(|| tokens.syntax())?;
            let is_set = matches!(value, Attribute::Texts(_) | Attribute::Numbers(_) | Attribute::Binaries(_));
            let takes_number = section == "ADD";
            let is_number = matches!(value, Attribute::Number(_));
            if !(is_set || takes_number && is_number) {
                let why = "Incorrect operand type for operator or function; operator: ";
                return Err(tokens.invalid(format!("{why}{section}, operand type: {}", value.kind())));
            }
            Ok(if takes_number { Action::Add(value) } else { Action::Delete(value) })
        }
    }
}

fn source(tokens: &mut Tokens<'_>) -> Result<Source, ServiceError> {
    if let Some(value) = tokens.value()? {
        return Ok(Source::Value(value));
    }
    let source = match tokens.function().as_deref() {
        None => return tokens.path().map(Source::Path),
        Some("if_not_exists") => {
            let path = tokens.path()?;
            tokens.expect(",")?;
            Source::Default(path, Box::new(source(tokens)?))
        }
        Some("list_append") => {
            let one = source(tokens)?;
            tokens.expect(",")?;
            Source::Joined(Box::new(one), Box::new(source(tokens)?))
        }
        Some(name) => return Err(tokens.invalid(format!("Invalid function name; function: {name}"))),
    };
    tokens.expect(")")?;
    Ok(source)
}

fn wrong_type() -> ServiceError {
    validation("An operand in the update expression has an incorrect data type")
}

impl Source {
    fn of(&self, item: &Item) -> Result<Attribute, ServiceError> {
        match self {
            Self::Value(value) => Ok(value.clone()),
            Self::Path(path) => item.get(path).cloned().ok_or_else(|| {
                validation("The provided expression refers to an attribute that does not exist in the item")
            }),
            Self::Default(path, default) => item.get(path).map_or_else(|| default.of(item), |value| Ok(value.clone())),
            Self::Sum(one, two) | Self::Difference(one, two) => match (one.of(item)?, two.of(item)?) {
                (Attribute::Number(one), Attribute::Number(two)) => {
                    let two = if matches!(self, Self::Sum(..)) { two } else { two.negated() };
                    one.plus(two).map(Attribute::Number)
                }
                _ => Err(wrong_type()),
            },
            Self::Joined(one, two) => match (one.of(item)?, two.of(item)?) {
                (Attribute::List(one), Attribute::List(two)) => Ok(Attribute::List([one, two].concat())),
                _ => Err(wrong_type()),
            },
        }
    }
}

fn sum(old: Option<&Attribute>, more: &Attribute) -> Result<Attribute, ServiceError> {
    Ok(match (old, more) {
        (None, more) => more.clone(),
        (Some(Attribute::Number(one)), Attribute::Number(two)) => Attribute::Number(one.plus(*two)?),
        (Some(Attribute::Texts(one)), Attribute::Texts(two)) => Attribute::Texts(one | two),
        (Some(Attribute::Numbers(one)), Attribute::Numbers(two)) => Attribute::Numbers(one | two),
        (Some(Attribute::Binaries(one)), Attribute::Binaries(two)) => Attribute::Binaries(one | two),
        _ => return Err(wrong_type()),
    })
}

/// A set without some of its members; an empty one is none.
fn rest(old: &Attribute, less: &Attribute) -> Result<Option<Attribute>, ServiceError> {
    fn minus<T: Ord + Clone>(one: &BTreeSet<T>, two: &BTreeSet<T>) -> Option<BTreeSet<T>> {
        Some(one - two).filter(|rest| !rest.is_empty())
    }
    match (old, less) {
        (Attribute::Texts(one), Attribute::Texts(two)) => Ok(minus(one, two).map(Attribute::Texts)),
        (Attribute::Numbers(one), Attribute::Numbers(two)) => Ok(minus(one, two).map(Attribute::Numbers)),
        (Attribute::Binaries(one), Attribute::Binaries(two)) => Ok(minus(one, two).map(Attribute::Binaries)),
        _ => Err(wrong_type()),
    }
}
