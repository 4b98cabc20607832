"""Registries on loopback, with a life no longer than their `with` block: an upstream, and a pull-through cache of it.

Knows how to start, cut off and end Debian's docker-registry. Knows nothing of ECR, nor of what an image is.
"""

import json
import shutil
import subprocess
import tempfile
from pathlib import Path

from .ministack import free_port
from .processes import answers, end_group, quiet_environment
from .storage import Storage
from .waiting import NeverHappened, until

PROGRAM = "docker-registry"


class NotInstalled(AssertionError):
    """There is no docker-registry on this machine."""


class Registry:
    """One docker-registry. With `remote` it is in proxy mode: it keeps what is pulled through it, and takes no push."""

    def __init__(self, name, folder, remote=None):
        self.name = name
        self.storage = Storage(folder / "storage")
        self.port = None
        self._folder = folder
        self._remote = remote
        self._process = None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def runs(self):
        """Whether it is there to be asked."""
        return self._process is not None

    def start(self, port=None):
        """Starts it, on a free port or on the one that it had. Returns once it answers."""
        # Nobody can reserve a port for another process, so that it may be taken before the registry binds it.
        for attempts_left in (4, 3, 2, 1, 0):
            try:
                self._start(port or free_port())
                return self
            except NeverHappened:
                log = self.log()
                self.stop()
                if not attempts_left or "address already in use" not in log:
                    raise NeverHappened(f"the {self.name} registry did not start:\n{log[-2000:]}") from None
            except BaseException:
                self.stop()
                raise
        raise AssertionError("unreachable")

    def _start(self, port):
        program = shutil.which(PROGRAM)
        if not program:
            raise NotInstalled(f"{PROGRAM} is not installed; on Debian: apt-get install docker-registry")
        self.port = port
        storage = self._folder / "storage"
        storage.mkdir(parents=True, exist_ok=True)
        configuration = {
            "version": "0.1",
            "log": {"level": "warn", "accesslog": {"disabled": True}},
            "storage": {
                "filesystem": {"rootdirectory": str(storage)},
                "maintenance": {"uploadpurging": {"enabled": False}},
            },
            "http": {"addr": f"127.0.0.1:{port}", "secret": "test"},
            **({"proxy": {"remoteurl": self._remote}} if self._remote else {}),
        }
        path = self._folder / "config.yml"
        path.write_text(json.dumps(configuration))  # JSON is YAML
        with open(self._folder / "log", "wb") as log:
            self._process = subprocess.Popen(
                [program, "serve", str(path)],
                env=quiet_environment(HOME=str(self._folder)),  # REGISTRY_... would override the configuration
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        until(self._answers, f"the {self.name} registry to answer", seconds=30)

    def _answers(self):
        return answers(self._process, f"{self.url}/v2/", f"the {self.name} registry")

    def stop(self):
        """Ends it; what it holds stays on disk. May be called again."""
        process, self._process = self._process, None
        if process is not None:
            end_group(process)

    def forget(self):
        """Removes all that it holds; it may run meanwhile, since it looks on disk each time."""
        for folder in (self._folder / "storage").glob("docker"):
            shutil.rmtree(folder, ignore_errors=True)

    def log(self):
        """What it wrote since it was started last, for an error message."""
        path = self._folder / "log"
        return path.read_text(errors="replace") if path.exists() else ""


class Registries:
    """`upstream` is the public registry, `cache` what was pulled through, `private` what was pushed by its owner."""

    def __init__(self):
        self._folder = Path(tempfile.mkdtemp(prefix="ecs-sidecar-registries-"))
        self.upstream = Registry("upstream", self._folder / "upstream")
        self.private = Registry("private", self._folder / "private")
        self.cache = None

    def __enter__(self):
        try:
            self.upstream.start()
            # In proxy mode it panics where its upstream does not answer, so it comes second.
            self.cache = Registry("cache", self._folder / "cache", remote=self.upstream.url).start()
            self.private.start()
            return self
        except BaseException:  # also Ctrl-C: __exit__ is not called for a block that was never entered
            self.stop()
            raise

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        """Ends all of them and removes what they hold; may be called again."""
        for registry in (self.cache, self.private, self.upstream):
            if registry is not None:
                registry.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def cut_upstream(self):
        """From now on nobody reaches the upstream."""
        self.upstream.stop()

    def forget(self):
        """As if they were just started, but in no time."""
        self.restore_upstream()
        for registry in (self.cache, self.private, self.upstream):
            registry.forget()

    def restore_upstream(self):
        """It is there again, with what it had, where it was."""
        if not self.upstream.runs:
            self.upstream.start(self.upstream.port)
