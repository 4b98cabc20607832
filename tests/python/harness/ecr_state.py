"""What an account has in ECR: pull-through rules and repositories, and where each repository's images lie.

Images are in the registries' own folders. Knows nothing of HTTP, neither of the API's nor of the registry's.
"""

import itertools
import threading
import time
from typing import NamedTuple

ACCOUNT = "111122223333"
REGION = "eu-west-1"
ROOT = "ROOT"
PUBLIC = "public.ecr.aws"


class Rule(NamedTuple):
    """A pull-through cache rule."""

    prefix: str
    upstream: str
    upstream_prefix: str
    created_at: float

    def upstream_repository(self, repository):
        """The upstream's name of a repository that falls under this rule, else None."""
        if self.prefix == ROOT:
            rest = repository
        elif repository.startswith(f"{self.prefix}/"):
            rest = repository.removeprefix(f"{self.prefix}/")
        else:
            return None
        return rest if self.upstream_prefix == ROOT else f"{self.upstream_prefix}/{rest}"


class Place(NamedTuple):
    """Where the images of a repository lie: a registry, and the repository's name there."""

    registry: object
    name: str
    pulls_through: bool

    @property
    def storage(self):
        """What is there already."""
        return self.registry.storage

    def manifest(self, reference):
        """The manifest with this tag or digest that is there already, or None."""
        digest = reference if ":" in reference else self.storage.tags(self.name).get(reference)
        return self.storage.manifest(self.name, digest) if digest else None

    def manifests(self):
        """All that are there."""
        return self.storage.manifests(self.name)

    def tags_of(self, digest):
        """The tags that stand for it, sorted."""
        return sorted(tag for tag, tagged in self.storage.tags(self.name).items() if tagged == digest)

    def blob(self, digest):
        """The file with a blob that is there completely, or None."""
        return self.storage.blob(self.name, digest)


class Repository:
    """A repository of the account."""

    def __init__(self, name, created_at):
        self.name = name
        self.created_at = created_at
        self.lifecycle_policy = None


class Ecr:
    """The account's ECR in front of `registries`: their upstream plays public.ecr.aws."""

    def __init__(self, registries):
        self.registries = registries
        self.rules = {}
        self.repositories = {}
        self._lock = threading.Lock()

    def add_rule(self, prefix, upstream=PUBLIC, upstream_prefix=ROOT):
        """Creates a rule; None if there is one for the prefix."""
        rule = Rule(prefix, upstream, upstream_prefix, time.time())
        with self._lock:
            return rule if self.rules.setdefault(prefix, rule) is rule else None

    def add_repository(self, name):
        """Creates a repository; None if there is one of that name."""
        repository = Repository(name, time.time())
        with self._lock:
            return repository if self.repositories.setdefault(name, repository) is repository else None

    def place(self, repository):
        """Where its images lie, or would lie: in the cache if a rule says so, else with what was pushed."""
        # The longest prefix counts, and ROOT only where no other one fits.
        by_length = sorted(self.rules.values(), key=lambda rule: 0 if rule.prefix == ROOT else -len(rule.prefix))
        fits = ((rule, rule.upstream_repository(repository)) for rule in by_length)
        rule, name = next(((rule, name) for rule, name in fits if name), (None, repository))
        # There is one upstream here. A rule for another one leads nowhere.
        if rule is None or rule.upstream != PUBLIC:
            return Place(self.registries.private, repository, pulls_through=False)
        return Place(self.registries.cache, name, pulls_through=True)

    @property
    def registry_host(self):
        """As image references name it."""
        return f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"


def pages(items, parameters, default=100):
    """The page that is asked for, and the token of the next one, or None. A wrong token is a ValueError."""
    start = int(parameters.get("nextToken") or 0)
    end = start + (parameters.get("maxResults") or default)
    page = list(itertools.islice(items, start, end))
    return page, (str(end) if end < len(items) else None)
