//! The network between an instance of a function and AWS: it takes its time, and things go wrong on it.
//!
//! Knows: the seam between the clients and their transport. Must not know: what the calls are for.
//!
//! This is also the scheduler: each request and each answer takes a time that was drawn for it, on a clock that jumps to the
//! next thing that happens. So calls of several workers come in any order, and in the same one each time.

use crate::chance::Draw;
use crate::deeds::name;
use crate::definitions::{self, Flavour};
use crate::mishaps::Mishap;
use crate::scene::{Element, Scene, Turn, purpose};
use crate::worker::Instance;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use ecs_sidecar_tests::World;
use futures_util::FutureExt as _;
use serde_json::json;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::spawn_local;
use tokio::time::sleep;

/// The transport of one instance.
#[derive(Clone)]
pub(crate) struct Wire {
    pub(crate) scene: Arc<Scene>,
    pub(crate) instance: Arc<Instance>,
    /// The world as the operator sees it.
    pub(crate) world: World,
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Wire({})", self.instance.name)
    }
}

impl HttpClient for Wire {
    fn http_connector(&self, settings: &HttpConnectorSettings, parts: &RuntimeComponents) -> SharedHttpConnector {
        let inner = self.world.http_client().http_connector(settings, parts);
        SharedHttpConnector::new(Connector { wire: self.clone(), inner })
    }
}

#[derive(Debug)]
struct Connector {
    wire: Wire,
    inner: SharedHttpConnector,
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let Wire { scene, instance, .. } = self.wire.clone();
        let (inner, number) = (self.inner.clone(), instance.next_call());
        HttpConnectorFuture::new(async move {
            let (slot, incarnation) = (instance.slot, instance.incarnation);
            let mut draw = scene.script.chance.draw(&[purpose::CALL, slot, incarnation, number]);
            let (there, back) = (latency(&mut draw), latency(&mut draw));
            let mishap = draw.hits(scene.script.mishaps()).then(|| Mishap::drawn(&mut draw));
            let mishap = mishap.filter(|_| scene.has(Element::Mishap(slot, incarnation, number)));
            sleep(there).await;
            match mishap {
                Some(Mishap::DiesBefore) => {
                    scene.state().tally.mishap(Mishap::DiesBefore);
                    instance.die(&scene, "dies before a call is made");
                    return pending().await;
                }
                Some(Mishap::RequestLate) => {
                    let late = Duration::from_millis(draw.between(5_500, 15_000));
                    let (scene, instance) = (scene.clone(), instance.clone());
                    spawn_local(async move {
                        sleep(late).await;
                        let _ = answer(&scene, &instance, &inner, request, Some(Mishap::RequestLate));
                    });
                    return pending().await;
                }
                _ => {}
            }
            let answered = answer(&scene, &instance, &inner, request, mishap);
            let leased = scene.state().watch.just_leased.take();
            if let Some(family) = leased.filter(|_| draw.hits(150))
                && scene.has(Element::Rush(slot, incarnation, number))
            {
                rush(&scene, family, Duration::from_millis(draw.between(1, 300)), number);
            }
            if mishap == Some(Mishap::DiesAfter) {
                instance.die(&scene, "dies before the answer comes");
                return pending().await;
            }
            sleep(back).await;
            answered
        })
    }
}

/// Most calls take milliseconds, some take long, and a few longer than anybody waits.
fn latency(draw: &mut Draw) -> Duration {
    let longest = if draw.hits(15) { 3_500 } else { 40 };
    Duration::from_millis(draw.between(1, longest))
}

/// Somebody registers a version of the family in a moment.
fn rush(scene: &Arc<Scene>, family: String, soon: Duration, number: u64) {
    let scene = scene.clone();
    spawn_local(async move {
        sleep(soon).await;
        scene.set_clock();
        let text = definitions::registration(&family, 10_000 + number, Flavour::Fargate);
        if let Ok(arn) = scene.world.register(&text) {
            scene.tell("user", &format!("registers {} (in a rush)", name(&arn)));
            scene.state().tally.count("registered while somebody is at work");
            scene.event(json!({ "name": "RegisterTaskDefinition", "family": family, "arn": arn }).to_string());
        }
    });
}

/// The call arrives, and is answered.
fn answer(
    scene: &Arc<Scene>,
    instance: &Instance,
    inner: &SharedHttpConnector,
    request: HttpRequest,
    mishap: Option<Mishap>,
) -> Result<HttpResponse, ConnectorError> {
    scene.set_clock();
    scene.state().turn = Some(Turn { mishap, happened: None });
    let answered = inner.call(request).now_or_never();
    if let Some(call) = scene.world.take_calls().pop() {
        let objection = {
            let mut state = scene.state();
            let happened = state.turn.take().and_then(|turn| turn.happened);
            let told = match happened {
                Some(mishap) => format!("{} {} ({})", call.operation, call.target, mishap.label()),
                None => call.to_string(),
            };
            state.story.tell(scene.elapsed(), &instance.name, &told);
            state.tally.call(&call, happened);
            state.watch.see(&scene.world, instance, &call, happened)
        };
        if let Some(objection) = objection {
            scene.object(objection);
        }
        scene.deployed_by(&call);
    }
    scene.collect();
    answered.unwrap_or_else(|| Err(ConnectorError::user("the world does not answer at once".into())))
}
