//! Figures: what a run did, and whether it came to the places that matter.
//!
//! Knows: counts. Must not know: what they mean for the operator.

use crate::deeds::Deed;
use crate::mishaps::Mishap;
use ecs_sidecar_tests::Call;
use std::collections::BTreeMap;
use std::fmt;

/// What a run did.
#[derive(Debug, Default, Clone)]
pub(crate) struct Tally {
    pub(crate) episodes: u64,
    pub(crate) calls: u64,
    pub(crate) messages: u64,
    pub(crate) deeds: BTreeMap<&'static str, u64>,
    pub(crate) mishaps: BTreeMap<&'static str, u64>,
    pub(crate) counts: BTreeMap<&'static str, u64>,
}

/// Places that a storm has to reach, or it proves little: each a count.
pub(crate) const PLACES: [&str; 21] = [
    "patches registered",
    "removals registered",
    "own revisions deregistered",
    "gap conflicts",
    "surplus revisions",
    "leases taken",
    "leases of the dead taken over",
    "races for a lease lost",
    "workers killed",
    "messages delivered again",
    "messages doubled",
    "events lost",
    "events doubled",
    "events late",
    "sweeps",
    "services moved by the operator",
    "deployment completes",
    "deployment fails",
    "deployment is rolled back",
    "policies attached",
    "throttled by the bucket",
];

impl Tally {
    /// Things that happened: calls that were answered or lost, messages delivered, deeds of people, deployments' ends.
    pub(crate) fn steps(&self) -> u64 {
        let deployments = ["deployment completes", "deployment fails", "deployment is rolled back"];
        let ends: u64 = deployments.iter().filter_map(|name| self.counts.get(name)).sum();
        self.calls + self.messages + self.deeds.values().sum::<u64>() + ends
    }

    pub(crate) fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    pub(crate) fn call(&mut self, call: &Call, happened: Option<Mishap>) {
        self.calls += 1;
        match happened {
            Some(mishap) => self.mishap(mishap),
            None if call.to_string().ends_with("(ThrottlingException)") => self.count("throttled by the bucket"),
            None => {}
        }
    }

    pub(crate) fn mishap(&mut self, mishap: Mishap) {
        *self.mishaps.entry(mishap.label()).or_default() += 1;
    }

    pub(crate) fn deed(&mut self, deed: Deed) {
        *self.deeds.entry(deed.label()).or_default() += 1;
    }

    pub(crate) fn delivered(&mut self) {
        self.messages += 1;
    }

    /// Adds another run's figures.
    pub(crate) fn add(&mut self, other: &Self) {
        self.episodes += other.episodes;
        self.calls += other.calls;
        self.messages += other.messages;
        for (mine, theirs) in
            [(&mut self.deeds, &other.deeds), (&mut self.mishaps, &other.mishaps), (&mut self.counts, &other.counts)]
        {
            for (name, count) in theirs {
                *mine.entry(name).or_default() += count;
            }
        }
    }

    /// Places, kinds of deeds and kinds of mishaps that were never reached.
    pub(crate) fn missed(&self) -> Vec<&'static str> {
        let places = PLACES.into_iter().filter(|name| !self.counts.contains_key(name));
        let deeds = Deed::labels().filter(|name| !self.deeds.contains_key(name));
        let mishaps = Mishap::labels().filter(|name| !self.mishaps.contains_key(name));
        places.chain(deeds).chain(mishaps).collect()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |counts: &BTreeMap<&'static str, u64>| {
            let words: Vec<String> = counts.iter().map(|(name, count)| format!("{name} {count}")).collect();
            words.join(", ")
        };
        writeln!(f, "{} steps: {} calls, {} messages delivered", self.steps(), self.calls, self.messages)?;
        writeln!(f, "deeds: {}", list(&self.deeds))?;
        writeln!(f, "mishaps: {}", list(&self.mishaps))?;
        write!(f, "reached: {}", list(&self.counts))
    }
}
