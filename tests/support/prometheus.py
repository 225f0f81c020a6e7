"""A real Prometheus, from the Debian package, in a folder of the test."""

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import requests
import yaml

from scripts.local.processes import free_ports
from tests.support import debian
from tests.support.commands import end
from tests.support.waiting import until

PROGRAM = ("usr/bin/prometheus", "prometheus")


@dataclass(frozen=True, slots=True)
class Server:
    """A running Prometheus."""

    url: str
    process: "subprocess.Popen[bytes]"


def find() -> Path | None:
    """The one on this machine, or that of the package; None where there is neither."""
    return debian.find(*PROGRAM)


def job(url: str, name: str) -> dict[str, object]:
    """Scrape the page at `url`, its query and all."""
    parts = urlsplit(url)
    found: dict[str, object] = {
        "job_name": name,
        "metrics_path": parts.path,
        "static_configs": [{"targets": [parts.netloc]}],
    }
    if parts.query:
        found["params"] = parse_qs(parts.query)
    return found


@contextmanager
def scraping(
    folder: Path, urls: Sequence[str], port: int | None = None, every_s: int = 1
) -> Iterator[Server]:
    """Read these pages every second or more, until the block ends.

    A page that is named twice belongs to two jobs.
    """
    every = {"scrape_interval": f"{every_s}s", "scrape_timeout": "1s"}
    jobs = [job(url, f"{url} {urls[:i].count(url)}") for i, url in enumerate(urls)]
    with running(folder, {"global": every, "scrape_configs": jobs}, port) as server:
        yield server


@contextmanager
def running(
    folder: Path, config: Mapping[str, object], port: int | None = None
) -> Iterator[Server]:
    """Run with this configuration until the block ends."""
    port = port or free_ports(1)[0]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    command = [
        str(debian.program(*PROGRAM)),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    log = folder / "prometheus.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    server = Server(f"http://127.0.0.1:{port}", process)
    try:
        until(lambda: _is_ready(server, log), shown=log.read_text)
        yield server
    finally:
        end(process)


def _is_ready(server: Server, log: Path) -> bool:
    assert server.process.poll() is None, log.read_text()
    try:
        return requests.get(f"{server.url}/-/ready", timeout=1).ok
    except requests.RequestException:
        return False
