//! Signatures: only the bytes that were signed are taken.

use crate::definitions::small;
use aws_sdk_ecs::config::interceptors::BeforeTransmitInterceptorContextMut;
use aws_sdk_ecs::config::{ConfigBag, Credentials, Intercept, RuntimeComponents};
use aws_sdk_ecs::error::{BoxError, ProvideErrorMetadata};
use aws_sdk_ecs::types::ContainerDefinition;
use aws_smithy_types::body::SdkBody;
use ecs_sidecar_tests::World;

/// What is done to a request, and when.
#[derive(Debug, Clone, Copy)]
enum Meddling {
    /// A letter of the body is changed after signing.
    BodyAfterSigning,
    /// A header is changed after signing.
    HeaderAfterSigning,
    /// The body is exchanged before signing, the length of the old one left: what is easily forgotten.
    LengthForgotten,
    /// The body is exchanged before signing, with its length.
    Properly,
}

#[derive(Debug)]
struct Meddle(Meddling);

impl Intercept for Meddle {
    fn name(&self) -> &'static str {
        "Meddle"
    }

    fn modify_before_retry_loop(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request_mut();
        let body = small("quite-another");
        match self.0 {
            Meddling::BodyAfterSigning | Meddling::HeaderAfterSigning => return Ok(()),
            Meddling::LengthForgotten => {}
            Meddling::Properly => {
                request.headers_mut().insert("content-length", body.len().to_string());
            }
        }
        *request.body_mut() = SdkBody::from(body);
        Ok(())
    }

    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request_mut();
        match self.0 {
            Meddling::BodyAfterSigning => {
                let body = std::str::from_utf8(request.body().bytes().unwrap())?.replace("web", "bad");
                *request.body_mut() = SdkBody::from(body);
            }
            Meddling::HeaderAfterSigning => {
                request.headers_mut().insert("x-amz-user-agent", "somebody else");
            }
            Meddling::LengthForgotten | Meddling::Properly => {}
        }
        Ok(())
    }
}

async fn register(config: aws_sdk_ecs::config::Builder, meddling: Meddling) -> Result<(), (String, String)> {
    let client = aws_sdk_ecs::Client::from_conf(config.build());
    let container = ContainerDefinition::builder().name("a").image("a").memory(64).build();
    let call = client.register_task_definition().family("web").container_definitions(container);
    let result = call.customize().interceptor(Meddle(meddling)).send().await;
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    result.map(|_| ()).map_err(|error| (text(error.code()), text(error.message())))
}

fn config(world: &World) -> aws_sdk_ecs::config::Builder {
    aws_sdk_ecs::config::Builder::from(&world.sdk_config())
}

#[tokio::test]
async fn a_request_that_was_changed_after_signing_is_refused() {
    let world = World::new();
    for (meddling, why) in [
        (Meddling::BodyAfterSigning, "changed after signing"),
        (Meddling::HeaderAfterSigning, "changed after signing"),
        (Meddling::LengthForgotten, "content-length"),
    ] {
        let (code, message) = register(config(&world), meddling).await.expect_err(&format!("{meddling:?}"));
        assert_eq!(code, "InvalidSignatureException", "{meddling:?}");
        assert!(message.contains(why), "{meddling:?}: {message}");
    }
    assert!(world.revisions("web").is_empty() && world.revisions("bad").is_empty());
    register(config(&world), Meddling::Properly).await.unwrap();
    assert_eq!(world.revisions("quite-another").len(), 1);
}

#[tokio::test]
async fn only_the_right_keys_open() {
    let world = World::new();
    let principal = world.principal().clone();
    let keys = |access: &str, secret: &str, token: Option<&str>| {
        let credentials = Credentials::new(access, secret, token.map(str::to_owned), None, "test");
        config(&world).credentials_provider(credentials)
    };
    let wrong_secret = keys(&principal.access_key, "wrong", None);
    assert_eq!(register(wrong_secret, Meddling::Properly).await.unwrap_err().0, "InvalidSignatureException");
    let unknown = keys("AKIAUNKNOWN", &principal.secret_key, None);
    assert_eq!(register(unknown, Meddling::Properly).await.unwrap_err().0, "UnrecognizedClientException");

    let session = world.as_principal("arn:aws:sts::111122223333:assumed-role/operator/reconcile");
    let (access, secret) = (&session.principal().access_key, &session.principal().secret_key);
    for token in [None, Some("stale")] {
        let error = register(keys(access, secret, token), Meddling::Properly).await.unwrap_err();
        assert_eq!(error.0, "UnrecognizedClientException", "{token:?}");
    }
    register(config(&session), Meddling::Properly).await.unwrap();
    assert_eq!(world.newest_active("quite-another").unwrap().registered_by, session.principal().arn);
}

#[tokio::test]
async fn iam_has_its_own_words_for_it() {
    let world = World::new();
    world.add_role("app");
    let credentials = Credentials::new(&*world.principal().access_key, "wrong", None, None, "test");
    let config = aws_sdk_iam::config::Builder::from(&world.sdk_config()).credentials_provider(credentials);
    let client = aws_sdk_iam::Client::from_conf(config.build());
    let error = client.get_role().role_name("app").send().await.unwrap_err();
    assert_eq!(error.code(), Some("SignatureDoesNotMatch"));
}

#[test]
fn a_request_without_a_signature_is_not_looked_at() {
    let world = World::new();
    let request = http::Request::builder()
        .method("POST")
        .uri("http://127.0.0.1/")
        .header("x-amz-target", "AmazonEC2ContainerServiceV20141113.RegisterTaskDefinition")
        .body(bytes::Bytes::from(small("web")))
        .unwrap();
    let response = world.handle(&request).unwrap();
    assert_eq!(response.status(), 403);
    assert!(world.revisions("web").is_empty());
}

#[tokio::test]
async fn a_world_that_trusts_believes_any_signature() {
    let world = World::new();
    world.trust_signatures();
    register(config(&world), Meddling::BodyAfterSigning).await.unwrap();
}
