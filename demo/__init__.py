"""`make demo`: the operator at work in an emulator, from registration to patched revision."""

import sys
from pathlib import Path

# The harness is shared with the tests and lives among them.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "python"))
