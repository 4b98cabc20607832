//! What DynamoDB charges for a call, and what all of it costs.
//!
//! Knows: the rules and the prices, with their sources. Must not know: who calls.
//!
//! Units: a consistent read takes one for each 4 KB begun of an item, and a query of all that it reads together; a write takes
//! one for each 1 KB begun of the larger of the item before and after, also where its condition does not hold (DynamoDB
//! Developer Guide, "DynamoDB read and write operations"). An item's size is that of its names and values in UTF-8, a number's
//! about half its digits ("DynamoDB item sizes and formats").

use serde_json::Value;
use std::ops::AddAssign;

/// Units of DynamoDB.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Units {
    /// Of reads.
    pub(crate) reads: u64,
    /// Of writes.
    pub(crate) writes: u64,
}

impl AddAssign for Units {
    fn add_assign(&mut self, other: Self) {
        self.reads += other.reads;
        self.writes += other.writes;
    }
}

/// Prices on demand in US East (N. Virginia) without any free tier, in dollars, as they were found on 2026-11-24.
pub(crate) struct Prices {
    /// A million write request units: AWS's price list since November 2024, as quoted in 2025.
    pub(crate) million_writes: f64,
    /// A million read request units, likewise.
    pub(crate) million_reads: f64,
    /// A gigabyte and second of Lambda on arm64, the first tier: as quoted in May 2026.
    pub(crate) gigabyte_second: f64,
    /// A million invocations of Lambda, likewise.
    pub(crate) million_invocations: f64,
    /// A million requests of SQS's standard queues: as quoted in June 2026.
    pub(crate) million_messages: f64,
}

/// The price list.
pub(crate) const PRICES: Prices = Prices {
    million_writes: 0.625,
    million_reads: 0.125,
    gigabyte_second: 0.000_013_333_4,
    million_invocations: 0.20,
    million_messages: 0.40,
};

/// What a call takes.
pub(crate) fn units(operation: &str, request: &[u8], answer: &[u8]) -> Units {
    let (request, answer) = (parsed(request), parsed(answer));
    match operation {
        "GetItem" => Units { reads: begun(size(&answer["Item"]), 4096), writes: 0 },
        "Query" => {
            let items = answer["Items"].as_array().into_iter().flatten();
            Units { reads: begun(items.map(size).sum(), 4096), writes: 0 }
        }
        "PutItem" => Units { reads: 0, writes: begun(size(&request["Item"]), 1024) },
        // What was there before comes with the answer, or with the refusal; a lease adds little to it.
        _ => Units { reads: 0, writes: begun(size(&answer["Attributes"]).max(size(&answer["Item"])), 1024) },
    }
}

fn parsed(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_default()
}

/// How many blocks are begun; one at least.
fn begun(bytes: usize, block: usize) -> u64 {
    u64::try_from(bytes.div_ceil(block).max(1)).unwrap_or(u64::MAX)
}

/// The size of an item, in bytes.
fn size(item: &Value) -> usize {
    let attributes = item.as_object().into_iter().flatten();
    attributes.map(|(name, value)| name.len() + size_of_value(value)).sum()
}

fn size_of_value(value: &Value) -> usize {
    let Some((kind, value)) = value.as_object().and_then(|value| value.iter().next()) else { return 0 };
    match kind.as_str() {
        "S" => value.as_str().map_or(0, str::len),
        "N" => value.as_str().map_or(0, |digits| digits.len() / 2 + 1),
        "SS" => value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::len).sum(),
        _ => 1,
    }
}
