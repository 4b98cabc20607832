//! `make simulate`: families, users, pipelines, workers and clocks in a storm that a seed decides, and then quiet.
//!
//! Knows: how many steps are asked for. Must not know: what happens in them.
//!
//! An ordinary run of the tests makes a few thousand steps. `SEED`, `STEPS` and `EPISODE` ask for others.

mod chance;
mod deeds;
mod definitions;
mod deployments;
mod episode;
mod mishaps;
mod post;
mod scene;
mod shorten;
mod story;
mod tally;
mod watch;
mod wire;
mod worker;

use chance::Chance;
use episode::{Told, run};
use libtest_mimic::{Arguments, Failed, Trial};
use scene::Script;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use tally::Tally;

/// The seed where none is given.
const SEED: u64 = 20_261_124;

/// Steps of an ordinary run.
const STEPS: u64 = 8_000;

/// From how many steps on all places have to have been reached.
const ENOUGH: u64 = 200_000;

/// How many lines of a storm are shown, at most.
const SHOWN: usize = 200;

/// For how many seconds a story that went wrong is shortened, unless `SHORTEN` says otherwise.
const SHORTENING: u64 = 60;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let trials = vec![
        Trial::test("the_same_seed_is_the_same_story", the_same_seed_is_the_same_story),
        Trial::test("after_the_storm_all_is_well", after_the_storm_all_is_well),
    ];
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn asked(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}

fn number(name: &str, usual: u64) -> Result<u64, Failed> {
    match asked(name) {
        None => Ok(usual),
        Some(text) if text == "random" => {
            Ok(std::time::UNIX_EPOCH.elapsed().map_or(0, |since| since.subsec_nanos().into()))
        }
        Some(text) => text.replace(['_', ','], "").parse().map_err(|_| format!("{name} is no number: {text}").into()),
    }
}

fn script(seed: u64, episode: u64) -> Script {
    Script { chance: Chance::new(seed).episode(episode), kept: None }
}

fn the_same_seed_is_the_same_story() -> Result<(), Failed> {
    let (first, second) = (run(script(SEED, 0)), run(script(SEED, 0)));
    let differs = first.lines.iter().zip(&second.lines).find(|(one, other)| one != other);
    if first.hash != second.hash || first.lines.len() != second.lines.len() {
        return Err(format!(
            "{} and {} lines; the first that differs: {differs:?}",
            first.lines.len(),
            second.lines.len()
        )
        .into());
    }
    let other = run(script(SEED + 1, 0));
    if other.hash == first.hash { Err("another seed is the same story".into()) } else { Ok(()) }
}

fn after_the_storm_all_is_well() -> Result<(), Failed> {
    let (seed, steps) = (number("SEED", SEED)?, number("STEPS", STEPS)?);
    let only = asked("EPISODE").map(|text| text.parse::<u64>()).transpose()?;
    let began = Instant::now();
    let (tally, wrong) = match only {
        Some(episode) => {
            let told = run(script(seed, episode));
            let tally = told.tally.clone();
            (tally, told.wrong.is_some().then_some((episode, told)))
        }
        None => episodes(seed, steps),
    };
    let took = began.elapsed();
    figures(seed, &tally, took);
    if let Some((episode, told)) = wrong {
        return Err(report(seed, episode, told, number("SHORTEN", SHORTENING)?).into());
    }
    let missed = tally.missed();
    if only.is_none() && steps >= ENOUGH && !missed.is_empty() {
        return Err(format!("the storm never came to: {}", missed.join(", ")).into());
    }
    Ok(())
}

/// Runs episodes on as many threads as asked for, until there are steps enough or something is wrong. What is told of is the
/// first episode by number that went wrong.
fn episodes(seed: u64, steps: u64) -> (Tally, Option<(u64, Told)>) {
    let (next, done) = (AtomicU64::new(0), AtomicU64::new(0));
    let result = Mutex::new((Tally::default(), None::<(u64, Told)>));
    let lock = || result.lock().unwrap_or_else(PoisonError::into_inner);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = asked("THREADS").and_then(|text| text.parse().ok()).unwrap_or(cores);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while done.load(Ordering::Relaxed) < steps && lock().1.is_none() {
                    let episode = next.fetch_add(1, Ordering::Relaxed);
                    let told = run(script(seed, episode));
                    done.fetch_add(told.tally.steps(), Ordering::Relaxed);
                    let mut result = lock();
                    result.0.add(&told.tally);
                    if told.wrong.is_some() && result.1.as_ref().is_none_or(|(other, _)| *other > episode) {
                        result.1 = Some((episode, told));
                    }
                }
            });
        }
    });
    result.into_inner().unwrap_or_else(PoisonError::into_inner)
}

#[expect(clippy::print_stdout, reason = "the figures are what `make simulate` is for")]
fn figures(seed: u64, tally: &Tally, took: Duration) {
    #[expect(clippy::cast_precision_loss, reason = "counts of steps")]
    let rate = tally.steps() as f64 / took.as_secs_f64();
    println!("seed {seed}, {} episodes, {:.1} s, {rate:.0} steps a second", tally.episodes, took.as_secs_f64());
    println!("{tally}");
}

/// The shortest story that was found, and how to have it again.
fn report(seed: u64, episode: u64, told: Told, time: u64) -> String {
    let lines = told.lines.len();
    let told = shorten::shorten(&script(seed, episode), told, Duration::from_secs(time));
    let wrong = told.wrong.unwrap_or_default();
    // Of the quiet after the storm a little is enough.
    let storm = told.lines.iter().position(|line| line.ends_with(episode::OVER)).unwrap_or(told.lines.len());
    let telling = |lines: &[String]| -> Vec<String> {
        lines.iter().filter(|line| story::is_telling(line)).map(|line| format!("  {line}")).collect()
    };
    let mut story = telling(&told.lines[..storm]);
    story.drain(..story.len().saturating_sub(SHOWN));
    story.extend(telling(&told.lines[storm..]).into_iter().take(SHOWN / 10));
    format!(
        "{wrong}\n\nseed {seed}, episode {episode}: {lines} lines, {} of {} shown of the shortest story found ({} deeds and mishaps)\n\n{}\n\n\
         again: make simulate SEED={seed} EPISODE={episode}",
        story.len(),
        told.lines.len(),
        told.elements.len(),
        story.join("\n")
    )
}
