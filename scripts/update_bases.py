#!/usr/bin/env python3
"""Write the digests of the images that containers begin from into docker/, behind their tags.

Dockerfiles' ``ARG BASE=NAME:TAG``, and compose files' ``image: NAME:TAG``: each becomes
``NAME:TAG@sha256:...``, by what the registry answers now. All are written, or none.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
#: An image of somebody's: what stands before it, name, tag, and the digest that is there.
REFERENCE = re.compile(
    r"(?m)^(?P<before>ARG BASE=|\s+image: |.*:-)"
    r"(?P<name>(?!dreamlib)[a-z][a-z0-9/-]*):(?P<tag>[\w.-]+)(?:@sha256:[0-9a-f]{64})?(?=\}?\"?$)"
)
KINDS = (  # an index of images for many machines first; else the one image there is
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)


def main(arguments=None):
    """Run the command; return its exit code.

    Parameters
    ----------
    arguments : list of str, optional
        By default the process's.
    """
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--registry", metavar="ADDRESS", default="https://registry-1.docker.io")
    parser.add_argument("--docker", metavar="FOLDER", type=Path, default=PROJECT / "docker")
    options = parser.parse_args(arguments)
    files = sorted([*options.docker.rglob("Dockerfile"), *options.docker.rglob("compose.yaml")])
    texts = {file: file.read_text() for file in files}
    matches = [match for text in texts.values() for match in REFERENCE.finditer(text)]
    found = {match.group("name", "tag") for match in matches}
    digests = {}
    for name, tag in sorted(found):
        try:
            digests[name, tag] = digest_of(options.registry, name, tag)
        except (OSError, ValueError) as error:
            print(
                f"update_bases.py: {options.registry}, asked for {name}:{tag}: "
                f"{getattr(error, 'reason', error)}; no digest has changed. Run this again where "
                "the registry answers",
                file=sys.stderr,
            )
            return 2
    for file, text in texts.items():
        file.write_text(REFERENCE.sub(lambda match: pinned(match, digests), text))
    for (name, tag), digest in digests.items():
        print(f"{name}:{tag}@{digest}")
    return 0


def pinned(match, digests):
    """Return a reference (match of REFERENCE) with its digest.

    Parameters
    ----------
    match : re.Match
    digests : dict of (str, str) -> str
        By name and tag.
    """
    digest = digests[match.group("name", "tag")]
    return f"{match['before']}{match['name']}:{match['tag']}@{digest}"


def digest_of(registry, name, tag):
    """Ask a registry for an image's digest: "sha256:..." of the manifest that it sends.

    Parameters
    ----------
    registry : str
        Its address.
    name, tag : str

    Raises
    ------
    OSError
        It does not answer, or has no such image.
    ValueError
        What it says of the manifest does not fit it.
    """
    path = name if "/" in name else f"library/{name}"
    url = f"{registry}/v2/{path}/manifests/{tag}"
    headers = {"Accept": ", ".join(KINDS)}
    try:
        said, manifest = ask(url, headers)
    except urllib.error.HTTPError as error:
        realm = re.search(r'realm="([^"]+)"', error.headers.get("WWW-Authenticate", ""))
        if error.code != 401 or not realm:
            raise
        scope = re.findall(r'(service|scope)="([^"]+)"', error.headers["WWW-Authenticate"])
        _, answer = ask(f"{realm[1]}?{urllib.parse.urlencode(scope)}", {})
        said, manifest = ask(url, {**headers, "Authorization": f"Bearer {token_of(answer)}"})
    digest = "sha256:" + hashlib.sha256(manifest).hexdigest()
    if said != digest:
        raise ValueError(f"it came with the digest {said}, but its manifest has {digest}")
    return digest


def token_of(answer):
    """Read the token out of what a registry's gatekeeper answers.

    Parameters
    ----------
    answer : bytes
    """
    token = json.loads(answer).get("token")
    if not token:
        raise ValueError("its gatekeeper gives no token")
    return token


def ask(url, headers):
    """Fetch an address: the digest that the server names (str or None), and the body (bytes).

    Parameters
    ----------
    url : str
    headers : dict of str to str
    """
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=30) as answer:
        return answer.headers.get("Docker-Content-Digest"), answer.read()


if __name__ == "__main__":
    sys.exit(main())
