//! Whether a task stopped because of the injected container.
//!
//! Knows: what ECS tells of a stopped task. Must not know: what follows from it.

/// Exit codes of a container that ECS itself stopped, by SIGTERM and by SIGKILL.
const STOPPED_BY_ECS: [i64; 2] = [143, 137];

/// A task that stopped, as its event tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoppedTask {
    /// ECS's code: `TaskFailedToStart`, `EssentialContainerExited`, ...
    pub code: String,
    /// ECS's words.
    pub because: String,
    /// Its containers.
    pub containers: Vec<StoppedContainer>,
}

/// A container of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoppedContainer {
    /// Its name.
    pub name: String,
    /// Its exit code, if it ran.
    pub exit_code: Option<i64>,
    /// ECS's words on it.
    pub because: Option<String>,
}

/// The injected container, as the task's definition has it.
#[derive(Debug, Clone, Copy)]
pub struct Sidecar<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its image.
    pub image: &'a str,
    /// Whether the task stops with it.
    pub essential: bool,
}

/// Why the task stopped, if that was the sidecar; for people. Where it is not certain, it was not.
pub fn blame(task: &StoppedTask, sidecar: Sidecar<'_>) -> Option<String> {
    let container = task.containers.iter().find(|container| container.name == sidecar.name);
    let words = container.and_then(|container| container.because.as_deref()).filter(|words| !words.is_empty());
    match task.code.as_str() {
        "TaskFailedToStart" => {
            // Without tag or digest, as ECS may name either.
            let repository = sidecar.image.split(['@', ':']).next().unwrap_or(sidecar.image);
            let names = |words: &str| !repository.is_empty() && words.contains(repository);
            words.or(Some(task.because.as_str()).filter(|words| names(words))).map(str::to_owned)
        }
        "EssentialContainerExited" if sidecar.essential => {
            let code = container?.exit_code?;
            let killed = words.is_some_and(|words| words.starts_with("OutOfMemory"));
            let by_itself = code != 0 && (killed || !STOPPED_BY_ECS.contains(&code));
            by_itself.then(|| {
                format!(
                    "{} exited with {code}{}",
                    sidecar.name,
                    words.map(|words| format!(": {words}")).unwrap_or_default()
                )
            })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IMAGE: &str = "111122223333.dkr.ecr.eu-west-1.amazonaws.com/ecr-public/xray/aws-xray-daemon:3.x";

    fn sidecar(essential: bool) -> Sidecar<'static> {
        Sidecar { name: "xray-daemon", image: IMAGE, essential }
    }

    fn stopped(code: &str, because: &str, containers: &[(&str, Option<i64>, Option<&str>)]) -> StoppedTask {
        let containers = containers.iter().map(|(name, exit_code, because)| StoppedContainer {
            name: (*name).to_owned(),
            exit_code: *exit_code,
            because: because.map(str::to_owned),
        });
        StoppedTask { code: code.to_owned(), because: because.to_owned(), containers: containers.collect() }
    }

    #[test]
    fn an_image_that_cannot_be_pulled_is_whose_image_it_is() {
        let pull = "CannotPullContainerError: 111122223333.dkr.ecr.eu-west-1.amazonaws.com/ecr-public/xray/aws-xray-daemon@sha256:0: not found";
        let ours = stopped("TaskFailedToStart", pull, &[("web", None, None), ("xray-daemon", None, None)]);
        assert_eq!(blame(&ours, sidecar(false)).as_deref(), Some(pull));
        let ours = stopped(
            "TaskFailedToStart",
            "Task failed to start",
            &[("xray-daemon", None, Some("CannotStartContainerError"))],
        );
        assert_eq!(blame(&ours, sidecar(false)).as_deref(), Some("CannotStartContainerError"));
        let theirs = stopped(
            "TaskFailedToStart",
            "CannotPullContainerError: web:1",
            &[("web", None, Some("CannotPull")), ("xray-daemon", None, None)],
        );
        assert_eq!(blame(&theirs, sidecar(false)), None);
    }

    #[test]
    fn only_an_essential_sidecar_that_ends_by_itself_ends_the_task() {
        let ended = |code, words| {
            stopped("EssentialContainerExited", "", &[("web", Some(0), None), ("xray-daemon", Some(code), words)])
        };
        assert_eq!(blame(&ended(1, None), sidecar(true)).as_deref(), Some("xray-daemon exited with 1"));
        assert_eq!(blame(&ended(1, None), sidecar(false)), None);
        for code in [0, 137, 143] {
            assert_eq!(blame(&ended(code, None), sidecar(true)), None, "{code}");
        }
        assert!(blame(&ended(137, Some("OutOfMemoryError: killed")), sidecar(true)).is_some());
        assert_eq!(
            blame(&stopped("UserInitiated", IMAGE, &[("xray-daemon", Some(1), Some("x"))]), sidecar(true)),
            None
        );
    }
}
