"""Commands as people paste them into bash, with the AWS CLI and jq that the tests have.

Knows where programs and credentials come from. Knows nothing of what is run.
"""

import os
import subprocess
import sys
from pathlib import Path

# The library, which is jq itself: the program is not everywhere.
JQ = """#!{python}
import sys

import jq

*options, program = sys.argv[1:]
assert options in ([], ["--exit-status"])
found = jq.compile(program).input_text(sys.stdin.read())
print(found.text())
sys.exit(bool(options) and not found.all()[-1])
"""


class Shell:
    """bash with `programs` (folders) before all others on the PATH, and AWS at `endpoint`."""

    def __init__(self, folder, endpoint, region, key, secret, programs=()):
        folder = Path(folder)
        self.write(folder / "jq", JQ.format(python=sys.executable))
        # The AWS CLI is beside this interpreter.
        programs = [str(folder), *(str(program) for program in programs), str(Path(sys.executable).parent)]
        self.environment = {
            "PATH": os.pathsep.join([*programs, os.environ["PATH"]]),
            "HOME": str(folder),
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
            "AWS_ACCESS_KEY_ID": key,
            "AWS_SECRET_ACCESS_KEY": secret,
            "AWS_PAGER": "",
        }

    @staticmethod
    def write(file, text):
        """Writes a program."""
        file.write_text(text)
        file.chmod(0o755)

    def run(self, line, expected=0, folder=None, **variables):
        """Standard output of a line, any part of which must not fail."""
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", line],
            cwd=folder,
            env={**self.environment, **variables},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == expected, f"{line}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout
