//! Schedules of EventBridge Scheduler, of all groups.
//!
//! Assumptions: `scheduler:ListSchedules`, `scheduler:GetSchedule`. Only those are read whole whose target is a cluster or
//! RunTask. Writes nothing.

use super::AT_ONCE;
use super::found::{Found, Looked, Place};
use super::machines::named_in;
use aws_sdk_scheduler::Client;
use aws_sdk_scheduler::operation::get_schedule::GetScheduleOutput;
use aws_sdk_scheduler::types::ScheduleSummary;
use aws_types::SdkConfig;
use ecs_sidecar_aws::Error;
use futures_util::future::join_all;

/// How the ARN of a universal target ends that runs a task; its input is that of the call.
const RUN_TASK: &str = ":aws-sdk:ecs:runTask";

/// Looks through all schedules.
pub(super) async fn look(config: &SdkConfig) -> Looked {
    let client = Client::new(config);
    let mut looked = Looked::default();
    let listed = client.list_schedules().into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
    let all = match listed {
        Ok(all) => all,
        Err(error) => {
            looked.refuse("scheduler:ListSchedules", &Error::call("ListSchedules", "this Region", &error));
            return looked;
        }
    };
    looked.seen = all.len();
    let runs_tasks = |schedule: &&ScheduleSummary| {
        let target = schedule.target.as_ref().map(|target| target.arn.as_str()).unwrap_or_default();
        target.contains(":cluster/") || target.ends_with(RUN_TASK)
    };
    let of_interest: Vec<&ScheduleSummary> = all.iter().filter(runs_tasks).collect();
    for some in of_interest.chunks(AT_ONCE) {
        for answer in join_all(some.iter().map(|schedule| get(&client, schedule))).await {
            match answer {
                Ok(schedule) => looked.found.extend(found(schedule)),
                Err(error) => looked.refuse("scheduler:GetSchedule", &error),
            }
        }
    }
    looked
}

async fn get(client: &Client, schedule: &ScheduleSummary) -> Result<GetScheduleOutput, Error> {
    let (group, name) = (schedule.group_name.clone(), schedule.name.clone().unwrap_or_default());
    let sent = client.get_schedule().set_group_name(group).name(&name).send().await;
    sent.map_err(|error| Error::call("GetSchedule", name, &error))
}

fn found(schedule: GetScheduleOutput) -> Vec<Found> {
    let (Some(group), Some(name), Some(target)) = (schedule.group_name, schedule.name, schedule.target) else {
        return Vec::new();
    };
    let place = |in_input| Place::Schedule { group: group.clone(), name: name.clone(), in_input };
    if let Some(parameters) = target.ecs_parameters {
        return vec![Found { place: place(false), names: parameters.task_definition_arn }];
    }
    let input = target.input.filter(|_| target.arn.ends_with(RUN_TASK)).unwrap_or_default();
    named_in(&input).into_iter().map(|names| Found { place: place(true), names }).collect()
}
