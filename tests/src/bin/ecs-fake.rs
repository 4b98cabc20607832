//! Serves an empty world on the loopback interface, for the CLI, the demo and tests in other languages.
//!
//! `ecs-fake [--port N] [--region NAME] [--role PATH/NAME]... [--image REPOSITORY:TAG[=ARCHITECTURE,..]]...
//! [--manifests-of REPOSITORY:TAG]... [--upstream REPOSITORY:TAG]... [--queue NAME]...`
//!
//! Prints one line with the URL for `AWS_ENDPOINT_URL`. The credentials to use are `test` and `test`. Images are in the private
//! registry, for `amd64` and `arm64` if nothing else is said; of `--manifests-of` the layers are not. What `--upstream`
//! names is an image for both architectures in `public.ecr.aws`, which a pull through a cache rule fetches.

use ecs_sidecar_tests::{Clock, Image, Principal, Registry, World, http::Server};
use std::io::Write;
use std::process::ExitCode;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            let _best_effort = writeln!(std::io::stderr(), "ecs-fake: {message}");
            ExitCode::from(2)
        }
    }
}

async fn run() -> Result<(), String> {
    let mut world = World::with_clock(Clock::of_the_machine()).with_principal(Principal {
        arn: "arn:aws:iam::111122223333:user/test".to_owned(),
        account: "111122223333".to_owned(),
        access_key: "test".to_owned(),
        secret_key: "test".to_owned(),
        session_token: None,
    });
    let mut port = 0;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("{argument} needs a value"))?;
        match argument.as_str() {
            "--port" => port = value.parse().map_err(|_| format!("{value} is not a port"))?,
            "--role" => drop(world.add_role(&value)),
            "--queue" => drop(world.add_queue(&value)),
            "--region" => world = world.at(&value),
            "--image" => {
                let (image, architectures) = value.split_once('=').unwrap_or((&value, "amd64,arm64"));
                let (repository, tag) = tagged(image)?;
                let architectures: Vec<&str> = architectures.split(',').collect();
                world.put_image(repository, tag, &Image::index(image, &architectures));
            }
            "--manifests-of" => {
                let (repository, tag) = tagged(&value)?;
                world.add_image(repository, tag);
                world.lose_layers(repository);
            }
            "--upstream" => {
                let (repository, tag) = tagged(&value)?;
                world.publish("public.ecr.aws", repository, tag, Image::index(&value, &["amd64", "arm64"]));
            }
            other => return Err(format!("{other} is not an option")),
        }
    }
    let _registry = Registry::start(&world).await.map_err(|error| error.to_string())?;
    let server = Server::start(world, port).await.map_err(|error| error.to_string())?;
    let mut out = std::io::stdout();
    writeln!(out, "{}", server.url()).and_then(|()| out.flush()).map_err(|error| error.to_string())?;
    std::future::pending().await
}

fn tagged(image: &str) -> Result<(&str, &str), String> {
    image.rsplit_once(':').ok_or_else(|| format!("{image} has no tag"))
}
