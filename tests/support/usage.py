"""A stand-in for metrics-server, in this process: what each pod is said to use."""

import json
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.site import Object, Site

VERSION = "metrics.k8s.io/v1beta1"
NAME = "v1beta1.metrics.k8s.io"
SERVICE = "usage"
KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")

Milli = Mapping[str, float]  # of a core, by pod


@contextmanager
def usage(site: Site, folder: Path, find: Callable[[str], Milli]) -> Iterator[None]:
    """Answer for `metrics.k8s.io`; `find` takes a label selector.

    Skips on a cluster that measures by itself, or on whose node this process is not.
    """
    state = ["-o", "jsonpath={.status.conditions[0].status}", "--ignore-not-found"]
    if site.kubectl("get", "apiservice", NAME, *state) == "True":
        pytest.skip("this cluster has a metrics-server")
    # An EndpointSlice may name no loopback.
    where = "jsonpath={.items[0].status.addresses[0].address}"
    address = site.kubectl("get", "nodes", "-o", where)
    try:
        server = ThreadingHTTPServer((address, 0), _handler(site.namespace, find))
    except OSError:
        pytest.skip("this process is not on the cluster's node")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*_certificate(folder))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    objects = _objects(site.namespace, address, server.server_port)
    try:
        site.kubectl("apply", "-f", "-", given=yaml.safe_dump_all(objects))
        yield
    finally:
        site.kubectl("delete", "apiservice", NAME, "--ignore-not-found")
        server.shutdown()
        thread.join()
        server.server_close()


def _certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate that the API server is told not to verify, and its key."""
    place, key = folder / "usage.crt", folder / "usage.key"
    command = ["openssl", "req", "-x509", *KEY, "-keyout", str(key)]
    command += ["-out", str(place), "-days", "1", "-subj", f"/CN={SERVICE}"]
    subprocess.run(command, check=True, capture_output=True)
    return place, key


def _objects(namespace: str, address: str, port: int) -> list[Object]:
    metadata = {"name": SERVICE, "namespace": namespace}
    labels = {"kubernetes.io/service-name": SERVICE}
    where = {"name": SERVICE, "namespace": namespace, "port": 443}
    spec = {"group": "metrics.k8s.io", "version": "v1beta1", "service": where}
    ranks = {"groupPriorityMinimum": 100, "versionPriority": 100}
    return [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata,
            "spec": {"ports": [{"port": 443, "targetPort": port}]},
        },
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {**metadata, "labels": labels},
            "addressType": "IPv4",
            "endpoints": [{"addresses": [address]}],
            "ports": [{"name": "", "port": port, "protocol": "TCP"}],
        },
        {
            "apiVersion": "apiregistration.k8s.io/v1",
            "kind": "APIService",
            "metadata": {"name": NAME},
            "spec": {**spec, **ranks, "insecureSkipTLSVerify": True},
        },
    ]


def _handler(
    namespace: str, find: Callable[[str], Milli]
) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            answer: dict[str, Any] = {"kind": "APIResourceList", "resources": []}
            answer |= {"apiVersion": "v1", "groupVersion": VERSION}
            if path.endswith("/pods"):
                answer = _metrics(namespace, find(query))
            body = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            """Be silent."""

    return Handler


def _metrics(namespace: str, found: Milli) -> Object:
    """What metrics-server would say, measured in the last second."""
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    items = [
        {
            "metadata": {"name": name, "namespace": namespace},
            "timestamp": now,
            "window": "1s",
            "containers": [
                {
                    "name": "predictor",
                    "usage": {"cpu": f"{milli:.0f}m", "memory": "100Mi"},
                }
            ],
        }
        for name, milli in found.items()
    ]
    return {"kind": "PodMetricsList", "apiVersion": VERSION, "items": items}
