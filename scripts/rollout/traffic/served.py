"""Which model is served behind an address, by its digest.

An address stays and its model may be exchanged, so a revision is the address's name
and the digest of its model. What was learnt is kept in a file: a predictor that is dead
when the promoter begins anew still has its name.
"""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import urllib3

from scripts.rollout.errors import Unreachable

PATIENCE_S = 1.0  # a predictor says it within a millisecond
DIGITS = 8


class Served:
    """The revisions behind some addresses, as their predictors said last."""

    def __init__(self, file: Path, model: str) -> None:
        """Go on with what `file` knows."""
        self._file, self._model = file, model
        self._known: dict[str, str] = {}
        with suppress(FileNotFoundError, json.JSONDecodeError):
            self._known = json.loads(file.read_text(encoding="utf-8"))

    def learn(self, addresses: Mapping[str, str], http: urllib3.PoolManager) -> None:
        """Ask every server, by name, what it serves; keep what is new."""
        before = dict(self._known)
        for name, address in addresses.items():
            with suppress(urllib3.exceptions.HTTPError):
                self._known[name] = self._asked(name, address, http)
        if self._known != before:
            self._keep()

    def _asked(self, name: str, address: str, http: urllib3.PoolManager) -> str:
        """Return the revision; of a server that tells no digest it is the name."""
        url = f"http://{address}/v2/models/{self._model}"
        answer = http.request("GET", url, timeout=PATIENCE_S)
        try:
            digest = str(answer.json()["parameters"]["sha256"])
        except (ValueError, KeyError, TypeError):
            return name
        return f"{name}-{digest[:DIGITS]}"

    def _keep(self) -> None:
        new = self._file.with_suffix(".new")
        try:
            new.write_text(json.dumps(self._known), encoding="utf-8")
            os.replace(new, self._file)
        except OSError as error:
            raise Unreachable(f"{new}: {error.strerror}") from error

    def knows(self, name: str) -> bool:
        """Return whether a server has ever answered."""
        return name in self._known

    @property
    def formerly(self) -> Mapping[str, str]:
        """Return the name that each revision had before its server answered."""
        return {each: name for name, each in self._known.items() if each != name}

    def revision(self, name: str) -> str:
        """Return the revision behind a server, its name where none was told yet."""
        return self._known.get(name, name)
