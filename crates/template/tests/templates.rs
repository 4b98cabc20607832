//! Runs every template through the transformation. A folder of `tests/templates` is a test; `UPDATE_TEMPLATES=1` writes
//! `result.json` anew, to be read.
//!
//! `template.yaml` is the template as CloudFormation sends it (every intrinsic in its long form), `case.yaml` what is told
//! beside it and what must come, `policy.yaml` the policy if it is not the preset, `result.json` the result.

mod kept;

use ecs_sidecar_core::bounds::Bounds;
use ecs_sidecar_core::cache::{CacheRule, CacheState};
use ecs_sidecar_core::names;
use ecs_sidecar_core::observed::{ImageState, StoredImage};
use ecs_sidecar_core::plan::{Asked, Decision, Settings};
use ecs_sidecar_core::policy::{Architecture, PermissionsMode, Policy};
use ecs_sidecar_core::reason::Reason;
use ecs_sidecar_core::receipt::Injector;
use ecs_sidecar_template::{Found, Place, Template, Told, Transformed};
use kept::keeps;
use libtest_mimic::{Arguments, Failed, Trial};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Case {
    #[expect(dead_code, reason = "for people")]
    about: String,
    region: Option<String>,
    #[serde(default)]
    parameters: Map<String, Value>,
    /// `present` (the default), `missing` or `refused`.
    image: Option<String>,
    /// Globs of roles that the stack allows.
    roles: Option<Vec<String>>,
    #[serde(default)]
    verify: bool,
    default_task_role: Option<String>,
    default_execution_role: Option<String>,
    /// Each resource and its decision, with the reason of a skip.
    #[serde(default)]
    expect: BTreeMap<String, String>,
    /// Roles and what they are given.
    #[serde(default)]
    granted: BTreeSet<String>,
    /// Texts of which each must stand in the problems; then there is no result.
    #[serde(default)]
    problems: Vec<String>,
    /// What must not appear in the result.
    #[serde(default)]
    absent: Vec<String>,
}

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/templates");
    let entries = std::fs::read_dir(&root).expect("tests/templates is there");
    let mut folders: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    folders.sort();
    let mut trials = vec![Trial::test("there_are_enough_templates", {
        let count = folders.len();
        move || if count >= 30 { Ok(()) } else { Err(format!("only {count}").into()) }
    })];
    trials.push(Trial::test("spellings_are_written_down_for_their_judge", spellings));
    trials.extend(folders.into_iter().map(|folder| {
        let name = folder.file_name().expect("a name").to_string_lossy().into_owned();
        Trial::test(name, move || run(&folder))
    }));
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

/// The members and their properties, which a test with CloudFormation's schema at hand judges.
fn spellings() -> Result<(), Failed> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/spellings.txt");
    let text: String = ecs_sidecar_template::spellings()
        .into_iter()
        .map(|(member, property)| format!("{member} {property}\n"))
        .collect();
    if std::env::var_os("UPDATE_TEMPLATES").is_some() {
        std::fs::write(&file, &text)?;
    }
    assert_eq!(text, std::fs::read_to_string(&file)?, "spellings.txt is stale");
    Ok(())
}

fn run(folder: &Path) -> Result<(), Failed> {
    let read = |file: &str| std::fs::read_to_string(folder.join(file));
    let case: Case = serde_saphyr::from_str(&read("case.yaml")?)?;
    let fragment: Value = serde_saphyr::from_str(&read("template.yaml")?)?;
    let template = template(&case, fragment)?;
    let (settings, place) = (settings(&case, folder)?, place(&template));
    let images = template.images(&settings).map(|needed| {
        let named = needed.into_iter().map(|(image, _)| (image.to_string(), found(&case)));
        named.collect()
    });
    let made = images.and_then(|images| template.transform(&settings, &place, &images));
    let result = folder.join("result.json");
    match made {
        Err(problems) => {
            let text = problems.to_string();
            assert!(!case.problems.is_empty(), "{text}");
            assert_eq!(text.lines().count(), case.problems.len(), "{text}");
            for (line, problem) in text.lines().zip(&case.problems) {
                assert!(line.contains(problem), "{line:?} does not say {problem:?}");
            }
            assert!(!result.exists(), "result.json is an orphan");
        }
        Ok(made) => {
            assert!(case.problems.is_empty(), "transformed");
            judge(&case, &template, &made);
            let text = serde_json::to_string_pretty(&made.fragment)? + "\n";
            if std::env::var_os("UPDATE_TEMPLATES").is_some() {
                std::fs::write(&result, &text)?;
            }
            assert_eq!(text, std::fs::read_to_string(&result)?, "result.json is stale");
            again(&template, &made, &settings, &place, &case);
        }
    }
    Ok(())
}

fn judge(case: &Case, template: &Template, made: &Transformed) {
    let told = |told: &Told| {
        let reason = told.reason.map(Reason::label).filter(|_| told.decision == Decision::Skip);
        let words = [Some(told.decision.label()), reason];
        (told.resource.clone(), words.into_iter().flatten().collect::<Vec<_>>().join(" "))
    };
    assert_eq!(made.told.iter().map(told).collect::<BTreeMap<_, _>>(), case.expect, "{:?}", made.told);
    let granted = made.told.iter().flat_map(|told| &told.granted);
    assert_eq!(granted.map(|(role, arn)| format!("{role} {arn}")).collect::<BTreeSet<_>>(), case.granted);
    let text = made.fragment.to_string();
    assert!(case.absent.iter().all(|absent| !text.contains(absent)), "something appears that must not");
    assert!(!text.contains('\u{E000}'), "a mark was left");
    if made.told.iter().all(|told| told.decision != Decision::Inject) {
        assert_eq!(made.fragment, template.fragment, "who gets no sidecar is left as it is");
    } else {
        keeps(&template.fragment, &made.fragment, "");
    }
}

/// A template that has its sidecars gets no more.
fn again(template: &Template, made: &Transformed, settings: &Settings, place: &Place, case: &Case) {
    let second = Template { fragment: made.fragment.clone(), ..template.clone() };
    let images = [(settings.policies[0].spec.image.upstream.clone(), found(case))].into_iter().collect();
    let second = second.transform(settings, place, &images).unwrap_or_else(|problems| panic!("again: {problems}"));
    assert_eq!(second.fragment, made.fragment, "{:?}", second.told);
}

fn template(case: &Case, fragment: Value) -> Result<Template, Failed> {
    let region = case.region.as_deref().unwrap_or("eu-west-1").parse()?;
    Ok(Template { fragment, parameters: case.parameters.clone(), account: "111122223333".parse()?, region })
}

fn place(template: &Template) -> Place {
    Place { registry: template.account.clone(), cache_prefix: names::DEFAULT_CACHE_PREFIX.to_owned() }
}

fn settings(case: &Case, folder: &Path) -> Result<Settings, Failed> {
    let own = folder.join("policy.yaml");
    let mut policy =
        if own.exists() { Policy::parse(&std::fs::read_to_string(own)?)? } else { Policy::preset("xray-daemon")? };
    let permissions = &mut policy.spec.permissions;
    permissions.default_task_role = case.default_task_role.clone();
    permissions.default_execution_role = case.default_execution_role.clone();
    if case.verify {
        permissions.mode = PermissionsMode::Verify;
    }
    let all = Bounds::unbounded();
    Ok(Settings {
        policies: vec![policy],
        deleted: BTreeSet::new(),
        bounds: Bounds { roles: case.roles.clone().unwrap_or_else(|| all.roles.clone()), ..all },
        asked: Asked::Standing,
        injector: Injector::Operator,
        version: "0.1.0".to_owned(),
        execution_policy_arn: Some("arn:aws:iam::111122223333:policy/ecs-sidecar-ExecutionPolicy".to_owned()),
    })
}

fn found(case: &Case) -> Found {
    let rule = CacheRule {
        prefix: names::DEFAULT_CACHE_PREFIX.to_owned(),
        upstream: names::ECR_PUBLIC.to_owned(),
        upstream_prefix: None,
    };
    let both = BTreeSet::from([Architecture::X86, Architecture::Arm]);
    let image = match case.image.as_deref() {
        Some("missing") => ImageState::Missing,
        Some("refused") => ImageState::Refused("not authorized".to_owned()),
        Some(other) if other != "present" => panic!("no such image: {other}"),
        Some(_) | None => ImageState::Present(StoredImage {
            digest: format!("sha256:{}", "0".repeat(64)).parse().expect("a digest"),
            offered: Some(both.clone()),
            complete: both,
            unseen: None,
            age_hours: Some(0),
            expires: None,
        }),
    };
    (CacheState::Rule(rule), image)
}
