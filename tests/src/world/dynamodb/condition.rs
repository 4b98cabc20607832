//! Conditions, filters and key conditions.
//!
//! Knows: their grammar and when they hold. Must not know: what depends on it.

use crate::world::answer::ServiceError;
use crate::world::dynamodb::attribute::{Attribute, Item};
use crate::world::dynamodb::number::Number;
use crate::world::dynamodb::token::{Given, Token, Tokens};
use crate::world::input::Input;
use std::cmp::Ordering;

/// What is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Operand {
    Path(String),
    Value(Attribute),
    Size(String),
}

/// How it is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// What has to hold.
#[derive(Debug, Clone)]
pub(crate) enum Condition {
    And(Box<Self>, Box<Self>),
    Or(Box<Self>, Box<Self>),
    Not(Box<Self>),
    Compare(Operand, Comparison, Operand),
    Between(Operand, Operand, Operand),
    In(Operand, Vec<Operand>),
    Exists(String),
    NotExists(String),
    BeginsWith(Operand, Operand),
    Contains(Operand, Operand),
    HasType(String, Operand),
}

impl Comparison {
    fn of(sign: &str) -> Option<Self> {
        Some(match sign {
            "=" => Self::Equal,
            "<>" => Self::Unequal,
            "<" => Self::Less,
            "<=" => Self::LessOrEqual,
            ">" => Self::Greater,
            ">=" => Self::GreaterOrEqual,
            _ => return None,
        })
    }

    fn holds(self, one: Option<&Attribute>, two: Option<&Attribute>) -> bool {
        let order = || one.zip(two).and_then(|(one, two)| one.compare(two));
        match self {
            Self::Equal => one.is_some() && one == two,
            Self::Unequal => one != two,
            Self::Less => order() == Some(Ordering::Less),
            Self::LessOrEqual => order().is_some_and(Ordering::is_le),
            Self::Greater => order() == Some(Ordering::Greater),
            Self::GreaterOrEqual => order().is_some_and(Ordering::is_ge),
        }
    }
}

impl Operand {
    fn of(&self, item: &Item) -> Option<Attribute> {
        match self {
            Self::Path(name) => item.get(name).cloned(),
            Self::Value(value) => Some(value.clone()),
            Self::Size(name) => {
                let size = match item.get(name)? {
                    Attribute::Texts(set) | Attribute::Binaries(set) => set.len(),
                    Attribute::Numbers(set) => set.len(),
                    Attribute::List(list) => list.len(),
                    Attribute::Map(map) => map.len(),
                    other @ (Attribute::Text(_) | Attribute::Binary(_)) => other.size(),
                    Attribute::Number(_) | Attribute::Flag(_) | Attribute::Null => return None,
                };
                Number::parse(&size.to_string()).ok().map(Attribute::Number)
            }
        }
    }
}

impl Condition {
    /// Reads a request's condition of that name.
    pub(crate) fn read(input: &Input, what: &'static str, given: &Given) -> Result<Option<Self>, ServiceError> {
        let Some(mut tokens) = Tokens::of(input, what, given)? else { return Ok(None) };
        let condition = either(&mut tokens)?;
        tokens.end()?;
        Ok(Some(condition))
    }

    /// Whether it holds for an item.
    pub(crate) fn holds(&self, item: &Item) -> bool {
        match self {
            Self::And(one, two) => one.holds(item) && two.holds(item),
            Self::Or(one, two) => one.holds(item) || two.holds(item),
            Self::Not(one) => !one.holds(item),
            Self::Compare(one, how, two) => how.holds(one.of(item).as_ref(), two.of(item).as_ref()),
            Self::Between(one, low, high) => {
                let one = one.of(item);
                Comparison::GreaterOrEqual.holds(one.as_ref(), low.of(item).as_ref())
                    && Comparison::LessOrEqual.holds(one.as_ref(), high.of(item).as_ref())
            }
            Self::In(one, list) => {
                let one = one.of(item);
                list.iter().any(|two| Comparison::Equal.holds(one.as_ref(), two.of(item).as_ref()))
            }
            Self::Exists(name) => item.contains_key(name),
            Self::NotExists(name) => !item.contains_key(name),
            Self::BeginsWith(one, start) => match (one.of(item), start.of(item)) {
                (Some(Attribute::Text(text)), Some(Attribute::Text(start))) => text.starts_with(&start),
                _ => false,
            },
            Self::Contains(one, part) => match (one.of(item), part.of(item)) {
                (Some(Attribute::Text(text)), Some(Attribute::Text(part))) => text.contains(&part),
                (Some(Attribute::Texts(set)), Some(Attribute::Text(part))) => set.contains(&part),
                (Some(Attribute::Numbers(set)), Some(Attribute::Number(part))) => set.contains(&part),
                (Some(Attribute::Binaries(set)), Some(Attribute::Binary(part))) => set.contains(&part),
                (Some(Attribute::List(list)), Some(part)) => list.contains(&part),
                _ => false,
            },
            Self::HasType(name, kind) => {
                let kind = kind.of(item);
                item.get(name).is_some_and(|value| kind == Some(Attribute::Text(value.kind().to_owned())))
            }
        }
    }

    /// The attributes that it looks at.
    pub(crate) fn paths(&self) -> Vec<&str> {
        match self {
            Self::And(one, two) | Self::Or(one, two) => [one.paths(), two.paths()].concat(),
            Self::Not(one) => one.paths(),
            Self::Exists(name) | Self::NotExists(name) | Self::HasType(name, _) => vec![name],
            Self::Compare(one, _, two) | Self::BeginsWith(one, two) | Self::Contains(one, two) => {
                [one, two].into_iter().filter_map(Operand::path).collect()
            }
            Self::Between(one, two, three) => [one, two, three].into_iter().filter_map(Operand::path).collect(),
            Self::In(one, list) => std::iter::once(one).chain(list).filter_map(Operand::path).collect(),
        }
    }
}

impl Operand {
    fn path(&self) -> Option<&str> {
        match self {
            Self::Path(name) | Self::Size(name) => Some(name),
            Self::Value(_) => None,
        }
    }
}

fn either(tokens: &mut Tokens<'_>) -> Result<Condition, ServiceError> {
    let mut all = both(tokens)?;
    while tokens.takes_word("OR") {
        all = Condition::Or(Box::new(all), Box::new(both(tokens)?));
    }
    Ok(all)
}

fn both(tokens: &mut Tokens<'_>) -> Result<Condition, ServiceError> {
    let mut all = negation(tokens)?;
    while tokens.takes_word("AND") {
        all = Condition::And(Box::new(all), Box::new(negation(tokens)?));
    }
    Ok(all)
}

fn negation(tokens: &mut Tokens<'_>) -> Result<Condition, ServiceError> {
    if tokens.takes_word("NOT") {
        return Ok(Condition::Not(Box::new(negation(tokens)?)));
    }
    if !tokens.takes("(") {
        return single(tokens);
    }
    let start = tokens.at();
    let inner = either(tokens)?;
    tokens.expect(")")?;
    if tokens.sign_at(start) == Some("(") && is_one_group(tokens, start, tokens.at() - 2) {
        return Err(tokens.invalid("The expression has redundant parentheses;"));
    }
    Ok(inner)
}

/// Whether the parenthesis that opens at the start closes only at the end.
fn is_one_group(tokens: &Tokens<'_>, start: usize, end: usize) -> bool {
    let mut depth = 0usize;
    for at in start..end {
        match tokens.sign_at(at) {
            Some("(") => depth += 1,
            Some(")") => depth -= 1,
            Some(_) | None => {}
        }
        if depth == 0 {
            return false;
        }
    }
    true
}

fn single(tokens: &mut Tokens<'_>) -> Result<Condition, ServiceError> {
    let is_size = matches!(tokens.peek(), Some(Token::Word(word)) if word == "size");
    if !is_size && let Some(name) = tokens.function() {
        return function(tokens, &name);
    }
    let one = operand(tokens)?;
    if tokens.takes_word("BETWEEN") {
        let low = operand(tokens)?;
        if !tokens.takes_word("AND") {
            return Err(tokens.syntax());
        }
        let high = operand(tokens)?;
        for bound in [&low, &high] {
            ordered(tokens, "BETWEEN", bound)?;
        }
        if let (Operand::Value(low), Operand::Value(high)) = (&low, &high)
            && low.compare(high) == Some(Ordering::Greater)
        {
            let why = "The BETWEEN operator requires upper bound to be greater than or equal to lower bound; ";
            let (low, high) = (low.render(), high.render());
            return Err(tokens.invalid(format!("{why}lower bound operand: {low}, upper bound operand: {high}")));
        }
        return Ok(Condition::Between(one, low, high));
    }
    if tokens.takes_word("IN") {
        tokens.expect("(")?;
        let mut list = vec![operand(tokens)?];
        while tokens.takes(",") {
            list.push(operand(tokens)?);
        }
        tokens.expect(")")?;
        return Ok(Condition::In(one, list));
    }
    let sign = tokens.sign_at(tokens.at());
    let (Some(sign), Some(how)) = (sign, sign.and_then(Comparison::of)) else { return Err(tokens.syntax()) };
    tokens.expect(sign)?;
    let two = operand(tokens)?;
    if !matches!(how, Comparison::Equal | Comparison::Unequal) {
        ordered(tokens, sign, &one)?;
        ordered(tokens, sign, &two)?;
    }
    if one == two {
        let why = "The first operand must be distinct from the remaining operands for this operator or function;";
        return Err(tokens.invalid(format!("{why} operator: {sign}")));
    }
    Ok(Condition::Compare(one, how, two))
}

/// Refuses a value that has no order.
fn ordered(tokens: &Tokens<'_>, operator: &str, operand: &Operand) -> Result<(), ServiceError> {
    match operand {
        Operand::Value(value) if value.compare(value).is_none() => Err(tokens.invalid(format!(
            "Incorrect operand type for operator or function; operator: {operator}, operand type: {}",
            value.kind()
        ))),
        Operand::Value(_) | Operand::Path(_) | Operand::Size(_) => Ok(()),
    }
}

fn function(tokens: &mut Tokens<'_>, name: &str) -> Result<Condition, ServiceError> {
    let condition = match name {
        "attribute_exists" => Condition::Exists(tokens.path()?),
        "attribute_not_exists" => Condition::NotExists(tokens.path()?),
        "begins_with" | "contains" => {
            let one = operand(tokens)?;
            tokens.expect(",")?;
            let two = operand(tokens)?;
            if name == "contains" {
                Condition::Contains(one, two)
            } else if let Operand::Value(value) = &two
                && value.kind() != "S"
            {
                let why = "Incorrect operand type for operator or function; operator or function: begins_with, ";
                return Err(tokens.invalid(format!("{why}operand type: {}", value.kind())));
            } else {
                Condition::BeginsWith(one, two)
            }
        }
        "attribute_type" => {
            let path = tokens.path()?;
            tokens.expect(",")?;
            Condition::HasType(path, operand(tokens)?)
        }
        _ => return Err(tokens.invalid(format!("Invalid function name; function: {name}"))),
    };
    tokens.expect(")")?;
    Ok(condition)
}

fn operand(tokens: &mut Tokens<'_>) -> Result<Operand, ServiceError> {
    if let Some(value) = tokens.value()? {
        return Ok(Operand::Value(value));
    }
    match tokens.function() {
        None => tokens.path().map(Operand::Path),
        Some(name) if name == "size" => {
            let path = tokens.path()?;
            tokens.expect(")")?;
            Ok(Operand::Size(path))
        }
        Some(name) => Err(tokens.invalid(format!("Invalid function name; function: {name}"))),
    }
}
