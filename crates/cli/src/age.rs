//! Times as people tell them.

/// `12s`, `3m`, `2h`, `5d`: the largest unit of which there are one or two at least.
pub(crate) fn age(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..172_800 => format!("{}h", seconds / 3600),
        172_800.. => format!("{}d", seconds / 86_400),
    }
}

/// How long something was ago. Clocks differ a little, so the future is now.
pub(crate) fn since(then: u64, now: u64) -> String {
    age(now.saturating_sub(then))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_grows_with_the_time() {
        for (seconds, wanted) in
            [(0, "0s"), (59, "59s"), (60, "1m"), (3599, "59m"), (3600, "1h"), (172_799, "47h"), (172_800, "2d")]
        {
            assert_eq!(age(seconds), wanted);
        }
        assert_eq!(since(10, 5), "0s");
    }
}
