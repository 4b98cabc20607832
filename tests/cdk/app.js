// An app as people write it with AWS CDK: a service, a scheduled job, a task on instances and a workflow, whose names and
// ARNs nobody knows before they are deployed. `node app.js FOLDER` writes the templates there; nothing is asked of AWS.
"use strict";

const { App, CfnParameter, Duration, Stack, Tags, aws_applicationautoscaling: autoscaling } = require("aws-cdk-lib");
const { aws_dynamodb: dynamodb, aws_ec2: ec2, aws_ecr: ecr, aws_ecs: ecs, aws_ecs_patterns: patterns } = require("aws-cdk-lib");
const { aws_logs: logs, aws_secretsmanager: secrets, aws_stepfunctions: sfn } = require("aws-cdk-lib");
const { aws_stepfunctions_tasks: tasks } = require("aws-cdk-lib");

class Shop extends Stack {
  constructor(scope, id) {
    super(scope, id);
    const tag = new CfnParameter(this, "ImageTag");
    const repository = ecr.Repository.fromRepositoryName(this, "Repository", "shop/checkout");
    this.image = ecs.ContainerImage.fromEcrRepository(repository, tag.valueAsString);
    this.vpc = new ec2.Vpc(this, "Vpc", { maxAzs: 2, natGateways: 0 });
    this.cluster = new ecs.Cluster(this, "Cluster", { vpc: this.vpc });
    this.group = new logs.LogGroup(this, "Logs");
    this.service();
    this.scheduled();
    this.onInstances();
    this.workflow();
  }

  logging(streamPrefix) {
    return ecs.LogDrivers.awsLogs({ streamPrefix, logGroup: this.group });
  }

  service() {
    const table = new dynamodb.TableV2(this, "Orders", { partitionKey: { name: "id", type: dynamodb.AttributeType.STRING } });
    const key = new secrets.Secret(this, "PaymentKey");
    const definition = new ecs.FargateTaskDefinition(this, "Checkout", { cpu: 512, memoryLimitMiB: 1024 });
    definition.addContainer("app", {
      image: this.image,
      environment: { ORDERS_TABLE: table.tableName },
      secrets: { PAYMENT_KEY: ecs.Secret.fromSecretsManager(key) },
      logging: this.logging("checkout"),
      portMappings: [{ containerPort: 8080 }],
    });
    table.grantReadWriteData(definition.taskRole);
    Tags.of(definition).add("ecs-sidecar/inject", "true");
    new ecs.FargateService(this, "Service", {
      cluster: this.cluster,
      taskDefinition: definition,
      vpcSubnets: { subnetType: ec2.SubnetType.PRIVATE_ISOLATED },
    });
  }

  scheduled() {
    const job = new patterns.ScheduledFargateTask(this, "Nightly", {
      cluster: this.cluster,
      schedule: autoscaling.Schedule.rate(Duration.days(1)),
      subnetSelection: { subnetType: ec2.SubnetType.PRIVATE_ISOLATED },
      scheduledFargateTaskImageOptions: { image: this.image, cpu: 512, memoryLimitMiB: 1024, logDriver: this.logging("nightly") },
    });
    Tags.of(job.taskDefinition).add("ecs-sidecar/inject", "true");
  }

  onInstances() {
    const definition = new ecs.Ec2TaskDefinition(this, "Legacy", { networkMode: ecs.NetworkMode.BRIDGE });
    definition.addContainer("app", { image: this.image, memoryReservationMiB: 256, logging: this.logging("legacy") });
    Tags.of(definition).add("ecs-sidecar/inject", "true");
  }

  workflow() {
    const definition = new ecs.FargateTaskDefinition(this, "Report", { cpu: 256, memoryLimitMiB: 512 });
    definition.addContainer("app", { image: this.image, logging: this.logging("report") });
    const run = new tasks.EcsRunTask(this, "Run", {
      integrationPattern: sfn.IntegrationPattern.RUN_JOB,
      cluster: this.cluster,
      taskDefinition: definition,
      launchTarget: new tasks.EcsFargateLaunchTarget(),
      subnets: { subnetType: ec2.SubnetType.PRIVATE_ISOLATED },
    });
    new sfn.StateMachine(this, "Workflow", { definitionBody: sfn.DefinitionBody.fromChainable(run) });
  }
}

// Definitions that get no sidecar: one has a daemon, one declines, one shares its instance's ports.
class Left extends Stack {
  constructor(scope, id) {
    super(scope, id);
    const image = ecs.ContainerImage.fromRegistry("public.ecr.aws/docker/library/busybox:1");
    const traced = new ecs.FargateTaskDefinition(this, "Traced", { memoryLimitMiB: 1024 });
    traced.addContainer("app", { image });
    traced.addContainer("tracer", { image: ecs.ContainerImage.fromRegistry("public.ecr.aws/xray/aws-xray-daemon:3.x") });
    Tags.of(traced).add("ecs-sidecar/inject", "true");
    const declined = new ecs.FargateTaskDefinition(this, "Declined");
    declined.addContainer("app", { image });
    declined.node.defaultChild.addMetadata("EcsSidecar", { Inject: false });
    const onHost = new ecs.Ec2TaskDefinition(this, "OnHost", { networkMode: ecs.NetworkMode.HOST });
    onHost.addContainer("app", { image, memoryLimitMiB: 256, dockerLabels: { "ecs-sidecar/inject": "true" } });
  }
}

const [, , outdir] = process.argv;
if (!outdir) {
  console.error("usage: node app.js FOLDER");
  process.exit(2);
}
const app = new App({ outdir, analyticsReporting: false });
new Shop(app, "Shop");
new Left(app, "Left");
app.synth();
