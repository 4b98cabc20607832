#!/usr/bin/env bash
# Deploys with ecspresso what has its sidecar already. Needs AWS_REGION, ACCOUNT, CLUSTER, SERVICE and IMAGE_TAG.
set -euo pipefail

# With its values filled in: a definition with placeholders is left alone.
ecspresso render --config ecspresso.yml taskdef > rendered.json
ecs-sidecar inject rendered.json > patched.json
TASK_DEFINITION=patched.json ecspresso deploy --config ecspresso.yml
