//! Expressions cut into tokens, and what the names and values in them stand for.
//!
//! Knows: how AWS words what it cannot read, and that nothing may be given for nothing. Must not know: grammar.

use crate::world::answer::ServiceError;
use crate::world::dynamodb::attribute::{Attribute, Item, item};
use crate::world::dynamodb::{reserved, validation};
use crate::world::input::Input;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

/// A piece of an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Token {
    /// A name, a word or a function.
    Word(String),
    /// With its `#`.
    Name(String),
    /// With its `:`.
    Value(String),
    Sign(&'static str),
}

/// Longer ones first.
const SIGNS: [&str; 11] = ["<>", "<=", ">=", "=", "<", ">", "(", ")", ",", "+", "-"];

/// What a request says about the names and values in its expressions.
pub(crate) struct Given {
    names: BTreeMap<String, String>,
    values: Item,
    used: RefCell<BTreeSet<String>>,
}

impl Given {
    /// Reads a request. Without an expression there must be none.
    pub(crate) fn of(input: &Input, expressions: &[&str]) -> Result<Self, ServiceError> {
        let member = |name: &str| input.json().and_then(|root| root.get(name));
        let (names, values) = (member("ExpressionAttributeNames"), member("ExpressionAttributeValues"));
        for (what, given) in [("ExpressionAttributeNames", names), ("ExpressionAttributeValues", values)] {
            let Some(given) = given else { continue };
            if !expressions.iter().any(|expression| member(expression).is_some()) {
                let absent = expressions.join(" and ");
                return Err(validation(format!(
                    "{what} can only be specified when using expressions: {absent} is null"
                )));
            }
            if given.members().next().is_none() {
                return Err(validation(format!("{what} must not be empty")));
            }
        }
        let name = |(key, value): (std::borrow::Cow<'_, str>, ecs_sidecar_core::json::Value<'_>)| {
            Some((key.into_owned(), value.as_str()?.into_owned()))
        };
        Ok(Self {
            names: names.into_iter().flat_map(|names| names.members()).filter_map(name).collect(),
            values: values.map(item).transpose()?.unwrap_or_default(),
            used: RefCell::default(),
        })
    }

    fn name(&self, key: &str) -> Option<String> {
        self.used.borrow_mut().insert(key.to_owned());
        self.names.get(key).cloned()
    }

    fn value(&self, key: &str) -> Option<Attribute> {
        self.used.borrow_mut().insert(key.to_owned());
        self.values.get(key).cloned()
    }

    /// Refuses what no expression used.
    pub(crate) fn all_used(&self) -> Result<(), ServiceError> {
        let used = self.used.borrow();
        let unused = |keys: Vec<&String>, what: &str| match keys.iter().find(|key| !used.contains(**key)) {
            Some(key) => Err(validation(format!("Value provided in {what} unused in expressions: keys: {{{key}}}"))),
            None => Ok(()),
        };
        unused(self.names.keys().collect(), "ExpressionAttributeNames")?;
        unused(self.values.keys().collect(), "ExpressionAttributeValues")
    }
}

/// The tokens of an expression, read one after the other.
pub(crate) struct Tokens<'a> {
    /// `ConditionExpression` for example.
    what: &'static str,
    all: Vec<Token>,
    at: usize,
    given: &'a Given,
}

impl<'a> Tokens<'a> {
    /// Cuts a request's expression of that name, if it has one.
    pub(crate) fn of(input: &Input, what: &'static str, given: &'a Given) -> Result<Option<Self>, ServiceError> {
        let Some(text) = input.text(what) else { return Ok(None) };
        if text.trim().is_empty() {
            return Err(validation(format!("Invalid {what}: The expression can not be empty;")));
        }
        Ok(Some(Self { what, all: cut(&text, what)?, at: 0, given }))
    }

    pub(crate) fn invalid(&self, why: impl AsRef<str>) -> ServiceError {
        validation(format!("Invalid {}: {}", self.what, why.as_ref()))
    }

    /// What stands here cannot stand here.
    pub(crate) fn syntax(&self) -> ServiceError {
        let text = |at: usize| self.all.get(at).map_or("<EOF>", Token::text);
        let near: Vec<&str> = (self.at.saturating_sub(1)..(self.at + 2).min(self.all.len())).map(text).collect();
        self.invalid(format!("Syntax error; token: \"{}\", near: \"{}\"", text(self.at), near.join(" ")))
    }

    pub(crate) fn peek(&self) -> Option<&Token> {
        self.all.get(self.at)
    }

    pub(crate) fn at(&self) -> usize {
        self.at
    }

    pub(crate) fn sign_at(&self, at: usize) -> Option<&'static str> {
        match self.all.get(at) {
            Some(Token::Sign(sign)) => Some(sign),
            Some(Token::Word(_) | Token::Name(_) | Token::Value(_)) | None => None,
        }
    }

    /// Goes past a sign if it is there.
    pub(crate) fn takes(&mut self, sign: &str) -> bool {
        let is_there = self.sign_at(self.at) == Some(sign);
        self.at += usize::from(is_there);
        is_there
    }

    /// Goes past a sign that must be there.
    pub(crate) fn expect(&mut self, sign: &str) -> Result<(), ServiceError> {
        if self.takes(sign) { Ok(()) } else { Err(self.syntax()) }
    }

    /// Goes past a word of the language if it is there, however it is written.
    pub(crate) fn takes_word(&mut self, word: &str) -> bool {
        let is_there = matches!(self.peek(), Some(Token::Word(text)) if text.eq_ignore_ascii_case(word));
        self.at += usize::from(is_there);
        is_there
    }

    /// The function whose parenthesis opens here, gone past both.
    pub(crate) fn function(&mut self) -> Option<String> {
        let name = match self.peek() {
            Some(Token::Word(name)) if self.sign_at(self.at + 1) == Some("(") => name.clone(),
            _ => return None,
        };
        self.at += 2;
        Some(name)
    }

    /// The attribute that is named here.
    pub(crate) fn path(&mut self) -> Result<String, ServiceError> {
        let name = match self.peek() {
            Some(Token::Word(word)) if reserved::is(word) => {
                let why = format!("Attribute name is a reserved keyword; reserved keyword: {word}");
                return Err(self.invalid(why));
            }
            Some(Token::Word(word)) => word.clone(),
            Some(Token::Name(key)) => self.given.name(key).ok_or_else(|| {
                let why = "An expression attribute name used in the document path is not defined; attribute name: ";
                self.invalid(format!("{why}{key}"))
            })?,
            Some(Token::Value(_) | Token::Sign(_)) | None => return Err(self.syntax()),
        };
        self.at += 1;
        Ok(name)
    }

    /// The value whose placeholder stands here, if one does.
    pub(crate) fn value(&mut self) -> Result<Option<Attribute>, ServiceError> {
        let Some(Token::Value(key)) = self.peek() else { return Ok(None) };
        let value = self.given.value(key).ok_or_else(|| {
            let why = "An expression attribute value used in expression is not defined; attribute value: ";
            self.invalid(format!("{why}{key}"))
        })?;
        self.at += 1;
        Ok(Some(value))
    }

    /// Refuses what is left over.
    pub(crate) fn end(&self) -> Result<(), ServiceError> {
        if self.at == self.all.len() { Ok(()) } else { Err(self.syntax()) }
    }
}

impl Token {
    fn text(&self) -> &str {
        match self {
            Self::Word(text) | Self::Name(text) | Self::Value(text) => text,
            Self::Sign(sign) => sign,
        }
    }
}

fn cut(text: &str, what: &str) -> Result<Vec<Token>, ServiceError> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = if matches!(first, '#' | ':' | '_') || first.is_ascii_alphabetic() {
            let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
            rest[1..].find(|c| !is_part(c)).map_or(rest.len(), |length| length + 1)
        } else {
            SIGNS.iter().find(|sign| rest.starts_with(**sign)).map_or(0, |sign| sign.len())
        };
        let word = &rest[..length];
        tokens.push(match (first, SIGNS.iter().find(|sign| **sign == word)) {
            (_, Some(sign)) => Token::Sign(sign),
            // Also paths into documents: this fake does not read them.
            _ if length == 0 || word == "#" || word == ":" => {
                return Err(validation(format!(
                    "Invalid {what}: Syntax error; token: \"{first}\", near: \"{}\"",
                    rest.chars().take(10).collect::<String>()
                )));
            }
            ('#', None) => Token::Name(word.to_owned()),
            (':', None) => Token::Value(word.to_owned()),
            _ => Token::Word(word.to_owned()),
        });
        rest = rest[length..].trim_start();
    }
    Ok(tokens)
}
