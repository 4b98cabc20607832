//! Functions: how they are set up, and what they answer.

use aws_sdk_lambda::error::ProvideErrorMetadata;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::InvocationType;
use ecs_sidecar_tests::{Fault, World};

#[tokio::test]
async fn a_functions_configuration_is_read_by_name_or_arn() {
    let world = World::new();
    let arn = world.add_function("reconcile", &[("TABLE", "operator"), ("MODE", "act \"now\"")]);
    assert_eq!(arn, "arn:aws:lambda:eu-west-1:111122223333:function:reconcile");
    world.set_function_timeout("reconcile", 120);
    let client = aws_sdk_lambda::Client::new(&world.sdk_config());
    for name in ["reconcile", &*arn, "reconcile:$LATEST"] {
        let found = client.get_function_configuration().function_name(name).send().await.unwrap();
        let variables = found.environment().and_then(|environment| environment.variables()).unwrap();
        assert_eq!((&*variables["TABLE"], &*variables["MODE"], variables.len()), ("operator", "act \"now\"", 2));
        let rest = (found.function_name(), found.function_arn(), found.timeout(), found.version());
        assert_eq!(rest, (Some("reconcile"), Some(&*arn), Some(120), Some("$LATEST")));
    }
    let elsewhere = arn.replace("eu-west-1", "us-east-1");
    for (name, qualifier) in [("other", None), (&*elsewhere, None), ("reconcile", Some("7"))] {
        let request =
            client.get_function_configuration().function_name(name).set_qualifier(qualifier.map(str::to_owned));
        let error = request.send().await.unwrap_err();
        assert_eq!(error.raw_response().map(|response| response.status().as_u16()), Some(404));
        assert!(error.into_service_error().is_resource_not_found_exception(), "{name}");
    }
    world.deny("GetFunctionConfiguration", Some("reconcile"));
    let denied = client.get_function_configuration().function_name("reconcile").send().await.unwrap_err();
    assert_eq!(denied.code(), Some("AccessDeniedException"));
    assert!(world.call_lines()[0].starts_with("GetFunctionConfiguration reconcile"));
}

#[tokio::test]
async fn a_function_answers_what_a_test_says() {
    let world = World::new();
    world.add_function("sweep", &[]);
    let client = aws_sdk_lambda::Client::new(&world.sdk_config());
    let invoke = |payload: &str| client.invoke().function_name("sweep").payload(Blob::new(payload)).send();
    assert_eq!(invoke("{}").await.unwrap().payload().unwrap().as_ref(), b"null");
    let inside = world.clone();
    world.answer_invocations("sweep", move |payload| {
        inside.add_role("made-by-the-function");
        match payload {
            "{\"ok\":true}" => Ok(format!("{{\"said\":{payload}}}")),
            _ => Err("{\"errorMessage\":\"no\"}".to_owned()),
        }
    });
    let good = invoke("{\"ok\":true}").await.unwrap();
    assert_eq!((good.status_code(), good.function_error()), (200, None));
    assert_eq!(good.payload().unwrap().as_ref(), b"{\"said\":{\"ok\":true}}");
    let bad = invoke("{}").await.unwrap();
    assert_eq!((bad.status_code(), bad.function_error()), (200, Some("Unhandled")));
    assert_eq!(bad.payload().unwrap().as_ref(), b"{\"errorMessage\":\"no\"}");
    assert_eq!(world.invocations("sweep"), ["{}", "{\"ok\":true}", "{}"]);
    assert_eq!(world.call_lines().last().unwrap(), "Invoke sweep (Unhandled)");
    let missing = client.invoke().function_name("other").send().await.unwrap_err();
    assert!(missing.into_service_error().is_resource_not_found_exception());
    let invoke = |kind| client.invoke().function_name("sweep").invocation_type(kind).payload(Blob::new("7")).send();
    let queued = invoke(InvocationType::Event).await.unwrap();
    assert_eq!((queued.function_error(), queued.payload()), (None, None));
    assert_eq!(world.invocations("sweep").last().unwrap(), "7", "it is known, and nobody answers");
    let dry = invoke(InvocationType::DryRun).await.unwrap_err();
    assert!(dry.into_service_error().is_invalid_parameter_value_exception(), "the fake knows no dry run");
}

#[tokio::test]
async fn an_invocation_whose_answer_is_lost_happened() {
    let world = World::new();
    world.add_function("sweep", &[]);
    world.on_call(|call| if call.sequence == 1 { Fault::ApplyAndLoseAnswer } else { Fault::None });
    let client = aws_sdk_lambda::Client::new(&world.sdk_config());
    client.invoke().function_name("sweep").payload(Blob::new("1")).send().await.unwrap();
    assert_eq!(world.invocations("sweep"), ["1", "1"], "the client asked again");
}
