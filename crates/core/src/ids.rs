//! Identifiers, parsed once where they come in.
//!
//! Knows: the shapes of ARNs, accounts, Regions and partitions. Must not know: what they are used for.

use std::fmt;
use std::str::FromStr;

/// A string that is no identifier of the kind wanted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {wanted}")]
pub struct IdError {
    text: String,
    wanted: &'static str,
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $wanted:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The text of it.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                let valid: fn(&str) -> bool = $valid;
                if valid(text) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(IdError { text: text.to_owned(), wanted: $wanted })
                }
            }
        }
    };
}

text_id!(
    /// An AWS account: twelve digits.
    AccountId, "an account id of twelve digits", |text| {
        text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
    }
);

text_id!(
    /// A Region such as `eu-central-1`.
    Region, "a Region such as eu-central-1", |text| {
        let parts: Vec<&str> = text.split('-').collect();
        parts.len() >= 3
            && parts.iter().all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()))
            && parts.last().is_some_and(|part| part.bytes().all(|byte| byte.is_ascii_digit()))
    }
);

text_id!(
    /// The family of a task definition: up to 255 letters, digits, underscores and hyphens.
    Family, "a family of letters, digits, underscores and hyphens", |text| {
        (1..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
    }
);

text_id!(
    /// Digest of an image's manifest or index: `sha256:` and 64 hexadecimal digits.
    ImageDigest, "an image's digest: sha256: and 64 hexadecimal digits", |text| {
        text.strip_prefix("sha256:").is_some_and(|hex| {
            hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
        })
    }
);

text_id!(
    /// A VPC such as `vpc-0123456789abcdef0`.
    VpcId, "a VPC's id such as vpc-0123456789abcdef0", |text| is_resource_id(text, "vpc-")
);

text_id!(
    /// A subnet such as `subnet-0123456789abcdef0`.
    SubnetId, "a subnet's id such as subnet-0123456789abcdef0", |text| is_resource_id(text, "subnet-")
);

fn is_resource_id(text: &str, prefix: &str) -> bool {
    let digits = text.strip_prefix(prefix).unwrap_or_default();
    (8..=17).contains(&digits.len()) && digits.bytes().all(|byte| b"0123456789abcdef".contains(&byte))
}

text_id!(
    /// An ARN of any service.
    Arn, "an ARN", |text| {
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        parts.len() == 6 && parts[0] == "arn" && parts[1].starts_with("aws") && !parts[2].is_empty() && !parts[5].is_empty()
            && text.chars().all(|character| !character.is_whitespace() && !character.is_control())
    }
);

impl Arn {
    fn part(&self, index: usize) -> &str {
        self.0.splitn(6, ':').nth(index).unwrap_or_default()
    }

    /// `aws`, `aws-cn` and so on.
    pub fn partition(&self) -> &str {
        self.part(1)
    }

    /// `iam`, `ecs` and so on.
    pub fn service(&self) -> &str {
        self.part(2)
    }

    /// The Region, if the ARN has one.
    pub fn region(&self) -> Option<Region> {
        self.part(3).parse().ok()
    }

    /// The account, if the ARN has one.
    pub fn account(&self) -> Option<AccountId> {
        self.part(4).parse().ok()
    }

    /// What comes behind the account.
    pub fn resource(&self) -> &str {
        self.part(5)
    }

    /// The family and the number, if this names a revision of a task definition.
    pub fn revision(&self) -> Option<(Family, u64)> {
        let (family, number) = self.resource().strip_prefix("task-definition/")?.rsplit_once(':')?;
        Some((family.parse().ok()?, number.parse().ok()?))
    }
}

/// A set of Regions with names of their own: what comes before `:` in an ARN and behind a host name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Partition {
    /// `aws`, `aws-cn`, ...
    pub name: &'static str,
    /// Domain of its endpoints.
    pub dns_suffix: &'static str,
}

/// Prefixes of Region names and the partitions they stand for, as botocore's `partitions.json` lists them.
const PARTITIONS: [(&str, Partition); 8] = [
    ("cn-", Partition { name: "aws-cn", dns_suffix: "amazonaws.com.cn" }),
    ("us-gov-", Partition { name: "aws-us-gov", dns_suffix: "amazonaws.com" }),
    ("us-iso-", Partition { name: "aws-iso", dns_suffix: "c2s.ic.gov" }),
    ("us-isob-", Partition { name: "aws-iso-b", dns_suffix: "sc2s.sgov.gov" }),
    ("eu-isoe-", Partition { name: "aws-iso-e", dns_suffix: "cloud.adc-e.uk" }),
    ("us-isof-", Partition { name: "aws-iso-f", dns_suffix: "csp.hci.ic.gov" }),
    ("eusc-", Partition { name: "aws-eusc", dns_suffix: "amazonaws.eu" }),
    ("", Partition { name: "aws", dns_suffix: "amazonaws.com" }),
];

impl Region {
    /// The partition that the Region belongs to.
    pub fn partition(&self) -> Partition {
        let (_, partition) =
            PARTITIONS.iter().find(|(prefix, _)| self.0.starts_with(prefix)).expect("the last prefix is empty");
        *partition
    }
}

/// A role as a task definition names it: by its ARN or by its bare name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoleRef {
    text: String,
    arn: Option<Arn>,
}

impl RoleRef {
    /// Takes what stands in `taskRoleArn` or `executionRoleArn`.
    pub fn new(text: &str) -> Self {
        let arn = text.parse::<Arn>().ok().filter(|arn| arn.service() == "iam" && arn.resource().starts_with("role/"));
        Self { text: text.to_owned(), arn }
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it has the shape of a role's ARN or name; placeholders have not.
    pub fn is_well_formed(&self) -> bool {
        let name = self.name();
        (1..=64).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+=,.@_-".contains(&byte))
            && (self.arn.as_ref().is_some_and(|arn| arn.account().is_some()) || !self.text.contains([':', '/']))
    }

    /// Whether it is the ARN of a role, so that nobody has to guess the account.
    pub fn is_arn(&self) -> bool {
        self.is_well_formed() && self.account().is_some()
    }

    /// The friendly name, without the path: what IAM's API wants.
    pub fn name(&self) -> &str {
        self.text.rsplit('/').next().unwrap_or(&self.text)
    }

    /// Path and name as `app/web`, for patterns; a bare name for a role without a path.
    pub fn path_and_name(&self) -> &str {
        self.text.split_once(":role/").map_or(&self.text, |(_, path)| path)
    }

    /// The account, if the role is named by an ARN.
    pub fn account(&self) -> Option<AccountId> {
        self.arn.as_ref().and_then(Arn::account)
    }

    /// Whether a service owns the role, so that nobody may attach anything.
    pub fn is_service_linked(&self) -> bool {
        self.path_and_name().starts_with("aws-service-role/")
    }
}

impl fmt::Display for RoleRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The ARN of a service, which names its cluster: services have no other name that is theirs alone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ServiceRef {
    arn: Arn,
    cluster: String,
}

/// What names no service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the ARN of a service that names its cluster, as arn:aws:ecs:eu-west-1:111122223333:service/cluster/name")]
pub struct ServiceRefError;

impl ServiceRef {
    /// Its ARN.
    pub fn arn(&self) -> &Arn {
        &self.arn
    }

    /// Name of its cluster.
    pub fn cluster(&self) -> &str {
        &self.cluster
    }
}

impl FromStr for ServiceRef {
    type Err = ServiceRefError;

    fn from_str(text: &str) -> Result<Self, ServiceRefError> {
        let arn: Arn = text.parse().map_err(|_| ServiceRefError)?;
        let named = arn.resource().strip_prefix("service/").and_then(|name| name.split_once('/'));
        let (cluster, name) = named.filter(|_| arn.service() == "ecs").ok_or(ServiceRefError)?;
        let is_name = |name: &str| {
            (1..=255).contains(&name.len())
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
        };
        let cluster = Some(cluster).filter(|cluster| is_name(cluster) && is_name(name));
        let cluster = cluster.ok_or(ServiceRefError)?.to_owned();
        Ok(Self { arn, cluster })
    }
}

impl fmt::Display for ServiceRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.arn.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_parts_of_a_revision_arn() {
        let arn: Arn = "arn:aws-cn:ecs:cn-north-1:111122223333:task-definition/web-app:42".parse().expect("an ARN");
        assert_eq!(arn.region().expect("Region").partition().dns_suffix, "amazonaws.com.cn");
        assert_eq!(arn.account().expect("account").as_str(), "111122223333");
        let (family, number) = arn.revision().expect("revision");
        assert_eq!((family.as_str(), number), ("web-app", 42));
    }

    #[test]
    fn ids_of_vpcs_and_subnets_are_hexadecimal() {
        assert!("vpc-0a1b2c3d".parse::<VpcId>().is_ok() && "subnet-0123456789abcdef0".parse::<SubnetId>().is_ok());
        for text in ["vpc-1", "vpc-0a1b2c3g", "subnet-0a1b2c3d", "0a1b2c3d", "vpc-", "vpc-0A1B2C3D"] {
            assert!(text.parse::<VpcId>().is_err(), "{text}");
        }
    }

    #[test]
    fn partitions_follow_the_region_name() {
        for (region, name) in [
            ("eu-west-1", "aws"),
            ("us-gov-west-1", "aws-us-gov"),
            ("us-iso-east-1", "aws-iso"),
            ("us-isob-east-1", "aws-iso-b"),
            ("eusc-de-east-1", "aws-eusc"),
        ] {
            assert_eq!(region.parse::<Region>().expect("Region").partition().name, name);
        }
        assert!("nowhere".parse::<Region>().is_err());
    }

    #[test]
    fn a_role_is_known_by_its_last_path_part() {
        let role = RoleRef::new("arn:aws:iam::111122223333:role/app/blue/web");
        assert_eq!((role.name(), role.path_and_name()), ("web", "app/blue/web"));
        assert!(role.is_well_formed() && RoleRef::new("ecsTaskRole").is_well_formed());
        for placeholder in ["<TASK_ROLE_ARN>", "{{role}}", "", "arn:aws:iam::XXXX:role/app", "${ROLE}"] {
            assert!(!RoleRef::new(placeholder).is_well_formed(), "{placeholder}");
        }
        assert!(
            RoleRef::new("arn:aws:iam::111122223333:role/aws-service-role/ecs.amazonaws.com/X").is_service_linked()
        );
    }

    #[test]
    fn a_service_is_named_by_an_arn_with_its_cluster() {
        let named: ServiceRef = "arn:aws:ecs:eu-west-1:111122223333:service/prod/web".parse().expect("a service");
        assert_eq!(named.cluster, "prod");
        for text in [
            "web",
            "arn:aws:ecs:eu-west-1:111122223333:service/web",
            "arn:aws:ecs:eu-west-1:111122223333:service/prod/web/more",
            "arn:aws:ecs:eu-west-1:111122223333:cluster/prod",
            "arn:aws:s3:eu-west-1:111122223333:service/prod/web",
        ] {
            assert_eq!(text.parse::<ServiceRef>(), Err(ServiceRefError), "{text}");
        }
    }
}
