"""Microsoft's npm packages, fetched once at pinned versions and digests; see `packages.json`.

Only the generated TypeScript sources are read (`src/models/*.ts`, `src/operations/*.ts`); nothing is run.
"""

import base64
import hashlib
import json
import os
import tarfile
import tempfile
import time
import urllib.request
import io

HERE = os.path.dirname(os.path.abspath(__file__))
ATTEMPTS = 4


def manifest():
    with open(os.path.join(HERE, "packages.json"), encoding="utf-8") as file:
        return json.load(file)


def sources(package, cache):
    """The package's TypeScript sources: `{path in src/: text}`."""
    archive = _archive(package, cache)
    files = {}
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
        for member in tar:
            _, _, path = member.name.partition("/src/")
            if member.isfile() and path.endswith(".ts") and path.startswith(("models/", "operations/")):
                files[path] = tar.extractfile(member).read().decode()
    if not files:
        raise RuntimeError(f"{package['name']} {package['version']} has no sources: another generator made it")
    return files


def _archive(package, cache):
    """The tarball, from the cache or the registry; always checked against the pinned digest."""
    short = package["name"].split("/")[-1]
    name = f"{short}-{package['version']}.tgz"
    kept = os.path.join(cache, name)
    if os.path.exists(kept):
        with open(kept, "rb") as file:
            data = file.read()
        if _digest(data) == package["integrity"]:
            return data
    registry = os.environ.get("npm_config_registry", manifest()["registry"]).rstrip("/")
    address = f"{registry}/{package['name']}/-/{name}"
    data = _download(address)
    if _digest(data) != package["integrity"]:
        raise RuntimeError(f"{address} is not what was pinned: {_digest(data)} instead of {package['integrity']}")
    write(kept, data)
    return data


def _download(address):
    for attempt in range(ATTEMPTS):
        try:
            with urllib.request.urlopen(address, timeout=60) as answer:
                return answer.read()
        except OSError as error:
            if attempt == ATTEMPTS - 1:
                raise RuntimeError(f"{address}: {error} (is an npm registry within reach?)") from error
            time.sleep(2**attempt)


def _digest(data):
    return "sha512-" + base64.b64encode(hashlib.sha512(data).digest()).decode()


def write(path, data):
    """Writes a file at once: whoever reads it beside us sees all of it or nothing."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=os.path.dirname(path))
    with os.fdopen(handle, "wb") as file:
        file.write(data)
    os.replace(temporary, path)
