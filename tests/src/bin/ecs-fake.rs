//! Serves an empty world on the loopback interface, for the CLI, the demo and tests in other languages.
//!
//! `ecs-fake [--port N] [--region NAME] [--role PATH/NAME]... [--image REPOSITORY:TAG[=ARCHITECTURE,..]]...
//! [--manifests-of REPOSITORY:TAG]... [--upstream REPOSITORY:TAG]... [--queue NAME]... [--bus NAME]...
//! [--table NAME[=KEY,..]]... [--item TABLE=JSON]... [--function NAME[=JSON]]... [--answer NAME=JSON]... [--tls PEM]
//! [--latency MILLISECONDS] [--ports N] [--calls FILE]`
//!
//! Prints one line with the URL for `AWS_ENDPOINT_URL`, or N of them, all of the same world, for clients that are to have a
//! connection for each service. With `--tls` it speaks TLS by the certificate, chain and key in that file; with
//! `--latency` each answer takes so much longer; with `--calls` each call is written into that file as a line. The credentials to use are `test` and `test`. Images are in the private
//! registry, for `amd64` and `arm64` if nothing else is said; of `--manifests-of` the layers are not. What `--upstream`
//! names is an image for both architectures in `public.ecr.aws`, which a pull through a cache rule fetches. A table has the keys `kind` and `id` if
//! nothing else is said, and items come behind it. A function has the variables in an object of strings; what it answers to every
//! invocation is `null` unless `--answer` says otherwise.

use ecs_sidecar_core::json::{Document, Value};
use ecs_sidecar_tests::http::{Manner, Server};
use ecs_sidecar_tests::{Clock, Fault, Image, Principal, Registry, World, tls};
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

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
    let (mut port, mut ports, mut manner) = (0, 1_u16, Manner::default());
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("{argument} needs a value"))?;
        match argument.as_str() {
            "--port" => port = value.parse().map_err(|_| format!("{value} is not a port"))?,
            "--ports" => ports = value.parse().map_err(|_| format!("{value} is no number of ports"))?,
            "--tls" => manner.tls = Some(tls::acceptor(Path::new(&value))?),
            "--latency" => {
                let milliseconds = value.parse().map_err(|_| format!("{value} is no number of milliseconds"))?;
                manner.latency = Duration::from_millis(milliseconds);
            }
            "--calls" => write_calls(&world, Path::new(&value))?,
            "--role" => drop(world.add_role(&value)),
            "--queue" => drop(world.add_queue(&value)),
            "--bus" => world.add_bus(&value),
            "--table" | "--item" | "--function" | "--answer" => arrange(&world, &argument, &value)?,
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
    let _servers = serve(&world, port, ports, &manner).await?;
    std::future::pending().await
}

/// Serves the world on so many ports, and prints where.
async fn serve(world: &World, port: u16, ports: u16, manner: &Manner) -> Result<Vec<Server>, String> {
    let mut servers = Vec::new();
    for number in 0..ports {
        // A port that somebody named is the first one's.
        let port = if number == 0 { port } else { 0 };
        let server = Server::start_in_a_manner(world.clone(), port, manner.clone()).await;
        servers.push(server.map_err(|error| error.to_string())?);
    }
    let mut out = std::io::stdout();
    for server in &servers {
        writeln!(out, "{}", server.url()).and_then(|()| out.flush()).map_err(|error| error.to_string())?;
    }
    Ok(servers)
}

/// Has each call written into a file, as it comes.
fn write_calls(world: &World, file: &Path) -> Result<(), String> {
    let file = File::create(file).map_err(|error| format!("{}: {error}", file.display()))?;
    world.on_call(move |call| {
        let _best_effort = writeln!(&file, "{}:{} {}", call.service.label(), call.operation, call.target);
        Fault::None
    });
    Ok(())
}

/// What is said as `NAME=..`.
fn arrange(world: &World, argument: &str, value: &str) -> Result<(), String> {
    let (name, rest) = value.split_once('=').map_or((value, None), |(name, rest)| (name, Some(rest)));
    match (argument, rest) {
        ("--table", None) => world.add_table(name),
        ("--table", Some(keys)) => world.add_table_with_key(name, &keys.split(',').collect::<Vec<_>>()),
        ("--item", Some(item)) => world.put_item(name, item).map_err(|error| error.to_string())?,
        ("--function", variables) => {
            let variables = Document::parse(variables.unwrap_or("{}")).map_err(|error| error.to_string())?;
            let text = |value: Value<'_>| value.as_str().map(std::borrow::Cow::into_owned);
            let variables = variables.root().members().map(|(name, value)| Some((name.into_owned(), text(value)?)));
            let variables = variables.collect::<Option<Vec<_>>>().ok_or("a variable is not a string")?;
            let variables: Vec<_> = variables.iter().map(|(name, value)| (&**name, &**value)).collect();
            world.add_function(name, &variables);
        }
        ("--answer", Some(answer)) => {
            let answer = answer.to_owned();
            world.answer_invocations(name, move |_| Ok(answer.clone()));
        }
        _ => return Err(format!("{argument} needs NAME=JSON")),
    }
    Ok(())
}

fn tagged(image: &str) -> Result<(&str, &str), String> {
    image.rsplit_once(':').ok_or_else(|| format!("{image} has no tag"))
}
