//! How definitions are looked at, as the command line says it.

use crate::arguments::Arguments;
use crate::error::Error;
use crate::input;
use ecs_sidecar_core::bounds::Bounds;
use ecs_sidecar_core::plan::{Asked, Settings};
use ecs_sidecar_core::receipt::Injector;

/// How a person wants a definition to be looked at, without a stack.
pub(crate) fn settings(arguments: &Arguments, asked: Asked) -> Result<Settings, Error> {
    let mut policy = input::policy(&arguments.policy)?;
    let permissions = &mut policy.spec.permissions;
    permissions.default_task_role = arguments.default_task_role.clone().or(permissions.default_task_role.take());
    permissions.default_execution_role =
        arguments.default_execution_role.clone().or(permissions.default_execution_role.take());
    permissions.trust_instance_role |= arguments.trust_instance_role;
    Ok(Settings {
        policies: vec![policy],
        deleted: std::collections::BTreeSet::new(),
        // Whoever runs this could write the definition by hand as well.
        bounds: Bounds::unbounded(),
        asked,
        injector: Injector::Cli,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        execution_policy_arn: None,
    })
}
