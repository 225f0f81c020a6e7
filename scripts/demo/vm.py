"""The demo's other home: both versions behind HAProxy, from manifests/vm.

Its configuration is the shipped one, with this machine's ports and folder in it.
"""

import json
import re
import shutil
import socket
import time
from pathlib import Path

import requests

from scripts import console
from scripts.demo.rollout import FOLDER, POLICY
from scripts.local import processes
from scripts.local.processes import Child

HOME = FOLDER / "vm"
# A socket's path has at most 107 bytes: it begins where its process works.
SOCKET = (HOME / "haproxy.sock").relative_to(processes.ROOT)
SHIPPED = processes.ROOT / "manifests" / "vm" / "etc" / "haproxy" / "haproxy.cfg"
PLACES = "/usr/sbin:/usr/local/sbin"
START_S = 180.0  # of a busy machine; one that ended is not waited for


def begin(port: int) -> bool:
    """Serve v1 and v2 behind a HAProxy at this port; False where it cannot be."""
    program = shutil.which("haproxy") or shutil.which("haproxy", path=PLACES)
    if program is None:
        console.err.print("error: needs haproxy: apt-get install haproxy")
        return False
    with socket.socket() as probe:
        if not probe.connect_ex(("127.0.0.1", port)):
            console.err.print(f"error: port {port} is taken; expected a free one")
            return False
    shutil.rmtree(HOME, ignore_errors=True)
    HOME.mkdir(parents=True)
    ports = dict(zip(("v1", "v2"), processes.free_ports(2), strict=True))
    (HOME / "haproxy.cfg").write_text(_config(port, ports), encoding="utf-8")
    started = {
        each: serve(server, processes.ROOT / "models" / server, each)
        for server, each in ports.items()
    }
    command = [program, "-W", "-db", "-f", str(HOME / "haproxy.cfg")]
    log = HOME / "haproxy.log"
    started[port] = processes.spawn(FOLDER, "haproxy", command, {}, log, HOME)
    return all(is_ready(child, each, HOME) for each, child in started.items())


def exchange(model: Path) -> bool:
    """Serve another model in v2's place; False where it does not come up."""
    (old,) = [each for each in processes.find(FOLDER) if each.role == "v2"]
    processes.end([old], grace_s=30)
    return is_ready(serve("v2", model, old.port), old.port, HOME)


def policy() -> str:
    """Write the demo's policy for this gateway; return its path."""
    target = f"target: {{proxy: intent, backend: haproxy, control: {SOCKET}}}"
    text = (processes.ROOT / POLICY).read_text(encoding="utf-8")
    path = HOME / "rollout.yaml"
    path.write_text(re.sub("^target: .*$", target, text, flags=re.MULTILINE))
    return str(path)


def serve(server: str, model: Path, port: int) -> Child:
    """Start the predictor of a server, its model pinned as the unit pins it."""
    pin = json.loads((model / "metadata.json").read_text(encoding="utf-8"))["sha256"]
    args = (f"--model_dir={model}", f"--revision={server}", f"--model_sha256={pin}")
    flags = ("--host=127.0.0.1", "--enable_grpc=false")
    command = processes.module("predictor", *args, *flags)
    log = HOME / f"{server}.log"
    return processes.spawn(FOLDER, server, command, {"PORT": str(port)}, log)


def _config(port: int, ports: dict[str, int]) -> str:
    home = str(HOME).replace(" ", "\\ ")  # a space ends a word of HAProxy's
    text = SHIPPED.read_text(encoding="utf-8")
    text = text.replace("/run/intent/haproxy.sock", f"unix@{SOCKET.name}")
    text = text.replace("/run/intent", home)
    for shipped, here in (
        (" :6000", port),
        (":8101", ports["v1"]),
        (":8102", ports["v2"]),
    ):
        address = f" 127.0.0.1:{here}" if shipped[0] == " " else f":{here}"
        text = text.replace(shipped, address)
    text = text.replace("group intent ", "")
    return re.sub(r"^  (user|group|chroot|log) .*\n", "", text, flags=re.MULTILINE)


def is_ready(child: Child, port: int, home: Path) -> bool:
    """Wait until a process answers that the model is ready; say why it never will."""
    url, deadline = f"http://127.0.0.1:{port}/v2/models/intent/ready", time.monotonic()
    while time.monotonic() < deadline + START_S and child.is_alive():
        try:
            if requests.get(url, timeout=1).ok:
                return True
        except requests.RequestException:
            pass
        time.sleep(0.2)
    log = home / f"{child.role}.log"
    why = "does not answer" if child.is_alive() else "ended"
    said = f"error: {child.role} {why}: {processes.last_line(log)}; see {log}"
    console.err.print(said, markup=False, soft_wrap=True)
    return False
