"""Which calls each function makes, and which permissions each of them takes: the one table that code and templates are held to.

A call is written as its service and operation in the AWS SDKs (`sqs:SendMessageBatch`), which is often, and not always, the name
of an action of IAM. Where it is not, or where it takes more, `ACTIONS` has the page that says so.
"""

# What the registry is asked is no call of the SDK: HTTP, in crates/aws/src/registry.rs.
READ_BLOB = "registry:small"  # a blob of an image that is there, by its digest
PULL = "registry:by_tag"  # an image through the cache, with all that it consists of

# https://docs.aws.amazon.com/ is left out of the sources.
ACTIONS = {
    # AmazonECR/latest/userguide/pull-through-cache-iam.html: the registry asks for the API's actions of each request; a puller whose image
    # is not cached needs BatchImportUpstreamImage, and CreateRepository where there is no repository yet.
    READ_BLOB: {"ecr:GetDownloadUrlForLayer"},
    PULL: {"ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:BatchImportUpstreamImage", "ecr:CreateRepository"},
    # AmazonECR/latest/userguide/slr-pullthroughcache.html: the first rule of an account makes ECR's role.
    "ecr:CreatePullThroughCacheRule": {"ecr:CreatePullThroughCacheRule", "iam:CreateServiceLinkedRole"},
    # AmazonECS/latest/developerguide/supported-iam-actions-tagging.html: tags ask for TagResource as well; and roles that are named are passed.
    "ecs:RegisterTaskDefinition": {"ecs:RegisterTaskDefinition", "ecs:TagResource", "iam:PassRole"},
    # AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-batch-api.html: a batch has the permission of one message.
    "sqs:SendMessageBatch": {"sqs:SendMessage"},
    # service-authorization/latest/reference/list_awslambda.html
    "lambda:Invoke": {"lambda:InvokeFunction"},
}


def actions_of(call):
    """The actions of IAM that a call takes."""
    return ACTIONS.get(call, {call})


_SEES = {
    "dynamodb:GetItem",
    "dynamodb:Query",
    "ecr:BatchCheckLayerAvailability",
    "ecr:BatchGetImage",
    "ecr:DescribeImages",
    "ecr:DescribePullThroughCacheRules",
    "ecr:GetAuthorizationToken",
    "ecr:GetLifecyclePolicy",
    READ_BLOB,
}
# What both functions of the operator do to decide.
_DECIDES = _SEES | {
    "ecs:DescribeTaskDefinition",
    "ecs:ListTaskDefinitions",
    "iam:ListAttachedRolePolicies",
    "iam:SimulatePrincipalPolicy",
    "logs:DescribeLogGroups",
}
SENDS = {
    "reconcile": _DECIDES
    | {
        PULL,
        "dynamodb:DeleteItem",
        "dynamodb:PutItem",
        "dynamodb:UpdateItem",
        "ecr:CreatePullThroughCacheRule",
        "ecs:DeregisterTaskDefinition",
        "ecs:DescribeServiceRevisions",
        "ecs:DescribeServices",
        "ecs:ListServiceDeployments",
        "ecs:RegisterTaskDefinition",
        "ecs:UpdateService",
        "events:PutEvents",
        "iam:AttachRolePolicy",
        "logs:CreateLogGroup",
        "logs:PutRetentionPolicy",
        "sqs:SendMessage",
    },
    "sweep": _DECIDES
    | {
        "dynamodb:DeleteItem",
        "dynamodb:PutItem",
        "dynamodb:UpdateItem",
        "ecs:DescribeServices",
        "ecs:ListClusters",
        "ecs:ListServices",
        "ecs:ListTaskDefinitionFamilies",
        "sqs:SendMessage",
        "sqs:SendMessageBatch",
    },
    "macro": _SEES,
}
# A sweep asks the one function that decides for its plan (`sweep --plan`). What would act on a plan is linked with it, is never
# reached without being told to reconcile, and has no right to: the role is narrower than the program.
PLANNED_ONLY = {
    PULL,
    "ecr:CreatePullThroughCacheRule",
    "ecs:DeregisterTaskDefinition",
    "ecs:RegisterTaskDefinition",
    "events:PutEvents",
    "iam:AttachRolePolicy",
    "logs:CreateLogGroup",
    "logs:PutRetentionPolicy",
}
# What Lambda does with a function's role: read a queue or a stream for it, and write its log. aws-managed-policy/latest/reference/
# AWSLambdaSQSQueueExecutionRole.html and AWSLambdaDynamoDBExecutionRole.html have them.
FOR_A_QUEUE = {"sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"}
FOR_A_STREAM = {"dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams"}
FOR_A_LOG = {"logs:CreateLogStream", "logs:PutLogEvents"}
# Ways to credentials that the SDK has on board. A function has its own in its environment, and takes none of them.
FOR_CREDENTIALS = {"sts:AssumeRole", "sts:AssumeRoleWithWebIdentity", "sso:GetRoleCredentials", "sso-oidc:CreateToken"}
# What a puller does, here the agent of ECS as the execution role: AmazonECR/latest/userguide/pull-through-cache-iam.html, and the
# first three actions of aws-managed-policy/latest/reference/AmazonECSTaskExecutionRolePolicy.html.
PULLS = ACTIONS[PULL] | {"ecr:BatchCheckLayerAvailability", "ecr:GetAuthorizationToken"}
