"""Runs the demo; see `make demo`. Exit 0: all was as it must be. 1: something was not. 130, 143: stopped from outside."""

import argparse
import signal
import sys
import time

from . import ride, screen


def stop(number, _frame):
    """Ends the demo by way of its `with` blocks, so that the emulator and its directory go too."""
    for again in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(again, signal.SIG_IGN)  # a second Ctrl-C must not interrupt the cleaning up
    sys.exit(128 + number)


def main():
    options = argparse.ArgumentParser(prog="demo", description=__doc__)
    options.add_argument("--package", required=True, help="the reconcile function's zip that infra/package.py made")
    options.add_argument("--sweep-package", required=True, help="the sweep's zip")
    asked = options.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    started = time.monotonic()
    try:
        ride.run(asked.package, asked.sweep_package)
    except ride.NotAsExpected as differences:
        print(f"\n{screen.paint('demo: not as it should be', 'red', sys.stderr)}\n{differences}", file=sys.stderr)
        sys.exit(1)
    print(f"\n{screen.paint('demo: all as it should be', 'green')} ({time.monotonic() - started:.0f} s)")


if __name__ == "__main__":
    main()
