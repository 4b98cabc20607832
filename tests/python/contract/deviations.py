"""Where the emulators do otherwise than our world, and whose fault it is.

By emulator: the calls, the members (a name stands for all below it), and the reason. What is not here has to be equal, and
what is here has to differ still. "Seen" is what was seen of ministack 1.5.33 and moto 5.2.5; what AWS does is of ECS's, IAM's
and EventBridge's API references.
"""

SERVICES = ["create a service", "describe services", "update a service"]
DEFINITIONS = ["register", "register the second", "describe a family", "describe with tags", "deregister"]
NEWEST = "describe the newest ACTIVE"


def of_service(*members):
    """Members of a service, as answers name it."""
    return [f"{outer}.{member}" for outer in ("service", "services[]") for member in members]


BOTH = [
    (
        ["create a cluster"],
        ["cluster.pendingTasksCount", "cluster.registeredContainerInstancesCount", "cluster.settings"],
        "our world: it leaves out what the operator does not read",
    ),
    (
        ["get a role"],
        ["Role.AssumeRolePolicyDocument", "Role.MaxSessionDuration"],
        "our world: it has no trust policies, and the operator asks only whether there is a role",
    ),
    (
        ["describe the group"],
        [f"logGroups[].{name}" for name in ("arn", "creationTime", "logGroupArn", "metricFilterCount", "storedBytes")],
        "our world: the operator asks only whether there is a group",
    ),
    (
        SERVICES,
        of_service(
            "availabilityZoneRebalancing",
            "currentServiceDeployment",
            "currentServiceRevisions",
            "deploymentConfiguration.bakeTimeInMinutes",
            "deploymentConfiguration.strategy",
        ),
        "the emulator: it knows no service deployments and no strategies",
    ),
    (
        [NEWEST],
        [f"taskDefinition.{name}" for name in ("cpu", "memory", "revision")],
        "the emulator: to a family it answers the newest revision of any status; in AWS it is the latest ACTIVE one",
    ),
]

MINISTACK = [
    *BOTH,
    ([NEWEST], ["taskDefinition.deregisteredAt"], "the emulator: it answers an INACTIVE revision, as above"),
    (
        SERVICES,
        of_service("pendingCount", "runningCount", "deployments[].pendingCount", "deployments[].runningCount"),
        "our world: tasks run when a test says so; the emulator's do at once",
    ),
    (SERVICES, of_service("healthCheckGracePeriodSeconds"), "the emulator: a value that nobody gave, and no load balancer"),
    (
        ["update in no cluster"],
        ["error"],
        "the emulator: of a missing cluster it says that the service is missing; in AWS it is ClusterNotFoundException",
    ),
    (
        ["attach nothing", "list attached"],
        ["error", "AttachedPolicies[]"],
        "the emulator: it attaches policies that do not exist; in AWS it is NoSuchEntity",
    ),
    (
        ["send too late"],
        ["error", "MD5OfMessageBody", "MessageId"],
        "the emulator: it takes any delay; in AWS 900 seconds are the most",
    ),
    (["describe the group"], ["logGroups[].logGroupClass"], "our world: as above"),
]

MOTO = [
    *BOTH,
    (["register"], ["tags"], "the emulator: its answer to a registration has no tags"),
    (
        [*DEFINITIONS, NEWEST],
        [f"taskDefinition.{name}" for name in ("registeredAt", "registeredBy", "deregisteredAt")],
        "the emulator: it does not know who registered when",
    ),
    (
        ["register without containers"],
        ["error", "taskDefinition"],
        "the emulator: it takes a definition without containers; in AWS it is ClientException",
    ),
    (
        SERVICES,
        of_service(
            "createdAt",
            "createdBy",
            "deploymentConfiguration",
            "deployments[].platformFamily",
            "enableECSManagedTags",
            "enableExecuteCommand",
        ),
        "the emulator: it leaves defaults out, and says a platform of Fargate for a service on instances",
    ),
    (["update"], ["ConsumedCapacity"], "the emulator: nobody asked for it with ReturnConsumedCapacity"),
    (
        ["put an event of AWS"],
        ["Entries[].ErrorCode", "Entries[].ErrorMessage", "Entries[].EventId", "FailedEntryCount"],
        "the emulator: it takes events in the name of AWS; in AWS the entry fails with NotAuthorizedForSourceException",
    ),
]
