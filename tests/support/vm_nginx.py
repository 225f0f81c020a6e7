"""manifests/vm with nginx in HAProxy's place, reloaded as its path unit would do it."""

import json
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import requests

from scripts.local.processes import free_ports
from scripts.rollout.policy.policy import Target
from scripts.rollout.traffic.nginx import NginxTraffic
from tests.support import commands, debian
from tests.support.stage import POLICY
from tests.support.vm import MANIFESTS, Vm
from tests.support.waiting import POLL_S, until

# The rest of Debian's nginx.conf, with every path of it in the test's folder.
MAIN = """\
{user}
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  scgi_temp_path {folder}/scgi;
  uwsgi_temp_path {folder}/uwsgi;
  include {folder}/intent.conf;
}}
"""


def program() -> Path:
    """The program, from Debian's package."""
    return debian.program("usr/sbin/nginx", "nginx")


class NginxVm(Vm):
    """nginx before two servers, each of which is a predictor or nothing."""

    def __init__(self, folder: Path) -> None:
        """Keep everything below `folder`."""
        super().__init__(folder)
        self.control = f"http://127.0.0.1:{free_ports(1)[0]}/"
        self.split = folder / "nginx.split"
        self.split.write_text((MANIFESTS / "etc/intent/nginx.split").read_text())
        text = self.here(MANIFESTS / "etc/nginx/conf.d/intent.conf")
        status = self.control.removeprefix("http://").rstrip("/")
        for shipped, here in (
            ("listen 6000", f"listen 127.0.0.1:{self.ports['gateway']}"),
            ("127.0.0.1:6001", status),
            ("127.0.0.1:8101", f"127.0.0.1:{self.ports['v1']}"),
            ("127.0.0.1:8102", f"127.0.0.1:{self.ports['v2']}"),
        ):
            text = text.replace(shipped, here)
        (folder / "intent.conf").write_text(text)
        self.config = folder / "nginx.conf"
        user = "user root;" if os.geteuid() == 0 else ""
        self.config.write_text(MAIN.format(folder=folder, user=user))
        self._ended, self._reads = threading.Event(), self.split.read_text()
        self.refused = ""

    def begin(self, *files: Path) -> None:
        """Start nginx, and what reloads it when the split changes."""
        assert not files
        self.gateway = subprocess.Popen(self.nginx())
        until(self._answers, shown=self._log)
        self._reads = self.split.read_text()
        self.begin_unit()

    def begin_unit(self) -> None:
        """Start what reloads nginx when the split changes."""
        self._unit = threading.Thread(target=self._follow)
        self._ended.clear()
        self._unit.start()

    def nginx(self, *args: str) -> list[str]:
        """A command of this nginx."""
        return [str(program()), "-p", str(self.folder), "-c", str(self.config), *args]

    def _log(self) -> str:
        return (self.folder / "nginx.log").read_text()

    def _follow(self) -> None:
        """Be the path unit: `nginx -t`, then a reload."""
        while not self._ended.wait(POLL_S):
            text = self.split.read_text()
            if text != self._reads:
                self._reads = text
                self.reload()

    def reload(self) -> None:
        """Have nginx read its files anew, if it takes them."""
        check = subprocess.run(self.nginx("-t"), capture_output=True, text=True)
        if check.returncode:
            self.refused = check.stderr
            return
        assert self.gateway is not None
        self.gateway.send_signal(signal.SIGHUP)

    def kill(self) -> None:
        """SIGKILL nginx, master and workers; and end what reloads it."""
        assert self.gateway is not None
        self.end_unit()
        children = f"/proc/{self.gateway.pid}/task/{self.gateway.pid}/children"
        workers = Path(children).read_text().split()
        subprocess.run(["kill", "-KILL", str(self.gateway.pid), *workers], check=True)
        self.gateway.wait()

    def end_unit(self) -> None:
        """Nothing reloads nginx any more."""
        self._ended.set()
        self._unit.join()

    def status(self) -> dict[str, Any]:
        """What a worker goes by."""
        answer = requests.get(self.control, timeout=5)
        found: dict[str, Any] = json.loads(answer.text)
        return found

    def is_up(self, server: str) -> bool:
        """Whether a predictor answers there."""
        url = f"http://127.0.0.1:{self.ports[server]}/v2/models/intent/ready"
        with suppress(requests.RequestException):
            return requests.get(url, timeout=1).ok
        return False

    def weights(self) -> tuple[int, int]:
        """The weights in force."""
        percent = int(self.status()["percent"])
        return 100 - percent, percent

    def canary(self) -> str:
        """The canary's revision, as the promotion script calls it from now on."""
        target = Target(proxy="intent", backend="nginx", control=self.control)
        return NginxTraffic(self.control, target, "predictor").observe().created

    def set_by_hand(self, percent: int) -> None:
        """Write the split as the promotion script does, and wait for a worker."""
        shipped = (MANIFESTS / "etc/intent/nginx.split").read_text()
        parts = f"{percent}% v2; * v1;" if percent else "* v1;"
        text = shipped.replace("* v1;", parts)
        self.split.write_text(text.replace("default 0", f"default {percent}"))
        until(lambda: self.weights() == (100 - percent, percent))

    def policy(self, text: str = POLICY) -> Path:
        """A policy for this gateway."""
        target = f"{{proxy: intent, backend: nginx, control: '{self.control}'}}"
        path = self.folder / "rollout.yaml"
        path.write_text(f"target: {target}\n{text}")
        return path


@contextmanager
def nginx_vm(folder: Path) -> Iterator[NginxVm]:
    """Nginx until the block ends, and whatever was served behind it."""
    built = NginxVm(folder)
    built.begin()
    try:
        yield built
    finally:
        for server in list(built.predictors):
            built.stop(server)
        built.end_unit()
        assert built.gateway is not None
        commands.end(built.gateway)
