//! Why a plan is what it is: one stable code for each reason.
//!
//! The codes are the metric's label, the event's reason and the machine-readable answer; they never change their
//! meaning. The table in docs/reasons.md is made from here.

/// Codes, and what each means for the person who reads it.
macro_rules! reasons {
    ($(#[$about:meta])* $name:ident; $($variant:ident $label:literal $meaning:literal;)*) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $(#[doc = $meaning] $variant,)*
        }

        impl $name {
            /// All reasons, in the order in which docs/reasons.md lists them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The stable code.
            pub fn label(self) -> &'static str {
                match self { $(Self::$variant => $label,)* }
            }

            /// What it means and what to do, in a sentence or two.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)* }
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.label())
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.label())
            }
        }
    };
}

pub(crate) use reasons;

reasons! {
    /// Why the plan is what it is. See the module.
    Reason;
    UpToDate "upToDate" "The definition has just what the policy asks for.";
    PolicyChanged "policyChanged" "What the policy asks for here differs from what was injected, so the sidecar is renewed.";
    Drifted "drifted" "The policy is the same, but the definition does not hold all that was injected (or holds it for another account, Region or cache), so it is renewed.";
    UpdatePending "updatePending" "The policy asks for something newer; it comes with the owner's next registration, because the policy says `updates: onNextRegistration`.";
    OptedOut "optedOut" "The definition says `ecs-sidecar/inject` = `false`, as a tag or a docker label of any container. What was injected is removed.";
    RemovalRequested "removalRequested" "Somebody asked by hand for the removal.";
    NothingToRemove "nothingToRemove" "There is no receipt in the definition, so nothing was injected that could be removed.";
    SourceInactive "sourceInactive" "The revision that ours was made from was deregistered, and nothing newer is built on ours; ours must not stay the latest.";
    NoActiveRevision "noActiveRevision" "The family has no ACTIVE revision: there never was one, or all were deregistered.";
    NotRequested "notRequested" "The policy is opt-in and the definition does not ask. Set the tag or docker label `ecs-sidecar/inject` = `true`.";
    NotSelected "notSelected" "The policy's selector leaves this definition out (family, tags, compatibility, architecture or network mode).";
    AsksForUnknownPolicy "asksForUnknownPolicy" "The definition asks for a policy by a name that does not exist here.";
    ConflictingRequests "conflictingRequests" "Tags and labels of the definition ask for different policies. Leave one.";
    UnknownPolicy "unknownPolicy" "The receipt is of a policy that is unknown here, so nobody can say what it should look like now.";
    PolicyDeleted "policyDeleted" "The policy whose sidecar the definition has is being deleted, so what was injected is removed.";
    InjectedElsewhere "injectedElsewhere" "A pipeline injected the sidecar, and would do it again; take it out there.";
    BrokenReceipt "brokenReceipt" "The receipt cannot be read, is there twice, or names places that no receipt may change. Remove the injected container by hand.";
    UserEdited "userEdited" "Somebody edited what was injected. It is theirs now; remove the container's receipt label to make that plain, or the container to have a fresh one.";
    Windows "windows" "The definition is for Windows, and the sidecar's image is for Linux.";
    ManagedInstances "managedInstances" "The definition is for ECS Managed Instances, where ECS runs a daemon for each instance by itself.";
    NetworkModeHost "networkModeHost" "In host mode the sidecar's port would be the instance's, which only one task can have. Run the daemon once for each instance instead.";
    NetworkModeNone "networkModeNone" "Without a network nobody reaches the sidecar, nor it AWS.";
    UnknownNetworkMode "unknownNetworkMode" "The network mode is none that ECS knows (a template's placeholder?), so it cannot be decided how the app would reach the sidecar.";
    UnknownCompatibility "unknownCompatibility" "The required compatibility is none that ECS knows (a template's placeholder?).";
    UnreadableSize "unreadableSize" "The task's cpu or memory is no size that ECS knows (a template's placeholder?).";
    NetworkDisabled "networkDisabled" "No container of the app could send to the sidecar: each has its network disabled, or is the log router.";
    InvalidDefinition "invalidDefinition" "ECS would refuse the definition as it is, in a way that leaves the decision open; `ecs-sidecar check` names it.";
    OwnDaemon "ownDaemon" "The definition already brings a daemon or collector for traces, or an app that is told to use one elsewhere. Theirs stays.";
    NameTaken "nameTaken" "A container of the user's has the sidecar's name.";
    PortTaken "portTaken" "A container of the user's listens on a port that the sidecar needs.";
    MemoryTooSmall "memoryTooSmall" "The task's memory has no room for the sidecar's reservation. Make the task larger, or let the policy do it (`capacity: grow`).";
    CeilingReached "ceilingReached" "The policy may grow tasks, but not as far as this one would need.";
    TooManyContainers "tooManyContainers" "The definition has ten containers already, ECS's limit.";
    TooLarge "tooLarge" "With the sidecar the definition would be longer than 64 KiB, ECS's limit.";
    WouldBeInvalid "wouldBeInvalid" "With the sidecar ECS would refuse the definition for something that is in order now.";
    NoTaskRole "noTaskRole" "The definition has no task role. On Fargate a default role can be given; on EC2 and EXTERNAL it would replace the identity that the app has from its instance, so say that the instance's role will do, or give the definition a role.";
    NoExecutionRole "noExecutionRole" "The definition has no execution role, which pulling from a private registry needs on Fargate. A default role can be given for definitions that are for Fargate alone.";
    RoleOtherAccount "roleOtherAccount" "A role of the definition belongs to another account.";
    RoleServiceLinked "roleServiceLinked" "A role of the definition is service-linked, so nothing can be attached to it.";
    RoleNotAllowed "roleNotAllowed" "A role of the definition is outside of what the stack lets the operator touch (parameter RolePattern).";
    RoleNotFound "roleNotFound" "A role of the definition does not exist.";
    RoleUnreadable "roleUnreadable" "The operator may not see what is attached to a role of the definition.";
    PermissionsMissing "permissionsMissing" "A role lacks a policy, and `permissions: verify` writes no IAM. The message names role and policy.";
    PolicyNotAllowed "policyNotAllowed" "The policy wants to attach a managed policy that the stack does not list.";
    UpstreamNotAllowed "upstreamNotAllowed" "The policy's image comes from an upstream that the stack does not list.";
    RolePolicyLimit "rolePolicyLimit" "The role has as many managed policies as IAM allows.";
    RoleNotModifiable "roleNotModifiable" "IAM lets nobody modify the role.";
    PolicyNotAttachable "policyNotAttachable" "IAM does not let the managed policy be attached to this role, or there is no such policy.";
    PermissionDenied "permissionDenied" "The operator may not attach the policy: its own role, a boundary or an organization's policy forbids it.";
    ImageNotCached "imageNotCached" "The sidecar's image is not in the private registry, and a task in a closed VPC could not fetch it.";
    ImageUnreadable "imageUnreadable" "The operator may not see whether the sidecar's image is in the private registry.";
    ImageDigestUnknown "imageDigestUnknown" "The policy pins the image by its digest, and nobody said which that is. Pass `--image-digest`.";
    ImageChanged "imageChanged" "The tag stands for a newer image now, or the policy refers to it in another way, so the sidecar is renewed.";
    ImageWouldExpire "imageWouldExpire" "The repository's lifecycle policy would delete the pinned image while revisions name it. Leave the sidecar's repository out of it.";
    ArchitectureMissing "architectureMissing" "The sidecar's image is not made for the architecture of the task (`runtimePlatform`).";
    ImageWarming "imageWarming" "The sidecar's image is being fetched into the private registry; the family is looked at again shortly.";
    ImageNotFetched "imageNotFetched" "The sidecar's image could not be fetched into the private registry; the message says what was in the way.";
    ImageNotUpstream "imageNotUpstream" "The upstream registry has no image of that name and tag, or the cache may not be filled: ECR answers the same to both.";
    ImageCorrupt "imageCorrupt" "What came of the sidecar's image is not what its digest says, again and again. Nothing refers to it.";
    RegistryThrottled "registryThrottled" "The registry answered that it was asked too often, again and again. Later it will work.";
    CacheRuleMissing "cacheRuleMissing" "No pull-through cache rule stands for the image's registry, and neither policy (`image.cacheRule`) nor stack (parameter ImageCache) lets the operator make one.";
    CachePrefixTaken "cachePrefixTaken" "The prefix that the cache rule should have is another registry's. What is in its repositories is not the sidecar's; choose another prefix (parameter CachePrefix).";
    CacheRuleLimit "cacheRuleLimit" "The account has as many pull-through cache rules as ECR allows.";
    CacheUnavailable "cacheUnavailable" "ECR has no pull-through cache in this Region. Push the image to the repository that the message names.";
    CacheUnreadable "cacheUnreadable" "The operator may not see the account's pull-through cache rules.";
    CacheRuleRefused "cacheRuleRefused" "ECR refused to make the pull-through cache rule, or the operator may not; the message has its words.";
    LogGroupMissing "logGroupMissing" "The sidecar would log to a group that does not exist, so that its tasks would not start; and neither policy (`logGroup.missing`) nor stack (parameter LogGroups) lets the operator make it.";
    LogGroupUnreadable "logGroupUnreadable" "The operator may not see whether the log group exists.";
    LogGroupRefused "logGroupRefused" "CloudWatch Logs refused to make the log group, or the operator may not; the message has its words.";
    Withdrawn "withdrawn" "The revision that was made from this very source was deregistered since. It is not made again until the source or the policy changes.";
    RegistrationRefused "registrationRefused" "ECS refused the patched definition.";
    FieldRefused "fieldRefused" "ECS refused a member that it had returned itself. Add its name to ECS_SIDECAR_DROP_MEMBERS.";
    Paused "paused" "Somebody paused the operator, so that it writes nothing; `ecs-sidecar resume` ends that.";
    BeingReconciled "beingReconciled" "Another invocation is at work on the family; it is looked at again shortly.";
    Paced "paced" "The operator's share of ECS's registrations is used up for now; the family is looked at again shortly.";
    Throttled "throttled" "AWS said that it was called too often, so everything waits a little.";
    RequiresMore "requiresMore" "The patched revision would need more of an instance than the original, so it was deregistered.";
}

impl Reason {
    /// Whether it passes by itself, or with whoever set it: what was decided stays as it is.
    pub fn passes(self) -> bool {
        [Self::ImageWarming, Self::Paused, Self::BeingReconciled, Self::Paced, Self::Throttled].contains(&self)
    }
}
