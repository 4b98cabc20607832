//! IPv4 ranges: whether one holds another.

use std::net::Ipv4Addr;

/// An IPv4 range such as `10.0.0.0/16`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cidr {
    first: u32,
    length: u8,
}

impl Cidr {
    /// All addresses.
    pub const ALL: Self = Self { first: 0, length: 0 };

    fn mask(length: u8) -> u32 {
        u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0)
    }

    /// Whether every address of `other` is in this range.
    pub fn holds(self, other: Self) -> bool {
        self.length <= other.length && other.first & Self::mask(self.length) == self.first
    }

    /// Whether nothing of the internet can be in the range.
    pub(super) fn is_private(self) -> bool {
        let private = [(0x0a00_0000, 8), (0xac10_0000, 12), (0xc0a8_0000, 16), (0x6440_0000, 10)];
        private.into_iter().any(|(first, length)| Self { first, length }.holds(self))
    }

    /// Whether the ranges have an address in common.
    pub fn meets(self, other: Self) -> bool {
        self.holds(other) || other.holds(self)
    }
}

/// A text that is no IPv4 range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be an IPv4 range such as 10.0.0.0/16")]
pub struct CidrError;

impl std::str::FromStr for Cidr {
    type Err = CidrError;

    fn from_str(text: &str) -> Result<Self, CidrError> {
        let (address, length) = text.split_once('/').ok_or(CidrError)?;
        let address: Ipv4Addr = address.parse().map_err(|_| CidrError)?;
        let length: u8 = length.parse().ok().filter(|length| *length <= 32).ok_or(CidrError)?;
        Ok(Self { first: u32::from(address) & Self::mask(length), length })
    }
}

impl std::fmt::Display for Cidr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", Ipv4Addr::from(self.first), self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cidr(text: &str) -> Cidr {
        text.parse().expect("a range")
    }

    #[test]
    fn a_range_holds_what_is_within_it() {
        assert!(Cidr::ALL.holds(cidr("10.0.0.0/8")) && !cidr("10.0.0.0/8").holds(Cidr::ALL));
        assert!(cidr("10.7.0.0/16").holds(cidr("10.7.255.0/24")) && !cidr("10.7.0.0/16").holds(cidr("10.8.0.0/24")));
        assert!(cidr("10.7.1.0/24").meets(cidr("10.7.1.128/25")) && !cidr("10.7.1.0/25").meets(cidr("10.7.1.128/25")));
        assert!(cidr("1.2.3.4/32").holds(cidr("1.2.3.4/32")) && !cidr("1.2.3.4/32").meets(cidr("1.2.3.5/32")));
        assert!(cidr("172.31.0.0/16").is_private() && !cidr("172.32.0.0/16").is_private() && !Cidr::ALL.is_private());
        assert_eq!(cidr("10.7.1.9/24").to_string(), "10.7.1.0/24");
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for text in ["10.0.0.0", "10.0.0.0/33", "10.0.0/8", "::/0", "", "a/b"] {
            assert_eq!(text.parse::<Cidr>(), Err(CidrError), "{text}");
        }
    }
}
