//! DynamoDB's numbers: decimal, exact, 38 digits.
//!
//! Knows: how they are read, written, compared and added. Must not know: attributes.

use crate::world::answer::ServiceError;
use crate::world::dynamodb::validation;
use std::cmp::Ordering;
use std::fmt;

/// How many significant digits there may be.
const DIGITS: usize = 38;

/// The exponents between which DynamoDB keeps a number.
const EXPONENTS: std::ops::RangeInclusive<i32> = -130..=125;

/// A number as digits and a power of ten; the digits do not end in zero, so that equal numbers are equal here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Number {
    digits: i128,
    exponent: i32,
}

impl Number {
    /// Reads what stands behind `N`.
    pub(crate) fn parse(text: &str) -> Result<Self, ServiceError> {
        let malformed = || validation(format!("The parameter cannot be converted to a numeric value: {text}"));
        let (plain, exponent) = match text.split_once(['e', 'E']) {
            Some((plain, exponent)) => (plain, exponent.parse::<i32>().map_err(|_| malformed())?),
            None => (text, 0),
        };
        let unsigned = plain.strip_prefix(['-', '+']).unwrap_or(plain);
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        let digits = format!("{whole}{fraction}");
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(malformed());
        }
        let significant = digits.trim_start_matches('0').trim_end_matches('0');
        if significant.len() > DIGITS {
            return Err(validation("Attempting to store more than 38 significant digits in a Number"));
        }
        let trailing = digits.len() - digits.trim_end_matches('0').len();
        let magnitude: i128 = if significant.is_empty() { 0 } else { significant.parse().map_err(|_| malformed())? };
        let shift = i32::try_from(trailing).unwrap_or(0) - i32::try_from(fraction.len()).unwrap_or(0);
        Self::of(if plain.starts_with('-') { -magnitude } else { magnitude }, exponent.saturating_add(shift))
    }

    fn of(mut digits: i128, mut exponent: i32) -> Result<Self, ServiceError> {
        if digits == 0 {
            return Ok(Self { digits: 0, exponent: 0 });
        }
        while digits % 10 == 0 {
            digits /= 10;
            exponent += 1;
        }
        let length = digits.unsigned_abs().to_string().len();
        if length > DIGITS {
            return Err(validation("Attempting to store more than 38 significant digits in a Number"));
        }
        let magnitude = exponent.saturating_add(i32::try_from(length).unwrap_or(0) - 1);
        if !EXPONENTS.contains(&magnitude) {
            let which = if magnitude > 0 { "overflow" } else { "underflow" };
            return Err(validation(format!("Number {which}. Attempting to store a number out of supported range")));
        }
        Ok(Self { digits, exponent })
    }

    pub(crate) fn plus(self, other: Self) -> Result<Self, ServiceError> {
        let unable = || validation("Number overflow. The sum has more digits than a Number can have");
        let exponent = self.exponent.min(other.exponent);
        let (one, two) = (self.at(exponent).ok_or_else(unable)?, other.at(exponent).ok_or_else(unable)?);
        Self::of(one.checked_add(two).ok_or_else(unable)?, exponent)
    }

    pub(crate) fn negated(self) -> Self {
        Self { digits: -self.digits, ..self }
    }

    /// Its digits if the power of ten were that one.
    fn at(self, exponent: i32) -> Option<i128> {
        let shift = u32::try_from(self.exponent - exponent).ok()?;
        if self.digits == 0 { Some(0) } else { self.digits.checked_mul(10i128.checked_pow(shift)?) }
    }

    /// Which is greater.
    pub(crate) fn compare(self, other: Self) -> Ordering {
        let exponent = self.exponent.min(other.exponent);
        match (self.at(exponent), other.at(exponent)) {
            (Some(one), Some(two)) => one.cmp(&two),
            // The one that does not fit has the greater magnitude.
            (None, _) => self.digits.cmp(&0),
            (Some(_), None) => 0.cmp(&other.digits),
        }
    }

    /// What it counts for an item's size.
    pub(crate) fn size(self) -> usize {
        self.digits.unsigned_abs().to_string().len().div_ceil(2) + 1
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.digits.unsigned_abs().to_string();
        let sign = if self.digits < 0 { "-" } else { "" };
        let places = usize::try_from(-self.exponent).unwrap_or(0);
        match usize::try_from(self.exponent) {
            Ok(zeros) => write!(f, "{sign}{digits}{}", "0".repeat(zeros)),
            Err(_) if places < digits.len() => {
                let (whole, fraction) = digits.split_at(digits.len() - places);
                write!(f, "{sign}{whole}.{fraction}")
            }
            Err(_) => write!(f, "{sign}0.{}{digits}", "0".repeat(places - digits.len())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Number {
        Number::parse(text).expect(text)
    }

    #[test]
    fn numbers_are_written_as_dynamodb_writes_them() {
        for (text, written) in
            [("0", "0"), ("-0.0", "0"), ("1.50", "1.5"), ("-007", "-7"), ("1e3", "1000"), ("25e-3", "0.025")]
        {
            assert_eq!(number(text).to_string(), written, "{text}");
        }
        for text in ["", "-", "one", "1.2.3", "1e", "1 ", &"1".repeat(39), "1e126", "1e-131"] {
            assert!(Number::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn numbers_are_exact() {
        assert_eq!(number("1.0"), number("1"));
        assert_eq!(number("0.1").plus(number("0.2")).expect("a sum"), number("0.3"));
        assert_eq!(number("5").plus(number("7").negated()).expect("a sum"), number("-2"));
        for (one, two) in [("9", "10"), ("-10", "-9"), ("1e-100", "1"), ("-1e100", "1e-100"), ("0.3", "1e120")] {
            assert_eq!(number(one).compare(number(two)), Ordering::Less, "{one} {two}");
            assert_eq!(number(two).compare(number(one)), Ordering::Greater, "{one} {two}");
        }
        assert!(number(&"9".repeat(38)).plus(number("0.1")).is_err());
    }
}
