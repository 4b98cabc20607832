//! IAM, ECR, SQS and STS, as far as they are there.

use aws_sdk_ecr::types::ImageIdentifier;
use aws_sdk_iam::error::ProvideErrorMetadata;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use bytes::Bytes;
use ecs_sidecar_tests::World;

const DAEMON: &str = "arn:aws:iam::aws:policy/AWSXRayDaemonWriteAccess";

async fn attach(world: &World, role: &str, policy: &str) -> Result<(), String> {
    let client = aws_sdk_iam::Client::new(&world.sdk_config());
    let call = client.attach_role_policy().role_name(role).policy_arn(policy);
    call.send().await.map(|_| ()).map_err(|error| error.code().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn attaching_is_idempotent_and_refuses_what_iam_refuses() {
    let world = World::new();
    let arn = world.add_role("app/blue/web");
    assert_eq!(arn, "arn:aws:iam::111122223333:role/app/blue/web");
    attach(&world, "web", DAEMON).await.unwrap();
    attach(&world, "web", DAEMON).await.unwrap();
    assert_eq!(world.attached("web"), [DAEMON]);

    world.add_role("aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS");
    for (role, policy, code) in [
        ("nobody", DAEMON, "NoSuchEntity"),
        ("web", "arn:aws:iam::aws:policy/NoSuchPolicy", "NoSuchEntity"),
        ("web", "arn:aws:iam::aws:policy/aws-service-role/AmazonECSServiceRolePolicy", "PolicyNotAttachable"),
        ("AWSServiceRoleForECS", DAEMON, "UnmodifiableEntity"),
    ] {
        assert_eq!(attach(&world, role, policy).await.unwrap_err(), code, "{role} {policy}");
    }
    world.deny("AttachRolePolicy", Some("web"));
    assert_eq!(attach(&world, "web", DAEMON).await.unwrap_err(), "AccessDenied");
    assert_eq!(world.attached("web"), [DAEMON]);
}

#[tokio::test]
async fn a_role_has_room_for_twenty_policies() {
    let world = World::new();
    world.add_role("web");
    for number in 0..20 {
        attach(&world, "web", &world.add_policy(&format!("p{number}"))).await.unwrap();
    }
    assert_eq!(attach(&world, "web", DAEMON).await.unwrap_err(), "LimitExceeded");
    let already = world.attached("web")[0].clone();
    attach(&world, "web", &already).await.unwrap();
    assert_eq!(world.attached("web").len(), 20);
    world.set_policy_quota(21);
    attach(&world, "web", DAEMON).await.unwrap();
}

#[tokio::test]
async fn attached_policies_are_paged() {
    let world = World::new();
    world.add_role("app/web");
    for number in 0..5 {
        world.attach("web", &world.add_policy(&format!("p<{number}>&")));
    }
    let client = aws_sdk_iam::Client::new(&world.sdk_config());
    let (mut seen, mut marker, mut pages) = (Vec::new(), None, 0);
    loop {
        let list = client.list_attached_role_policies().role_name("web").max_items(2).set_marker(marker);
        let page = list.send().await.unwrap();
        seen.extend(page.attached_policies().iter().filter_map(|policy| policy.policy_arn().map(str::to_owned)));
        pages += 1;
        marker = page.marker().map(str::to_owned);
        if !page.is_truncated() {
            break;
        }
    }
    assert_eq!((pages, seen), (3, world.attached("web")));
    let role = client.get_role().role_name("web").send().await.unwrap();
    let role = role.role().unwrap();
    assert_eq!((role.path(), role.arn()), ("/app/", "arn:aws:iam::111122223333:role/app/web"));
    let other = world.as_principal("arn:aws:iam::444455556666:user/other");
    let client = aws_sdk_iam::Client::new(&other.sdk_config());
    let error = client.get_role().role_name("web").send().await.unwrap_err();
    assert_eq!(error.code(), Some("NoSuchEntity"), "roles of another account are not there");
}

#[tokio::test]
async fn an_image_is_there_by_its_tag_or_it_is_not() {
    let world = World::new();
    let repository = "ecr-public/xray/aws-xray-daemon";
    let digest = world.add_image(repository, "3.x");
    let client = aws_sdk_ecr::Client::new(&world.sdk_config());
    let describe = |repository: &str, tag: &str| {
        let id = ImageIdentifier::builder().image_tag(tag).build();
        client.describe_images().repository_name(repository).image_ids(id).send()
    };
    let found = describe(repository, "3.x").await.unwrap();
    assert_eq!(found.image_details()[0].image_digest(), Some(&*digest));
    assert_eq!(found.image_details()[0].image_tags(), ["3.x"]);
    let missing = describe(repository, "4.x").await.unwrap_err().into_service_error();
    assert!(missing.is_image_not_found_exception(), "{missing:?}");
    let missing = describe("other", "3.x").await.unwrap_err().into_service_error();
    assert!(missing.is_repository_not_found_exception(), "{missing:?}");
    let elsewhere = client.describe_images().repository_name(repository).registry_id("444455556666").send().await;
    assert!(elsewhere.unwrap_err().into_service_error().is_repository_not_found_exception());
    let all = client.describe_images().repository_name(repository).send().await.unwrap();
    assert_eq!(all.image_details().len(), 3, "the index, and a manifest for each architecture");
}

#[tokio::test]
async fn a_message_arrives_with_its_delay() {
    let world = World::new();
    let url = world.add_queue("work");
    let client = aws_sdk_sqs::Client::new(&world.sdk_config());
    let sent = client.send_message().queue_url(&url).message_body("{}").delay_seconds(30).send().await.unwrap();
    assert_eq!(sent.md5_of_message_body(), Some("99914b932bd37a50b983c5e7c90ae93b"));
    let messages = world.messages("work");
    assert_eq!((&*messages[0].body, messages[0].delay_seconds, messages.len()), ("{}", 30, 1));
    let missing = client.send_message().queue_url(url.replace("work", "none")).message_body("{}").send().await;
    assert!(missing.unwrap_err().into_service_error().is_queue_does_not_exist());
    let late = client.send_message().queue_url(&url).message_body("{}").delay_seconds(901).send().await;
    assert_eq!(late.unwrap_err().code(), Some("InvalidParameterValue"));
}

#[test]
fn everybody_can_ask_who_they_are() {
    let world = World::new().as_principal("arn:aws:sts::444455556666:assumed-role/operator/reconcile");
    let response = world.handle(&signed(&world, "sts", "Action=GetCallerIdentity&Version=2011-06-15")).unwrap();
    let body = std::str::from_utf8(response.body()).unwrap();
    assert_eq!(response.status(), 200, "{body}");
    for part in
        ["<Arn>arn:aws:sts::444455556666:assumed-role/operator/reconcile</Arn>", "<Account>444455556666</Account>"]
    {
        assert!(body.contains(part), "{part} is not in {body}");
    }
}

/// A request of a service whose client is not worth compiling.
fn signed(world: &World, service: &str, body: &'static str) -> http::Request<Bytes> {
    let identity = world.credentials().into();
    let params = SigningParams::builder()
        .identity(&identity)
        .region(world.region())
        .name(service)
        .time(world.clock().now())
        .settings(SigningSettings::default())
        .build()
        .unwrap()
        .into();
    let headers = [("host", "sts.eu-west-1.amazonaws.com")];
    let uri = "https://sts.eu-west-1.amazonaws.com/";
    let signable = SignableRequest::new("POST", uri, headers.into_iter(), SignableBody::Bytes(body.as_bytes()));
    let mut request = http::Request::post(uri)
        .header("host", "sts.eu-west-1.amazonaws.com")
        .header("content-length", body.len())
        .body(Bytes::from(body))
        .unwrap();
    sign(signable.unwrap(), &params).unwrap().into_parts().0.apply_to_request_http1x(&mut request);
    request
}

#[tokio::test]
async fn a_policy_is_attached_at_once_and_shown_after_a_while() {
    let world = World::new();
    world.add_role("web");
    world.show_policies_after(10);
    let client = aws_sdk_iam::Client::new(&world.sdk_config());
    let shown = async || {
        let page = client.list_attached_role_policies().role_name("web").send().await.unwrap();
        page.attached_policies().len()
    };
    attach(&world, "web", DAEMON).await.unwrap();
    assert_eq!((world.attached("web").len(), shown().await), (1, 0));
    world.clock().advance(std::time::Duration::from_secs(10));
    assert_eq!(shown().await, 1);
}
