//! Whether a task failed to start because of the injected container.
//!
//! Knows: what ECS tells of a stopped task. Must not know: what follows from it.
//!
//! A sidecar is never essential, so a task that has started does not stop because of it.

/// ECS's code for a task that stopped before it ran.
pub const FAILED_TO_START: &str = "TaskFailedToStart";

/// A task that stopped, as its event tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoppedTask {
    /// ECS's code: [`FAILED_TO_START`], `EssentialContainerExited`, ...
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
    /// ECS's words on it.
    pub because: Option<String>,
}

/// Why the task did not start, if that was the sidecar of this name and image; for people. Where it is not certain, it
/// was not.
pub fn blame(task: &StoppedTask, sidecar: &str, image: &str) -> Option<String> {
    if task.code != FAILED_TO_START {
        return None;
    }
    let container = task.containers.iter().find(|container| container.name == sidecar);
    let words = container.and_then(|container| container.because.as_deref()).filter(|words| !words.is_empty());
    let names = |words: &&str| names(words, repository(image));
    words.or(Some(task.because.as_str()).filter(names)).map(str::to_owned)
}

/// An image without tag or digest, as ECS may name either. A registry may have a port.
fn repository(image: &str) -> &str {
    let image = image.split('@').next().unwrap_or(image);
    image.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')).map_or(image, |(repository, _)| repository)
}

/// Whether words name a repository, and not one whose name begins with its name.
fn names(words: &str, repository: &str) -> bool {
    let goes_on = |letter: char| letter.is_ascii_alphanumeric() || "-_/.".contains(letter);
    !repository.is_empty() && words.split(repository).skip(1).any(|rest| !rest.starts_with(goes_on))
}

#[cfg(test)]
mod tests {
    use super::*;

    const IMAGE: &str = "111122223333.dkr.ecr.eu-west-1.amazonaws.com/ecr-public/xray/aws-xray-daemon:3.x";

    fn stopped(code: &str, because: &str, containers: &[(&str, Option<&str>)]) -> StoppedTask {
        let containers = containers
            .iter()
            .map(|(name, because)| StoppedContainer { name: (*name).to_owned(), because: because.map(str::to_owned) });
        StoppedTask { code: code.to_owned(), because: because.to_owned(), containers: containers.collect() }
    }

    fn blamed(task: &StoppedTask) -> Option<String> {
        blame(task, "xray-daemon", IMAGE)
    }

    #[test]
    fn an_image_that_cannot_be_pulled_is_whose_image_it_is() {
        let pull = "CannotPullContainerError: 111122223333.dkr.ecr.eu-west-1.amazonaws.com/ecr-public/xray/aws-xray-daemon@sha256:0";
        let ours = stopped(FAILED_TO_START, pull, &[("web", None), ("xray-daemon", None)]);
        assert_eq!(blamed(&ours).as_deref(), Some(pull));
        let words = "CannotStartContainerError";
        let ours = stopped(FAILED_TO_START, "Task failed to start", &[("xray-daemon", Some(words))]);
        assert_eq!(blamed(&ours).as_deref(), Some(words));
        let theirs = [("web", Some("CannotPullContainerError")), ("xray-daemon", None)];
        assert_eq!(blamed(&stopped(FAILED_TO_START, "CannotPullContainerError: web:1", &theirs)), None);
    }

    #[test]
    fn a_repository_of_a_similar_name_is_none_of_ours() {
        let app =
            stopped(FAILED_TO_START, &format!("CannotPull: {}-slim:1", repository(IMAGE)), &[("xray-daemon", None)]);
        assert_eq!(blamed(&app), None);
        let app = stopped(FAILED_TO_START, "CannotPull: mirror:5000/shop/web:1", &[]);
        assert_eq!(blame(&app, "xray-daemon", "mirror:5000/xray:3.x"), None);
        let ours = stopped(FAILED_TO_START, "CannotPull: mirror:5000/xray: not found", &[]);
        assert!(blame(&ours, "xray-daemon", "mirror:5000/xray").is_some());
    }

    #[test]
    fn a_task_that_ran_did_not_stop_because_of_it() {
        let ended = [("web", None), ("xray-daemon", Some("OutOfMemoryError"))];
        assert_eq!(blamed(&stopped("EssentialContainerExited", IMAGE, &ended)), None);
    }
}
