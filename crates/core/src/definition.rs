//! A task definition: the raw JSON, and typed read access to what is decided on.
//!
//! Knows: the three forms in which people have one, and ECS's defaults for what is absent. Must not know: policies.

use crate::edit::{Edit, PatchOperation};
use crate::ids::{Arn, RoleRef};
use crate::json::{Document, JsonError, JsonType, Value};
use crate::keys::{container, described, nested, task};
use crate::{prune, size, splice};
use std::borrow::Cow;

/// How long an input may be, in bytes: ECS's 64 KiB, with room for a Describe answer, white space and nulls.
pub const MAX_INPUT: usize = 1024 * 1024;

/// Why an input is not a task definition.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// Longer than [`MAX_INPUT`].
    #[error("longer than the {MAX_INPUT} bytes that are read; ECS itself takes 65536")]
    TooLong,
    /// Not a usable JSON document.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// It cannot be brought to register form.
    #[error("it cannot be brought to register form")]
    Form(#[from] splice::EditError),
    /// JSON of another shape.
    #[error("not a task definition: {0}")]
    Shape(String),
}

/// A task definition in register form: what RegisterTaskDefinition takes, tags included, without read-only members.
#[derive(Debug, Clone)]
pub struct TaskDefinition {
    document: Document,
    described: Described,
}

/// What a Describe answer says beside the definition. All of it is absent in a definition from a file.
#[derive(Debug, Clone, Default)]
pub struct Described {
    /// ARN of the revision.
    pub arn: Option<Arn>,
    /// `ACTIVE`, `INACTIVE` or `DELETE_IN_PROGRESS`.
    pub status: Option<String>,
    /// What ECS says the definition could run on.
    pub compatibilities: Vec<String>,
    /// Names of the attributes that an instance must offer.
    pub requires_attributes: Vec<String>,
    /// ARN of the principal that registered the revision.
    pub registered_by: Option<String>,
    /// When it was registered, in seconds since 1970.
    pub registered_at: Option<u64>,
}

impl Described {
    /// Whether ECS says that the revision is ACTIVE.
    pub fn is_active(&self) -> bool {
        self.status.as_deref() == Some("ACTIVE")
    }
}

/// How a task's containers reach the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NetworkMode {
    /// Docker's bridge; what Linux tasks on EC2 get when nothing is said.
    Bridge,
    /// The instance's own.
    Host,
    /// A network interface of the task.
    AwsVpc,
    /// None at all.
    None,
    /// A word that ECS does not know, such as a template's placeholder.
    Unknown,
}

/// A size that may be absent or unreadable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// Not given.
    Absent,
    /// CPU units or MiB.
    Known(u64),
    /// Given, but no size: a template's placeholder, say.
    Unreadable,
}

impl Size {
    /// The number, if there is one.
    pub fn known(self) -> Option<u64> {
        match self {
            Self::Known(units) => Some(units),
            Self::Absent | Self::Unreadable => None,
        }
    }
}

impl TaskDefinition {
    /// Reads a RegisterTaskDefinition input, the answer of DescribeTaskDefinition, or the bare definition as the
    /// console saves it: `null` is absence there, read-only members and tags of AWS are dropped.
    pub fn parse(text: &str) -> Result<Self, InputError> {
        Self::parse_dropping(text, &[])
    }

    /// The same, with more names of read-only members to drop, should ECS add one.
    pub fn parse_dropping(text: &str, more_read_only: &[String]) -> Result<Self, InputError> {
        if text.len() > MAX_INPUT {
            return Err(InputError::TooLong);
        }
        let outer = Document::parse(text)?;
        let shape = |message: &str| InputError::Shape(message.to_owned());
        if outer.root().json_type() != JsonType::Object {
            return Err(InputError::Shape(format!("it is {}, not an object", outer.root().json_type().label())));
        }
        let document = match outer.root().get(described::TASK_DEFINITION) {
            Some(inner) if inner.json_type() == JsonType::Object => prune::unwrap(&outer, inner)?,
            Some(_) => return Err(shape("its member taskDefinition is not an object")),
            None => outer,
        };
        let root = document.root();
        let containers = root.get(task::CONTAINER_DEFINITIONS);
        let containers = containers.ok_or_else(|| shape("it has no containerDefinitions"))?;
        if containers.json_type() != JsonType::Array {
            return Err(shape("its containerDefinitions are not a list"));
        }
        if containers.items().len() == 0 {
            return Err(shape("its containerDefinitions are empty"));
        }
        if let Some(index) = containers.items().position(|item| item.json_type() != JsonType::Object) {
            return Err(InputError::Shape(format!("containerDefinitions[{index}] is not an object")));
        }
        let described = Described::read(root);
        let document = prune::to_register_form(&document, more_read_only)?;
        Ok(Self { document, described })
    }

    /// The definition in register form, untouched parts byte for byte as they came.
    pub fn text(&self) -> &str {
        self.document.text()
    }

    /// The document behind it.
    pub fn document(&self) -> &Document {
        &self.document
    }

    /// The outermost value.
    pub fn root(&self) -> Value<'_> {
        self.document.root()
    }

    /// What came beside the definition.
    pub fn described(&self) -> &Described {
        &self.described
    }

    /// The same definition with edits made; what was described stays as it was.
    pub fn with(&self, edits: &[Edit]) -> Result<Self, splice::EditError> {
        Ok(Self { document: splice::apply(&self.document, edits)?, described: self.described.clone() })
    }

    /// The edits as a JSON Patch to the register form.
    pub fn patch(&self, edits: &[Edit]) -> Result<Vec<PatchOperation>, splice::EditError> {
        splice::patch(&self.document, edits)
    }

    fn string(&self, key: &str) -> Option<Cow<'_, str>> {
        self.root().get(key)?.as_str().filter(|text| !text.is_empty())
    }

    /// The family, if it has one; the shape of it is not checked.
    pub fn family(&self) -> Option<Cow<'_, str>> {
        self.string(task::FAMILY)
    }

    /// The containers in their order.
    pub fn containers(&self) -> impl ExactSizeIterator<Item = Container<'_>> {
        self.items(task::CONTAINER_DEFINITIONS).map(Container)
    }

    fn items(&self, key: &str) -> std::vec::IntoIter<Value<'_>> {
        self.root().get(key).map(|list| list.items().collect::<Vec<_>>()).unwrap_or_default().into_iter()
    }

    /// Tags as pairs of key and value.
    pub fn tags(&self) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
        self.items(task::TAGS).filter_map(|tag| {
            let text = |key| tag.get(key).and_then(Value::as_str);
            Some((text(nested::KEY)?, text(nested::VALUE).unwrap_or_default()))
        })
    }

    /// How the containers reach the network. Absent is `bridge`, as ECS fills it in.
    pub fn network_mode(&self) -> NetworkMode {
        match self.string(task::NETWORK_MODE).as_deref() {
            None | Some("bridge") => NetworkMode::Bridge,
            Some("host") => NetworkMode::Host,
            Some("awsvpc") => NetworkMode::AwsVpc,
            Some("none") => NetworkMode::None,
            Some(_) => NetworkMode::Unknown,
        }
    }

    /// What the definition says that it must run on, as written.
    pub fn requires_compatibilities(&self) -> Vec<Cow<'_, str>> {
        self.items(task::REQUIRES_COMPATIBILITIES).filter_map(Value::as_str).filter(|word| !word.is_empty()).collect()
    }

    /// The task's CPU units.
    pub fn cpu(&self) -> Size {
        self.size(task::CPU, size::parse_cpu)
    }

    /// The task's memory in MiB.
    pub fn memory(&self) -> Size {
        self.size(task::MEMORY, size::parse_memory)
    }

    fn size(&self, key: &str, parse: fn(&str) -> Option<u64>) -> Size {
        let Some(value) = self.root().get(key) else {
            return Size::Absent;
        };
        let text = value.as_str().unwrap_or(Cow::Borrowed(value.raw()));
        if text.is_empty() {
            return Size::Absent;
        }
        parse(&text).map_or(Size::Unreadable, Size::Known)
    }

    /// The role that the app has.
    pub fn task_role(&self) -> Option<RoleRef> {
        self.string(task::TASK_ROLE_ARN).map(|text| RoleRef::new(&text))
    }

    /// The role that pulls images, reads secrets and writes logs.
    pub fn execution_role(&self) -> Option<RoleRef> {
        self.string(task::EXECUTION_ROLE_ARN).map(|text| RoleRef::new(&text))
    }

    /// `LINUX`, `WINDOWS_SERVER_2022_CORE` and so on, if the definition says.
    pub fn operating_system(&self) -> Option<Cow<'_, str>> {
        self.platform(nested::OPERATING_SYSTEM_FAMILY)
    }

    /// `X86_64` or `ARM64`, if the definition says.
    pub fn architecture(&self) -> Option<Cow<'_, str>> {
        self.platform(nested::CPU_ARCHITECTURE)
    }

    fn platform(&self, key: &str) -> Option<Cow<'_, str>> {
        self.root().get(task::RUNTIME_PLATFORM)?.get(key)?.as_str().filter(|text| !text.is_empty())
    }
}

impl Described {
    fn read(root: Value<'_>) -> Self {
        let text = |key| root.get(key).and_then(Value::as_str).map(Cow::into_owned);
        let list = |key| root.get(key).map(|list| list.items().collect::<Vec<_>>()).unwrap_or_default();
        Self {
            arn: text(described::ARN).and_then(|arn| arn.parse().ok()),
            status: text(described::STATUS),
            compatibilities: list(described::COMPATIBILITIES)
                .into_iter()
                .filter_map(Value::as_str)
                .map(Cow::into_owned)
                .collect(),
            requires_attributes: list(described::REQUIRES_ATTRIBUTES)
                .into_iter()
                .filter_map(|attribute| attribute.get(nested::NAME)?.as_str().map(Cow::into_owned))
                .collect(),
            registered_by: text(described::REGISTERED_BY),
            registered_at: root.get(described::REGISTERED_AT).and_then(|seconds| {
                // ECS has them with three decimals.
                seconds.raw().split('.').next().and_then(|whole| whole.parse().ok())
            }),
        }
    }
}

/// One container of a task definition.
#[derive(Debug, Clone, Copy)]
pub struct Container<'a>(pub Value<'a>);

/// A port that a container listens on: first and last of a range, both the same for a single one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ports {
    /// First port.
    pub first: u64,
    /// Last port.
    pub last: u64,
    /// `tcp` or `udp`.
    pub protocol: String,
}

impl<'a> Container<'a> {
    /// A member of the container, if it is there.
    pub fn get(self, key: &str) -> Option<Value<'a>> {
        self.0.get(key)
    }

    /// The name, if it has one.
    pub fn name(self) -> Option<Cow<'a, str>> {
        self.get(container::NAME)?.as_str()
    }

    /// The image reference, if it has one.
    pub fn image(self) -> Option<Cow<'a, str>> {
        self.get(container::IMAGE)?.as_str()
    }

    /// The items of a list of the container; nothing if it is absent.
    pub fn items(self, key: &str) -> impl Iterator<Item = Value<'a>> {
        self.get(key).into_iter().flat_map(Value::items)
    }

    /// Whether the task ends when the container does. ECS's default is yes.
    pub fn is_essential(self) -> bool {
        self.get(container::ESSENTIAL).and_then(Value::as_bool).unwrap_or(true)
    }

    /// A whole number such as `cpu` or `memory`.
    pub fn number(self, key: &str) -> Option<i64> {
        self.get(key)?.as_i64()
    }

    /// A docker label.
    pub fn label(self, key: &str) -> Option<Cow<'a, str>> {
        self.get(container::DOCKER_LABELS)?.get(key)?.as_str()
    }

    /// Names of all environment variables, in plain text and from secrets.
    pub fn variable_names(self) -> impl Iterator<Item = Cow<'a, str>> {
        self.items(container::ENVIRONMENT)
            .chain(self.items(container::SECRETS))
            .filter_map(|variable| variable.get(nested::NAME)?.as_str())
    }

    /// Ports that the container listens on, ranges included.
    pub fn ports(self) -> impl Iterator<Item = Ports> {
        self.items(container::PORT_MAPPINGS).filter_map(|mapping| {
            let protocol = mapping.get(nested::PROTOCOL).and_then(Value::as_str).unwrap_or(Cow::Borrowed("tcp"));
            let (first, last) = match mapping.get(nested::CONTAINER_PORT_RANGE).and_then(Value::as_str) {
                Some(range) => {
                    let (first, last) = range.split_once('-')?;
                    (first.trim().parse().ok()?, last.trim().parse().ok()?)
                }
                None => {
                    let port = u64::try_from(mapping.get(nested::CONTAINER_PORT)?.as_i64()?).ok()?;
                    (port, port)
                }
            };
            Some(Ports { first, last, protocol: protocol.into_owned() })
        })
    }
}
