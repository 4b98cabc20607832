"""Where the benchmarks take place: the account and Region, and the programs that stand for both sides. Knows nothing else."""

from .parts import PROFILE, ROOT

ACCOUNT, REGION = "111122223333", "eu-west-1"
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
PROGRAMS = ROOT / "target" / {"dev": "debug"}.get(PROFILE, PROFILE)
FAKE = PROGRAMS / "ecs-fake"
PROGRAM = PROGRAMS / "ecs-sidecar"
