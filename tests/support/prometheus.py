"""A real Prometheus, from the Debian package, in a folder of the test."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
import yaml

from scripts.local.processes import ROOT, free_ports

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
    if unpacked.exists():
        return unpacked
    return unpacked if shutil.which("apt-get") and _fetch() else None


def _fetch() -> bool:
    """Unpack the package, which needs no root; False where it cannot be fetched."""
    CACHE.mkdir(parents=True, exist_ok=True)
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


def job(url: str) -> dict[str, object]:
    """Scrape the page at `url`, its query and all."""
    parts = urlsplit(url)
    found: dict[str, object] = {
        "job_name": url,
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
    folder: Path, urls: Sequence[str], port: int | None = None
) -> Iterator[Server]:
    """Read these pages once a second until the block ends."""
    port = port or free_ports(1)[0]
    every = {"scrape_interval": "1s", "scrape_timeout": "1s"}
    config = {"global": every, "scrape_configs": [job(url) for url in urls]}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    command = [
        str(_binary()),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    server = Server(f"http://127.0.0.1:{port}", process)
    try:
        _await(server, folder)
        yield server
    finally:
        process.kill()
        process.wait()


def _await(server: Server, folder: Path) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        assert server.process.poll() is None, (folder / "prometheus.log").read_text()
        try:
            if requests.get(f"{server.url}/-/ready", timeout=1).ok:
                return
        except requests.RequestException:
            time.sleep(0.1)
    raise AssertionError((folder / "prometheus.log").read_text())
