//! How many services are being moved at once.
//!
//! Knows: who has a slot, and until when. Must not know: what a move is.
//!
//! | attribute | type | of the item `rollout`, `moving` |
//! | --- | --- | --- |
//! | `moving` | SS | `SERVICE UNTIL`: services that are being moved, and until when (in seconds since 1970) they count at most |

use crate::error::Error;
use crate::services::ServiceRef;
use crate::table::{Item, ROLLOUT, Table};
use std::collections::BTreeSet;

/// The one item.
const MOVING: &str = "moving";

/// For how long a move counts of which nobody says that it is over, in seconds: longer than deployments last.
const LONGEST: u64 = 24 * 3600;

/// How far the clocks of those who take slots may be apart, in seconds.
const SKEW: u64 = 300;

/// How often a lost race is run again.
const ATTEMPTS: usize = 4;

impl Table {
    /// Takes one of so many slots, or keeps the one that the service has. `false`: none is free, or others were faster
    /// again and again.
    ///
    /// Errors: those of [`Table::put`].
    pub(crate) async fn take_slot(&self, service: &ServiceRef, slots: usize) -> Result<bool, Error> {
        for _ in 0..ATTEMPTS {
            let (mut item, mut moving, now) = self.moving(service).await?;
            if moving.len() >= slots {
                return Ok(false);
            }
            moving.insert(format!("{service} {}", now + LONGEST));
            item.set_texts(MOVING, &moving);
            if self.put(item).await?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Gives a slot back, if the service has one. Best effort: one that is not given back ends by itself.
    ///
    /// Errors: those of [`Table::put`].
    pub(crate) async fn free_slot(&self, service: &ServiceRef) -> Result<(), Error> {
        for _ in 0..ATTEMPTS {
            let (mut item, others, _) = self.moving(service).await?;
            if item.texts(MOVING) == others {
                return Ok(());
            }
            item.set_texts(MOVING, &others);
            if self.put(item).await?.is_some() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// The item, the others that have a slot, and the time.
    async fn moving(&self, service: &ServiceRef) -> Result<(Item, BTreeSet<String>, u64), Error> {
        let item = self.get(ROLLOUT, MOVING).await?.unwrap_or_else(|| Item::new(ROLLOUT, MOVING));
        let now = self.clock.now();
        // Nobody can have taken a slot that ends much later than one does that is taken now.
        let ends = now + 1..=now + LONGEST + SKEW;
        let counts = |slot: &String| {
            let (other, until) = slot.split_once(' ').unwrap_or((slot, ""));
            other != service.arn().as_str() && until.parse().is_ok_and(|until| ends.contains(&until))
        };
        let others = item.texts(MOVING).into_iter().filter(counts).collect();
        Ok((item, others, now))
    }
}
