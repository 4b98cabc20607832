#!/usr/bin/env bash
# Registers what ecspresso renders, waits for the operator's revision of it, and has ecspresso deploy that one. Needs
# AWS_REGION, ACCOUNT, CLUSTER, SERVICE and IMAGE_TAG.
set -euo pipefail

ecspresso render --config ecspresso.yml taskdef > rendered.json
registered=$(aws ecs register-task-definition --cli-input-json file://rendered.json \
  --query taskDefinition.taskDefinitionArn --output text)
# Without --or-itself nothing is deployed where the operator leaves the definition alone, or does not come in time.
revision=$(ecs-sidecar wait --or-itself "$registered")
ecspresso deploy --config ecspresso.yml --skip-task-definition --revision "${revision##*:}"
