"""Names of compute resources: full URLs, partial URLs, and keys in the store."""

import re

from errors import invalid

ROOT = "https://www.googleapis.com/compute/v1/"
LEADING = re.compile(r"^(https?://[^/]+/)?(compute/)?((v1|beta)/)?(?=projects/)|^https?://[^/]+/compute/(v1|beta)/")
PARTIAL = re.compile(
    r"(?:projects/(?P<project>[^/]+)/)?"
    r"(?:(?P<global>global)|(?P<scope>zones|regions)/(?P<place>[^/]+))/(?P<collection>[A-Za-z]+)/(?P<name>.+)"
)
# `projects/P/zones/Z`: places are resources, too.
PLACE = re.compile(r"(?:projects/(?P<project>[^/]+)/)?(?P<scope>zones|regions)/(?P<place>[^/]+)")


class Key:
    """`projects/P/<location>/<collection>/<name>`; the location is `global`, `regions/R` or `zones/Z`."""

    __slots__ = ("project", "location", "collection", "name")

    def __init__(self, project, location, collection, name):
        self.project = project
        self.location = location
        self.collection = collection
        self.name = name

    @property
    def path(self):
        return f"projects/{self.project}/{self.location}/{self.collection}/{self.name}"

    @property
    def link(self):
        return ROOT + self.path

    @property
    def place(self):
        """`europe-west1-b` of `zones/europe-west1-b`; None when global."""
        return self.location.partition("/")[2] or None

    def __eq__(self, other):
        return isinstance(other, Key) and self.path == other.path

    def __hash__(self):
        return hash(self.path)

    def __repr__(self):
        return self.path


def strip(url):
    """`projects/…` or `zones/…` of a full or partial URL."""
    return LEADING.sub("", url).lstrip("/")


def parse(url, project, field):
    """The key that a full or partial URL names."""
    match = PARTIAL.fullmatch(strip(url))
    if match is None:
        raise invalid(f"Invalid value for field '{field}': '{url}'. The URL is malformed.")
    location = "global" if match["global"] else f"{match['scope']}/{match['place']}"
    return Key(match["project"] or project, location, match["collection"], match["name"])


def region_of_zone(zone):
    return zone.rsplit("-", 1)[0]


def place_link(project, location):
    return f"{ROOT}projects/{project}/{location}"
