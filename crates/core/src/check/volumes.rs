//! Rules about volumes.

use super::place::{Findings, Place, Step, is_absent, name_of};
use super::task::is_name;
use super::{Rule, Task};
use crate::json::Value;
use crate::keys::{nested, task as keys};
use std::collections::HashSet;

pub(super) fn check(task: &Task<'_>, findings: &mut Findings) {
    let list = Place::member(keys::VOLUMES);
    let mut seen = HashSet::new();
    let mut at_launch = 0;
    for (index, volume) in task.fields.items(keys::VOLUMES).enumerate() {
        let name = name_of(volume).filter(|name| !name.is_empty());
        let place = list.step(Step::to(name.as_deref(), index));
        match &name {
            Some(name) => {
                if !is_name(name) {
                    let message = "a volume's name has up to 255 letters, digits, underscores and hyphens";
                    findings.add(Rule::VolumeName, &place.then(nested::NAME), message);
                }
                if !seen.insert(name.clone()) {
                    findings.add(Rule::DuplicateVolume, &place.then(nested::NAME), "another volume has this name");
                }
            }
            None if needs_name(volume) => {
                findings.add(Rule::MissingMember, &place.then(nested::NAME), "this volume needs a name");
            }
            None => {}
        }
        at_launch += usize::from(volume.get(nested::CONFIGURED_AT_LAUNCH).and_then(Value::as_bool) == Some(true));
        check_efs(volume, &place, findings);
        check_root(volume, &place, findings);
    }
    if at_launch > 1 {
        let message = format!("{at_launch} volumes are configured at launch, more than one");
        findings.add(Rule::TooManyLaunchVolumes, &list, message);
    }
}

fn needs_name(volume: Value<'_>) -> bool {
    [nested::EFS_VOLUME_CONFIGURATION, nested::S3_FILES_VOLUME_CONFIGURATION, nested::CONFIGURED_AT_LAUNCH]
        .iter()
        .filter_map(|key| volume.get(key))
        .any(|value| !is_absent(value) && value.raw() != "false")
}

fn check_efs(volume: Value<'_>, place: &Place<'_>, findings: &mut Findings) {
    let Some(efs) = volume.get(nested::EFS_VOLUME_CONFIGURATION) else {
        return;
    };
    let authorization = efs.get(nested::AUTHORIZATION_CONFIG);
    let is_set = |key| authorization.and_then(|authorization| super::text(authorization, key));
    let needed = is_set(nested::ACCESS_POINT_ID).is_some() || is_set(nested::IAM).as_deref() == Some("ENABLED");
    if needed && super::text(efs, nested::TRANSIT_ENCRYPTION).as_deref() != Some("ENABLED") {
        let efs = place.then(nested::EFS_VOLUME_CONFIGURATION);
        let message = "IAM authorization and access points need transit encryption";
        findings.add(Rule::EfsEncryption, &efs.then(nested::TRANSIT_ENCRYPTION), message);
    }
}

fn check_root(volume: Value<'_>, place: &Place<'_>, findings: &mut Findings) {
    let efs = volume.get(nested::EFS_VOLUME_CONFIGURATION);
    let s3 = volume.get(nested::S3_FILES_VOLUME_CONFIGURATION);
    let point = |object: Option<Value<'_>>, key| object.and_then(|object| super::text(object, key)).is_some();
    let efs_authorization = efs.and_then(|efs| efs.get(nested::AUTHORIZATION_CONFIG));
    for (key, file_system, has_access_point) in [
        (nested::EFS_VOLUME_CONFIGURATION, efs, point(efs_authorization, nested::ACCESS_POINT_ID)),
        (nested::S3_FILES_VOLUME_CONFIGURATION, s3, point(s3, nested::ACCESS_POINT_ARN)),
    ] {
        let root = file_system.and_then(|file_system| super::text(file_system, nested::ROOT_DIRECTORY));
        if has_access_point && root.is_some_and(|root| root != "/") {
            let place = place.then(key);
            let message = "with an access point, the root directory is absent or /";
            findings.add(Rule::AccessPointRoot, &place.then(nested::ROOT_DIRECTORY), message);
        }
    }
}
