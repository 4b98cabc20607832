//! Every code is produced once, by breaking that one thing in a world that is otherwise healthy.

mod broken;
mod world;

use super::{
    Code, Finding, Seen, State, examine, named_log_groups, required_actions, runs_on_fargate, wanted_architectures,
};
use crate::policy::Architecture;
use broken::BROKEN;
use world::{healthy, vpc};

fn codes(finding: &Finding) -> Vec<Code> {
    finding.all().into_iter().filter_map(|finding| finding.code).collect()
}

#[test]
fn a_healthy_world_has_nothing_but_ok() {
    let found = examine(&healthy());
    assert_eq!((codes(&found), found.state), (Vec::new(), State::Ok), "{found:#?}");
    assert_eq!((found.totals().missing, found.totals().not_checked), (0, 0));
    assert!(found.totals().ok > 30, "and much was looked at: {:?}", found.totals());
}

#[test]
fn each_broken_thing_gives_its_code_and_no_other() {
    for (code, what, break_it) in BROKEN {
        let mut sight = healthy();
        break_it(&mut sight);
        let found = examine(&sight);
        let mut found_codes = codes(&found);
        found_codes.dedup();
        assert_eq!(found_codes, [*code], "{what}: {found:#?}");
        assert_eq!(found.state, code.state(), "{what}");
    }
}

#[test]
fn every_code_is_produced_by_something_broken() {
    for code in Code::ALL {
        assert!(BROKEN.iter().any(|(broken, _, _)| broken == code), "nothing produces {code}");
    }
}

#[test]
fn what_is_missing_says_how_to_mend_it() {
    for (code, what, break_it) in BROKEN.iter().filter(|(code, _, _)| code.state() == State::Missing) {
        let mut sight = healthy();
        break_it(&mut sight);
        let found = examine(&sight);
        for finding in found.all().into_iter().filter(|finding| finding.code == Some(*code)) {
            let mend = finding.mend.as_deref().unwrap_or_default();
            assert!(!mend.is_empty() && !mend.contains("..."), "{what}: {mend:?}");
        }
    }
}

#[test]
fn labels_and_meanings_are_distinct() {
    let labels: std::collections::BTreeSet<&str> = Code::ALL.iter().map(|code| code.label()).collect();
    assert_eq!(labels.len(), Code::ALL.len());
    let mut sight = healthy();
    vpc(&mut sight).dns_support = Seen::Yes(false);
    let json = serde_json::to_value(examine(&sight)).expect("plain JSON");
    assert_eq!((&json["state"], json.get("code")), (&"missing".into(), None), "a group has no code of its own");
    assert!(json.to_string().contains(r#""code":"dnsSupportOff""#), "{json}");
}

#[test]
fn one_trail_that_logs_writes_here_is_enough() {
    let mut sight = healthy();
    world::the_trail(&mut sight).home_region = "us-east-1".to_owned();
    assert_eq!(codes(&examine(&sight)), [], "it logs all Regions, wherever it was made");
    let mut off = world::trail();
    off.is_logging = Seen::Yes(false);
    sight.trails = Seen::Yes(vec![off, world::trail()]);
    assert_eq!(codes(&examine(&sight)), []);
}

#[test]
fn one_command_creates_just_what_is_missing() {
    let mut sight = healthy();
    vpc(&mut sight).endpoints = world::endpoints(&["ecr.dkr", "s3", "logs"]);
    let found = examine(&sight);
    let group = found.all().into_iter().find(|finding| finding.subject == "endpoints").expect("the endpoints").clone();
    assert_eq!(
        group.mend.as_deref(),
        Some(
            "aws cloudformation deploy --template-file infra/cloudformation/endpoints.yaml \
             --stack-name ecs-sidecar-vpc-1-ecrapi-xray --parameter-overrides VpcId=vpc-1 SubnetIds=subnet-a,subnet-b \
             TaskSecurityGroup1=sg-task EcrApi=create EcrDkr=exists S3=exists Logs=exists Xray=create --region eu-west-1"
        )
    );
    vpc(&mut sight).endpoints = world::endpoints(&[]);
    vpc(&mut sight).task_groups = None;
    let found = examine(&sight);
    let all = found.all().into_iter().find_map(|finding| finding.mend.as_deref()).expect("a command");
    assert!(all.contains("RouteTableIds=rtb-1 TaskCidr=10.7.0.0/16 EcrApi=create EcrDkr=create S3=create"), "{all}");
}

#[test]
fn an_endpoint_that_answers_to_the_usual_name_counts_in_an_open_vpc_too() {
    let mut sight = healthy();
    world::open(&mut sight);
    assert_eq!(codes(&examine(&sight)), [], "all endpoints are fine");
    let mut closed = healthy();
    world::open(&mut closed);
    world::group(&mut closed, "sg-endpoint").inbound.clear();
    assert!(codes(&examine(&closed)).contains(&Code::EndpointClosed), "its name leads to it, not to the internet");
}

#[test]
fn an_internet_gateway_serves_only_what_has_a_public_address() {
    for (public, code) in [(Some(true), Code::InternetRoute), (Some(false), Code::EndpointMissing)] {
        let mut sight = healthy();
        world::route(&mut sight, "0.0.0.0/0", "igw-1");
        vpc(&mut sight).public_address = public;
        vpc(&mut sight).endpoints = world::endpoints(&["ecr.api", "ecr.dkr", "s3", "logs"]);
        assert_eq!(codes(&examine(&sight)), [code], "{public:?}");
    }
}

#[test]
fn secrets_and_container_instances_need_more_endpoints() {
    let mut sight = healthy();
    world::definition(&mut sight, |text| {
        text.replace(r#""name":"web""#, r#""name":"web","secrets":[{"name":"A","valueFrom":"/a"},{"name":"B","valueFrom":"arn:aws:secretsmanager:eu-west-1:111122223333:secret:b"}]"#)
    });
    sight.on_fargate = false;
    let missing: Vec<String> = examine(&sight)
        .all()
        .into_iter()
        .filter(|finding| finding.code == Some(Code::EndpointMissing))
        .map(|finding| finding.subject.clone())
        .collect();
    assert_eq!(missing, ["secretsmanager", "ssm", "ecs", "ecs-agent", "ecs-telemetry"]);
}

#[test]
fn a_definition_says_where_it_logs_what_it_runs_on_and_for_which_architecture() {
    let mut sight = healthy();
    let read = |sight: &super::Sight| {
        let task = sight.task.as_ref().expect("a definition");
        let groups: Vec<(String, bool)> = named_log_groups(task, &sight.region).into_iter().collect();
        (groups, runs_on_fargate(task), wanted_architectures(&sight.policy, Some(task)))
    };
    let group = |is_created| vec![("/shop/web".to_owned(), is_created)];
    assert_eq!(read(&sight), (group(false), true, vec![Architecture::X86]));
    world::definition(&mut sight, |text| {
        text.replace(r#""awslogs-region""#, r#""awslogs-create-group":"true","awslogs-region""#)
            .replace(r#"["FARGATE"]"#, r#"["EC2"],"runtimePlatform":{"cpuArchitecture":"ARM64"}"#)
    });
    assert_eq!(read(&sight), (group(true), false, vec![Architecture::Arm]));
    world::definition(&mut sight, |text| text.replace(r#"region":"eu-west-1""#, r#"region":"eu-north-1""#));
    assert_eq!(read(&sight).0, [], "another Region's log groups are not looked for here");
    assert_eq!(wanted_architectures(&sight.policy, None), [Architecture::X86, Architecture::Arm]);
}

#[test]
fn the_execution_role_pulls_the_apps_own_images_too() {
    let mut sight = healthy();
    world::definition(&mut sight, |text| {
        text.replace(
            r#""image":"web:7""#,
            r#""image":"111122223333.dkr.ecr.eu-west-1.amazonaws.com/shop/web@sha256:00""#,
        )
    });
    let (task, execution) = required_actions(&sight);
    assert_eq!(task.len(), 1);
    let resources: Vec<&str> = execution.iter().map(|actions| actions.resource.as_str()).collect();
    let repository = |name: &str| format!("arn:aws:ecr:eu-west-1:111122223333:repository/{name}");
    let logs = "arn:aws:logs:eu-west-1:111122223333:log-group:/shop/web:log-stream:task";
    assert_eq!(resources, ["*", &repository("ecr-public/xray/aws-xray-daemon"), &repository("shop/web"), logs]);
}
