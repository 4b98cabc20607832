//! CPU and memory of tasks: how they are written, and which pairs Fargate has.
//!
//! Source: Amazon ECS developer guide, "Fargate task sizes" (2026), including the 32 vCPU tier.

/// MiB in a GiB, which ECS spells `GB`.
const GIB: u64 = 1024;

/// Reads a task's `cpu`: CPU units (`256`) or virtual CPUs (`.25 vCPU`). Answers CPU units.
pub fn parse_cpu(text: &str) -> Option<u64> {
    scaled(text, "vcpu", 1024)
}

/// Reads a task's `memory`: MiB (`512`) or gibibytes (`0.5 GB`). Answers MiB.
pub fn parse_memory(text: &str) -> Option<u64> {
    scaled(text, "gb", GIB)
}

fn scaled(text: &str, unit: &str, factor: u64) -> Option<u64> {
    let text = text.trim().to_ascii_lowercase();
    let Some(number) = text.strip_suffix(unit) else {
        return text.parse().ok();
    };
    let number = number.trim();
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.len() > 6 {
        return None;
    }
    let parse = |digits: &str| {
        if digits.is_empty() { Some(0) } else { digits.parse::<u64>().ok() }
    };
    let scale = 10_u64.pow(u32::try_from(fraction.len()).ok()?);
    let parts = parse(fraction)? * factor;
    parts.is_multiple_of(scale).then_some(())?;
    parse(whole)?.checked_mul(factor)?.checked_add(parts / scale)
}

/// A size of a task on Fargate: CPU units and MiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FargateSize {
    /// CPU units.
    pub cpu: u64,
    /// MiB.
    pub memory: u64,
}

/// CPU units that Fargate has.
pub const FARGATE_CPUS: [u64; 8] = [256, 512, 1024, 2048, 4096, 8192, 16384, 32768];

/// The memory sizes, in MiB, that Fargate has for that many CPU units; nothing for a number that it has not.
pub fn fargate_memories(cpu: u64) -> Vec<u64> {
    let steps = |first: u64, last: u64, step: u64| {
        (first..=last).step_by(usize::try_from(step).unwrap_or(1)).map(|gib| gib * GIB).collect()
    };
    match cpu {
        256 => vec![512, GIB, 2 * GIB],
        512 => steps(1, 4, 1),
        1024 => steps(2, 8, 1),
        2048 => steps(4, 16, 1),
        4096 => steps(8, 30, 1),
        8192 => steps(16, 60, 4),
        16384 => steps(32, 120, 8),
        32768 => vec![60 * GIB, 120 * GIB, 244 * GIB],
        _ => Vec::new(),
    }
}

impl FargateSize {
    /// Whether Fargate has this pair.
    pub fn is_valid(self) -> bool {
        fargate_memories(self.cpu).contains(&self.memory)
    }

    /// The smallest pair with at least this CPU and that much memory in MiB: more memory first, then more CPU.
    pub fn at_least(self, memory: u64) -> Option<Self> {
        FARGATE_CPUS.into_iter().filter(|cpu| *cpu >= self.cpu).find_map(|cpu| {
            let memory = fargate_memories(cpu).into_iter().find(|has| *has >= memory)?;
            Some(Self { cpu, memory })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_spelling_of_a_size() {
        for (text, units) in [("256", 256), ("1 vCPU", 1024), (".25 vcpu", 256), ("0.5vCPU", 512), (" 2 VCPU ", 2048)] {
            assert_eq!(parse_cpu(text), Some(units), "{text}");
        }
        for (text, mib) in [("512", 512), (".5 gb", 512), ("2GB", 2048), ("30 GB", 30720)] {
            assert_eq!(parse_memory(text), Some(mib), "{text}");
        }
        for text in
            ["", "vCPU", ". vCPU", "1.0001 vCPU", "-1", "a lot", "1 GB", "99999999999999999999 vCPU", "1.0.0 vCPU"]
        {
            assert_eq!(parse_cpu(text), None, "{text}");
        }
    }

    #[test]
    fn grows_within_the_table_only() {
        let grow =
            |cpu, memory, wanted| FargateSize { cpu, memory }.at_least(wanted).map(|size| (size.cpu, size.memory));
        assert_eq!(grow(256, 512, 513), Some((256, 1024)));
        assert_eq!(grow(256, 2048, 2304), Some((512, 3072)));
        assert_eq!(grow(8192, 16 * GIB, 16 * GIB + 1), Some((8192, 20 * GIB)));
        assert_eq!(grow(32768, 244 * GIB, 245 * GIB), None);
        assert!(FargateSize { cpu: 32768, memory: 120 * GIB }.is_valid());
        assert!(!FargateSize { cpu: 256, memory: 8192 }.is_valid());
    }
}
