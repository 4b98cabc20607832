//! What can go wrong, told once and at the edge.

use ecs_sidecar_core::definition::InputError;
use ecs_sidecar_core::policy::PolicyError;
use ecs_sidecar_doctor::Error as DoctorError;
use std::io::Write;
use std::process::ExitCode;

/// Everything that ends a run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("cannot read {file}")]
    Read {
        file: String,
        #[source]
        source: std::io::Error,
    },
    #[error("cannot read {text}")]
    NoSubject {
        text: String,
        #[source]
        source: std::io::Error,
    },
    #[error("{text} is neither a family nor FAMILY:REVISION nor the ARN of a task definition")]
    NoRevisionName { text: String },
    #[error("there is no {what} in {region}")]
    NoRevision { what: String, region: ecs_sidecar_core::ids::Region },
    #[error("cannot look up {text} in AWS")]
    Lookup {
        text: String,
        #[source]
        source: Box<Error>,
    },
    #[error("{text} is in {said}, and {asked} is asked")]
    Elsewhere { text: String, asked: String, said: String },
    #[error("{option} says what AWS says of {text} by itself")]
    Ignored { option: &'static str, text: String },
    #[error("policy {file} is {bytes} bytes long; the table takes {limit}")]
    LongPolicy { file: String, bytes: usize, limit: usize },
    #[error("policy {name} is in several of the files")]
    TwiceNamed { name: String },
    #[error("the operator {stack} has no policy {name}; there are: {known}")]
    NoPolicy { stack: String, name: String, known: String },
    #[error("policy {name} is the stack's own, and not in the table of {stack}")]
    OwnPolicy { stack: String, name: String },
    #[error("others changed {object} at the same time, twice")]
    Raced { object: String },
    #[error("nobody is there to be asked whether to go on")]
    NobodyToAsk,
    #[error("the operator {stack} takes nothing back: {why}")]
    Hindered { stack: String, why: String, hint: &'static str },
    #[error("{file} is not UTF-8: invalid byte at offset {offset}")]
    NotUtf8 { file: String, offset: usize },
    #[error("{file} is empty")]
    Empty { file: String },
    #[error("{file}: {source}")]
    Input {
        file: String,
        // Part of the text already, so not told again.
        source: Box<InputError>,
    },
    #[error("policy {name}: {source}")]
    Policy { name: String, source: Box<PolicyError> },
    #[error("the {what} is not known")]
    Site { what: &'static str, option: &'static str, variable: &'static str },
    #[error("the AWS configuration is no help: {place}")]
    Configured {
        place: String,
        #[source]
        source: ecs_sidecar_core::ids::IdError,
    },
    #[error("there is no profile {name} in the AWS configuration")]
    NoProfile { name: String },
    #[error("cannot read the AWS configuration")]
    AwsConfiguration {
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error(transparent)]
    Doctor(#[from] DoctorError),
    #[error(transparent)]
    Call(#[from] ecs_sidecar_aws::Error),
    #[error("there is no operator {stack} in {region}")]
    NoStack { stack: String, region: ecs_sidecar_core::ids::Region },
    #[error("the operator {stack} has no table")]
    NoTable { stack: String },
    #[error("{function} failed ({kind}): {message}")]
    Function { function: String, kind: String, message: String },
    #[error("{function} answered something that this program does not understand")]
    Answer { function: String },
    #[error("{revision} was not dealt with in {seconds} s: {stands}")]
    NotInTime { revision: String, family: String, seconds: u32, stands: String },
    #[error("somebody else throws the operator's switch at the same time")]
    SwitchMoved,
    #[error("the sweep was cut off")]
    CutOff { function: String },
    #[error("cannot start")]
    Runtime(#[source] std::io::Error),
    #[error("cannot write the answer")]
    Write(#[source] std::io::Error),
}

impl From<std::io::Error> for Error {
    fn from(source: std::io::Error) -> Self {
        Self::Write(source)
    }
}

impl Error {
    /// What to do next.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Doctor(DoctorError::Call(error)) if error.label() == "unavailable" => {
                Some("has `aws sts get-caller-identity` an answer here, with the same profile and Region?".to_owned())
            }
            Self::Doctor(DoctorError::Call(_)) => {
                Some("whose credentials are these? `aws sts get-caller-identity` tells".to_owned())
            }
            Self::Call(error) if error.label() == "unavailable" => {
                Some("has `aws sts get-caller-identity` an answer here, with the same profile and Region?".to_owned())
            }
            Self::Call(_) => Some("whose credentials are these? `aws sts get-caller-identity` tells".to_owned()),
            Self::Lookup { source, .. } => source.hint(),
            Self::NoSubject { .. } => Some(
                "it is no file, and neither a family nor FAMILY:REVISION nor the ARN of a task definition".to_owned(),
            ),
            Self::NoRevisionName { .. } => Some("with --stack nothing is read from files; leave it out".to_owned()),
            Self::NoRevision { .. } => {
                Some("is it in this account and Region? --profile and --region choose others".to_owned())
            }
            Self::Elsewhere { .. } => Some("--region and --profile choose where AWS is asked".to_owned()),
            Self::Ignored { option, .. } => Some(format!("leave {option} out, or give a file")),
            Self::LongPolicy { .. } => Some("comments count too".to_owned()),
            Self::OwnPolicy { stack, .. } => Some(format!(
                "deploy {stack} with the parameter Policy=none to have none of its own; `policy apply` can put another \
                 one of that name in its place"
            )),
            Self::Raced { .. } => Some("look at what they did, and try again".to_owned()),
            Self::NobodyToAsk => Some("without a terminal, pass --yes".to_owned()),
            Self::Hindered { hint, .. } => Some((*hint).to_owned()),
            Self::NoPolicy { .. } | Self::TwiceNamed { .. } => None,
            Self::NoStack { .. } => {
                Some("--stack, --region and --profile choose another one; the README tells how to deploy it".to_owned())
            }
            Self::NoTable { .. } => Some("it is older than this program; update the stack".to_owned()),
            Self::Function { function, .. } => Some(format!("its log is in /aws/lambda/{function}")),
            Self::Answer { .. } => Some("are the stack and this program of the same version?".to_owned()),
            Self::NotInTime { family, .. } => Some(format!(
                "`ecs-sidecar reconcile {family}` has it dealt with at once; `ecs-sidecar doctor --family {family}` tells \
                 whether events come"
            )),
            Self::SwitchMoved => Some("`ecs-sidecar status` tells who did".to_owned()),
            Self::CutOff { function } => {
                Some(format!("its log is in /aws/lambda/{function}; the next sweep goes on from there"))
            }
            Self::Doctor(DoctorError::NoSuch { .. }) => {
                Some("is it in this account and Region? --profile and --region choose others".to_owned())
            }
            Self::Doctor(DoctorError::Identity { .. } | DoctorError::OtherVpc { .. })
            | Self::Runtime(_)
            | Self::Read { .. }
            | Self::Write(_)
            | Self::AwsConfiguration { .. }
            | Self::Configured { .. }
            | Self::NoProfile { .. } => None,
            Self::NotUtf8 { .. } => {
                Some("JSON is UTF-8; PowerShell writes UTF-16 unless told `-Encoding utf8`".to_owned())
            }
            Self::Empty { .. } => Some("did the command that was to write it fail?".to_owned()),
            Self::Input { source, .. } => match source.as_ref() {
                InputError::Json(_) | InputError::TooLong | InputError::Form(_) => None,
                InputError::Shape(_) => Some(
                    "give a RegisterTaskDefinition input, the answer of `aws ecs describe-task-definition`, or the \
                     JSON that the console saves"
                        .to_owned(),
                ),
            },
            Self::Policy { source, .. } => match source.as_ref() {
                PolicyError::NoSuchPreset { .. } => Some("give a preset's name, or the path of a file".to_owned()),
                PolicyError::Document { .. } => {
                    Some("`ecs-sidecar policy schema` prints what a policy may say".to_owned())
                }
            },
            Self::Site { option, variable, .. } => {
                Some(format!("pass {option}, set {variable}, or put it in the AWS profile"))
            }
        }
    }

    /// 1 where the input is at fault, 2 for anything else.
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code())
    }

    /// The same as a number, to be compared.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::NotUtf8 { .. }
            | Self::Empty { .. }
            | Self::Input { .. }
            | Self::Policy { .. }
            | Self::Elsewhere { .. }
            | Self::NotInTime { .. }
            | Self::NoRevisionName { .. }
            | Self::NoRevision { .. }
            | Self::LongPolicy { .. }
            | Self::TwiceNamed { .. }
            | Self::NoPolicy { .. }
            | Self::OwnPolicy { .. }
            | Self::NobodyToAsk
            | Self::Hindered { .. }
            | Self::Doctor(DoctorError::OtherVpc { .. }) => 1,
            Self::Lookup { source, .. } => source.code(),
            Self::NoSubject { .. } | Self::Ignored { .. } | Self::Raced { .. } => 2,
            Self::Doctor(DoctorError::Call(_) | DoctorError::Identity { .. } | DoctorError::NoSuch { .. })
            | Self::Runtime(_)
            | Self::Call(_)
            | Self::NoStack { .. }
            | Self::NoTable { .. }
            | Self::Function { .. }
            | Self::Answer { .. }
            | Self::SwitchMoved
            | Self::CutOff { .. } => 2,
            Self::Read { .. }
            | Self::Site { .. }
            | Self::Configured { .. }
            | Self::NoProfile { .. }
            | Self::AwsConfiguration { .. }
            | Self::Write(_) => 2,
        }
    }

    /// The error and its causes in one line.
    pub(crate) fn with_causes(&self) -> String {
        let causes = self.causes().map(|cause| format!(": {cause}"));
        std::iter::once(self.to_string()).chain(causes).collect()
    }

    /// What is behind the error, unless it is part of its text already.
    fn causes(&self) -> impl Iterator<Item = &(dyn std::error::Error + 'static)> {
        let told = matches!(self, Self::Input { .. } | Self::Policy { .. });
        let source = std::error::Error::source(self);
        let first = if told { source.and_then(std::error::Error::source) } else { source };
        std::iter::successors(first, |cause| cause.source())
    }

    /// Prints the error, its causes and what to do next.
    pub(crate) fn tell(&self, out: &mut dyn Write) {
        let red = anstyle::AnsiColor::Red.on_default().bold();
        let cyan = anstyle::AnsiColor::Cyan.on_default().bold();
        let mut text = format!("{red}error:{red:#} {self}\n");
        for cause in self.causes() {
            text.push_str(&format!("  because: {cause}\n"));
        }
        if let Some(hint) = self.hint() {
            text.push_str(&format!("{cyan}hint:{cyan:#} {hint}\n"));
        }
        // There is nobody left to tell that standard error is closed.
        let _ = out.write_all(text.as_bytes());
    }
}
