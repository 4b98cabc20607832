//! Numbers of things as people tell them.

use std::fmt::Display;

/// `1 family`, `2 families`.
pub(crate) fn families(count: impl Display + PartialEq + From<u8>) -> String {
    of(count, "family", "families")
}

/// `1 family has`, `2 families have`.
pub(crate) fn families_have(count: impl Display + PartialEq + From<u8>) -> String {
    of(count, "family has", "families have")
}

/// `1 page`, `2 pages`.
pub(crate) fn pages(count: impl Display + PartialEq + From<u8>) -> String {
    of(count, "page", "pages")
}

/// `1 rule`, `2 rules`.
pub(crate) fn rules(count: usize) -> String {
    of(count, "rule", "rules")
}

/// `1 schedule`, `2 schedules`.
pub(crate) fn schedules(count: usize) -> String {
    of(count, "schedule", "schedules")
}

/// `1 service`, `2 services`.
pub(crate) fn services(count: impl Display + PartialEq + From<u8>) -> String {
    of(count, "service", "services")
}

/// `1 state machine`, `2 state machines`.
pub(crate) fn state_machines(count: usize) -> String {
    of(count, "state machine", "state machines")
}

fn of<N: Display + PartialEq + From<u8>>(count: N, one: &str, many: &str) -> String {
    if count == N::from(1) { format!("{count} {one}") } else { format!("{count} {many}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_not_many_and_neither_is_none() {
        assert_eq!([families(0_u64), families(1_u64), families(2_u64)], ["0 families", "1 family", "2 families"]);
        assert_eq!([families_have(1_usize), pages(3_usize)], ["1 family has", "3 pages"]);
    }
}
