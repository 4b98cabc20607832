"""A task that runs once, traced with the X-Ray SDK for Python.

Where the daemon is, is not said here: beside the app in awsvpc mode (127.0.0.1:2000, the SDK's default), and where
AWS_XRAY_DAEMON_ADDRESS says in bridge mode. The sidecar's injection sees to both.
"""

from aws_xray_sdk.core import patch_all, xray_recorder

# A tuple of one: without the comma the SDK takes each letter of the name for a plugin. Plugins come before patching.
xray_recorder.configure(service="python-app", plugins=("ECSPlugin",))
patch_all()

import orders  # noqa: E402 - after patch_all, so that the libraries it uses are patched


def main():
    # Without a segment around it, what the patched libraries record belongs to nothing and is lost.
    with xray_recorder.in_segment(), xray_recorder.in_subsegment("count-open-orders") as subsegment:
        count = orders.count_open(":memory:")
        subsegment.put_annotation("open", count)
    print(f"{count} open orders")


if __name__ == "__main__":
    main()
