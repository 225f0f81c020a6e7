"""A real Prometheus, from the Debian package, in a folder of the test."""

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
import yaml

from scripts.local.processes import ROOT, free_ports
from tests.support.commands import end
from tests.support.waiting import until

CACHE = ROOT / ".cache" / "prometheus"


@dataclass(frozen=True, slots=True)
class Server:
    """A running Prometheus."""

    url: str
    process: "subprocess.Popen[bytes]"


def find() -> Path | None:
    """The one on this machine, or that of the package; None where there is neither."""
    installed = shutil.which("prometheus")
    if installed is not None:
        return Path(installed)
    unpacked = CACHE / "usr" / "bin" / "prometheus"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:  # pytest's workers fetch it once
        fcntl.flock(lock, fcntl.LOCK_EX)
        is_here = unpacked.exists() or (shutil.which("apt-get") and _fetch())
    return unpacked if is_here else None


def _fetch() -> bool:
    """Unpack the package, which needs no root; False where it cannot be fetched."""
    if not _apt("download", "prometheus"):
        _apt("update")
        if not _apt("download", "prometheus"):
            return False
    (package,) = CACHE.glob("prometheus_*.deb")
    subprocess.run(["dpkg", "-x", package.name, "."], cwd=CACHE, check=True)
    package.unlink()
    return True


def _binary() -> Path:
    """Fails in CI where there is none: what is skipped has not passed."""
    found = find()
    if found is None:
        missing = "needs Debian's package prometheus"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    return found


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


def _apt(*args: str) -> bool:
    command = ["apt-get", "-q", *args]
    return subprocess.run(command, cwd=CACHE, capture_output=True).returncode == 0


@contextmanager
def scraping(
    folder: Path, urls: Sequence[str], port: int | None = None, every_s: int = 1
) -> Iterator[Server]:
    """Read these pages every second or more, until the block ends.

    A page that is named twice belongs to two jobs.
    """
    port = port or free_ports(1)[0]
    every = {"scrape_interval": f"{every_s}s", "scrape_timeout": "1s"}
    jobs = [job(url, f"{url} {urls[:i].count(url)}") for i, url in enumerate(urls)]
    config = {"global": every, "scrape_configs": jobs}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    command = [
        str(_binary()),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    log = folder / "prometheus.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    server = Server(f"http://127.0.0.1:{port}", process)
    try:
        until(lambda: _is_ready(server, log), 30, log.read_text)
        yield server
    finally:
        end(process)


def _is_ready(server: Server, log: Path) -> bool:
    assert server.process.poll() is None, log.read_text()
    try:
        return requests.get(f"{server.url}/-/ready", timeout=1).ok
    except requests.RequestException:
        return False
