"""The demo's other home: both versions behind HAProxy, from manifests/vm.

Its configuration is the shipped one, with this machine's ports and folder in it.
"""

import json
import re
import shutil
import time
from pathlib import Path

import requests

from scripts import console
from scripts.demo.rollout import FOLDER, POLICY
from scripts.local import processes

HOME = FOLDER / "vm"
SOCKET = HOME / "haproxy.sock"
SHIPPED = processes.ROOT / "manifests" / "vm" / "etc" / "haproxy" / "haproxy.cfg"
PLACES = "/usr/sbin:/usr/local/sbin"
START_S = 60.0


def begin(port: int) -> bool:
    """Serve v1 and v2 behind a HAProxy at this port; False where it cannot be."""
    program = shutil.which("haproxy") or shutil.which("haproxy", path=PLACES)
    if program is None:
        console.err.print("error: needs haproxy: apt-get install haproxy")
        return False
    shutil.rmtree(HOME, ignore_errors=True)
    HOME.mkdir(parents=True)
    ports = dict(zip(("v1", "v2"), processes.free_ports(2), strict=True))
    (HOME / "haproxy.cfg").write_text(_config(port, ports), encoding="utf-8")
    for server in ports:
        serve(server, processes.ROOT / "models" / server, ports[server])
    command = [program, "-W", "-db", "-f", str(HOME / "haproxy.cfg")]
    processes.spawn(FOLDER, "haproxy", command, {}, HOME / "haproxy.log")
    return all(_is_ready(each) for each in (port, *ports.values()))


def exchange(model: Path) -> bool:
    """Serve another model in v2's place; False where it does not come up."""
    (old,) = [each for each in processes.find(FOLDER) if each.role == "v2"]
    processes.end([old], grace_s=30)
    serve("v2", model, old.port)
    return _is_ready(old.port)


def policy() -> str:
    """Write the demo's policy for this gateway; return its path."""
    target = f"target: {{proxy: intent, backend: haproxy, control: {SOCKET}}}"
    text = (processes.ROOT / POLICY).read_text(encoding="utf-8")
    path = HOME / "rollout.yaml"
    path.write_text(re.sub("^target: .*$", target, text, flags=re.MULTILINE))
    return str(path)


def serve(server: str, model: Path, port: int) -> None:
    """Start the predictor of a server, its model pinned as the unit pins it."""
    pin = json.loads((model / "metadata.json").read_text(encoding="utf-8"))["sha256"]
    args = (f"--model_dir={model}", f"--revision={server}", f"--model_sha256={pin}")
    flags = ("--host=127.0.0.1", "--enable_grpc=false")
    command = processes.module("predictor", *args, *flags)
    log = HOME / f"{server}.log"
    processes.spawn(FOLDER, server, command, {"PORT": str(port)}, log)


def _config(port: int, ports: dict[str, int]) -> str:
    home = str(HOME).replace(" ", "\\ ")  # a space ends a word of HAProxy's
    text = SHIPPED.read_text(encoding="utf-8").replace("/run/intent", home)
    for shipped, here in (
        (" :6000", port),
        (":8101", ports["v1"]),
        (":8102", ports["v2"]),
    ):
        address = f" 127.0.0.1:{here}" if shipped[0] == " " else f":{here}"
        text = text.replace(shipped, address)
    text = text.replace("group intent ", "")
    return re.sub(r"^  (user|group|chroot|log) .*\n", "", text, flags=re.MULTILINE)


def _is_ready(port: int) -> bool:
    """Wait until something answers that the model is ready."""
    url, deadline = f"http://127.0.0.1:{port}/v2/models/intent/ready", time.monotonic()
    while time.monotonic() < deadline + START_S:
        try:
            if requests.get(url, timeout=1).ok:
                return True
        except requests.RequestException:
            pass
        time.sleep(0.2)
    console.err.print(f"error: {url} does not answer; see {HOME}")
    return False
