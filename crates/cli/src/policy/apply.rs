//! `policy apply`: puts documents into the operator's table, as they were written.

use crate::arguments::ApplyArguments;
use crate::error::Error;
use crate::input;
use crate::online::{Aws, Stack};
use anstyle::{AnsiColor, Style};
use ecs_sidecar_aws::standing::{Standing, StoredPolicy};
use ecs_sidecar_core::plan::managed_policies;
use ecs_sidecar_core::policy::{Advice, Policy, advice};
use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

const WARNING: Style = AnsiColor::Yellow.on_default().bold();

/// How long a document may be: DynamoDB keeps 400 KB in an item, and all policies are read for each look at a family.
const LIMIT: usize = 64 * 1024;

/// A file that holds a policy.
struct Document {
    text: String,
    policy: Policy,
}

/// What becomes of a policy in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deed {
    Create,
    Configure,
    /// It was being deleted.
    Revive,
    Nothing,
}

/// Validates all, then writes them one by one. 1 if one is no policy.
pub(crate) fn run(arguments: &ApplyArguments, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let documents = match read(&arguments.files)? {
        Ok(documents) => documents,
        Err(code) => return Ok(code),
    };
    let aws = Aws::connect(&arguments.stack.aws)?;
    aws.run(async {
        let stack = aws.stack(&arguments.stack).await?;
        let standing = stack.table.standing(&stack.settings).await?;
        let mut notes = anstream::stderr();
        for warning in documents.iter().flat_map(|document| warnings(document, &stack, &standing)) {
            // Standard error may be closed.
            let _ = writeln!(notes, "{WARNING}warning:{WARNING:#} {warning}");
        }
        let stored = |name: &str| standing.stored.iter().find(|stored| stored.name == name).cloned();
        if arguments.dry_run {
            for Document { text, policy } in &documents {
                let deed = Deed::of(stored(policy.name()).as_ref(), text);
                writeln!(out, "policy {} {} (dry run)", policy.name(), deed.done())?;
            }
            return Ok(ExitCode::SUCCESS);
        }
        let by = aws.caller().await?;
        for document in &documents {
            let name = document.policy.name();
            let deed = put(&stack, document, stored(name), &by).await?;
            writeln!(out, "policy {name} {}", deed.done())?;
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// All that the files hold, or the exit code if one of them is at fault; which and why is told.
fn read(files: &[impl AsRef<Path>]) -> Result<Result<Vec<Document>, ExitCode>, Error> {
    let (mut documents, mut names, mut code) = (Vec::new(), BTreeSet::new(), 0);
    for path in files.iter().map(AsRef::as_ref) {
        let found = input::policy_document(path).and_then(|(text, policy)| {
            let (bytes, name) = (text.len(), policy.name().to_owned());
            if bytes > LIMIT {
                return Err(Error::LongPolicy { file: input::name(path), bytes, limit: LIMIT });
            }
            if !names.insert(name.clone()) {
                return Err(Error::TwiceNamed { name });
            }
            Ok(Document { text, policy })
        });
        match found {
            Ok(document) => documents.push(document),
            Err(error) => {
                code = code.max(error.code());
                error.tell(&mut anstream::stderr().lock());
            }
        }
    }
    if code == 0 {
        return Ok(Ok(documents));
    }
    if !documents.is_empty() {
        // Standard error may be closed; the exit code says it too.
        let _ = writeln!(anstream::stderr(), "nothing was applied");
    }
    Ok(Err(ExitCode::from(code)))
}

/// Writes one, in the place of what was read of it. Somebody else may be faster once.
async fn put(stack: &Stack, document: &Document, before: Option<StoredPolicy>, by: &str) -> Result<Deed, Error> {
    let (name, text) = (document.policy.name(), &document.text);
    let mut before = before;
    for _ in 0..2 {
        let deed = Deed::of(before.as_ref(), text);
        if deed == Deed::Nothing || stack.table.apply(name, text, before.as_ref(), by).await? {
            return Ok(deed);
        }
        before = stack.table.policy(name).await?;
    }
    Err(Error::Raced { object: format!("policy {name}") })
}

impl Deed {
    fn of(stored: Option<&StoredPolicy>, text: &str) -> Self {
        match stored {
            None => Self::Create,
            Some(stored) if stored.deleting => Self::Revive,
            Some(stored) if stored.text == text => Self::Nothing,
            Some(_) => Self::Configure,
        }
    }

    fn done(self) -> &'static str {
        match self {
            Self::Create => "created",
            Self::Configure => "configured",
            Self::Revive => "configured: it was being deleted, and is not any more",
            Self::Nothing => "unchanged",
        }
    }
}

/// What is allowed, and probably not meant: in the document, and in this stack.
fn warnings(document: &Document, stack: &Stack, standing: &Standing) -> Vec<String> {
    let (policy, settings) = (&document.policy, &stack.settings);
    let (name, bounds) = (policy.name(), &settings.plan.bounds);
    let of_document = advice(policy).into_iter().map(|Advice { place, message }| format!("{name}: {place}: {message}"));
    let mut warnings: Vec<String> = of_document.collect();
    let image = &policy.spec.image.upstream;
    if !bounds.allow_upstream(image) {
        warnings.push(format!(
            "{name}: the stack does not list {image} (parameter AllowedUpstreams), so every family is skipped"
        ));
    }
    let wanted = managed_policies(policy, &settings.account, &settings.region);
    for arn in wanted.iter().filter(|arn| !bounds.allow_policy(arn)) {
        warnings.push(format!(
            "{name}: the stack does not list {arn} (parameter TaskPolicyArns), so every family is skipped"
        ));
    }
    if settings.plan.policies.iter().any(|own| own.name() == name) {
        warnings.push(format!("{name}: it takes the place of the stack's own policy of that name"));
    }
    if standing.switch.uninstalling {
        warnings.push(format!(
            "{name}: the operator takes back all that it injected, whatever policies there are; \
             `ecs-sidecar uninstall --cancel` ends that"
        ));
    }
    warnings
}
