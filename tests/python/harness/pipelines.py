"""The recipes of examples/pipelines, run as their runners would, as far as that goes without them.

Knows the files' formats: which commands there are, and with which variables and folders they run. Actions (`uses:`) are not
run. Knows nothing of what the commands do.
"""

import re
import sys
from pathlib import Path

import yaml

from .stack import REPOSITORY_ROOT

RECIPES = REPOSITORY_ROOT / "examples" / "pipelines"

# The part of ecspresso v2 that the recipes use, in its own words (options and templates as its README has them).
ECSPRESSO = '''#!{python}
import argparse, json, os, re
import boto3, yaml

def filled(text):
    env = re.sub(r"{{{{ env `(\\w+)` `([^`]*)` }}}}", lambda m: os.environ.get(m[1], m[2]), text)
    return re.sub(r"{{{{ must_env `(\\w+)` }}}}", lambda m: os.environ[m[1]], env)

parser = argparse.ArgumentParser()
verbs = parser.add_subparsers(dest="verb", required=True)
render, deploy = verbs.add_parser("render"), verbs.add_parser("deploy")
for verb in (render, deploy):
    verb.add_argument("--config", required=True)
render.add_argument("what", choices=["taskdef"])
deploy.add_argument("--skip-task-definition", action="store_true")
deploy.add_argument("--revision", type=int)
asked = parser.parse_args()
config = yaml.safe_load(filled(open(asked.config).read()))
definition = json.loads(filled(open(config["task_definition"]).read()))
if asked.verb == "render":
    print(json.dumps(definition, indent=2))
else:
    ecs = boto3.client("ecs", region_name=config["region"])
    if asked.skip_task_definition:
        revision = definition["family"] + ":" + str(asked.revision)
    else:
        revision = ecs.register_task_definition(**definition)["taskDefinition"]["taskDefinitionArn"]
    ecs.update_service(cluster=config["cluster"], service=config["service"], taskDefinition=revision)
'''


def write_ecspresso(file):
    """Writes what stands in for ecspresso, which is a program in Go."""
    file.write_text(ECSPRESSO.format(python=sys.executable))
    file.chmod(0o755)


def run_workflow(shell, file, folder, variables):
    """Runs the `run:` steps of a GitHub workflow's one job in `folder`. `variables` are the repository's."""
    workflow = yaml.safe_load(Path(file).read_text())
    assert workflow["defaults"]["run"]["shell"] == "bash"
    environment = {name: _filled(value, variables) for name, value in workflow["env"].items()}
    (job,) = workflow["jobs"].values()
    temp, path = folder / "runner-temp", folder / "github-path"
    temp.mkdir()
    path.touch()
    environment |= {"RUNNER_TEMP": str(temp), "GITHUB_PATH": str(path), "GITHUB_ACTIONS": "true", "CI": "true"}
    for step in job["steps"]:
        if "run" in step:
            assert "${{" not in step["run"], "what is filled into a script is run by it"
            added = [line for line in path.read_text().splitlines() if line]
            inherited = shell.environment["PATH"]
            shell.run(step["run"], folder=folder, **environment, PATH=":".join([*reversed(added), inherited]))


def run_buildspec(shell, file, folder, variables):
    """Runs the phases of a CodeBuild project in `folder`, all commands in one shell. `variables` are the project's."""
    buildspec = yaml.safe_load(Path(file).read_text())
    assert buildspec["version"] == 0.2 and buildspec["env"]["shell"] == "bash"
    order = ["install", "pre_build", "build", "post_build"]
    assert set(buildspec["phases"]) <= set(order) and set(buildspec) <= {"version", "env", "phases"}
    commands = [line for phase in order for line in buildspec["phases"].get(phase, {}).get("commands", [])]
    environment = {**buildspec["env"]["variables"], **variables, "HOME": str(folder / "home")}
    (folder / "home").mkdir()
    shell.run("\n".join(commands), folder=folder, **environment)


def _filled(value, variables):
    """`${{ vars.NAME }}` by the repository's variable."""
    return re.sub(r"\$\{\{ vars\.(\w+) \}\}", lambda match: variables[match[1]], value)
