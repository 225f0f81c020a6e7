"""Reads flags and environment, loads the model, serves. Nothing else reads either.

    python -m predictor --model_name intent --model_dir models/v1 --http_port 8080

Every flag of kserve's ModelServer works too. PORT is what Knative sets; HTTP_PORT and
GRPC_PORT name the ports of a pod whose PORT belongs to the other protocol. A
RECORDING_TOKEN, a secret and so no flag, lets a promoter borrow requests for shadow.

    python -m predictor serve

is how SageMaker starts it: with /ping and /invocations, the model in /opt/ml/model.
"""

import argparse
import asyncio
import gc
import os
import re
import socket
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import uvloop
from kserve import ModelServer, model_server

from predictor import app, connection, log, rpc, tracing
from predictor.errors import PredictorError, StartError
from predictor.hotpath import HotPath
from predictor.managed import routes as managed
from predictor.managed.routes import MODEL_DIR
from predictor.model import IntentModel
from predictor.observer import Observed, Observer
from predictor.overload.guard import Guard
from predictor.overload.limits import LAST_S, SWITCH_S
from predictor.rpc import EVERYWHERE

# Thresholds of the three generations. A request of 1,024 texts makes 3,000 objects, and
# whoever waits holds some too: with Python's 700, 10 and 10 a seventh to a fifth of the
# time went to looking through them. What only a cycle holds is small, or collected.
GARBAGE = 5_000, 10, 100


def main() -> int:
    """Serve until SIGTERM; return 3 for a bad artifact, 4 if no server can start."""
    try:
        _serve(_options(sys.argv[1:], os.environ))
    except PredictorError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def _options(argv: Sequence[str], environ: Mapping[str, str]) -> argparse.Namespace:
    options = _parser(environ).parse_args(argv)
    is_managed = options.command == "serve"
    usual = Path(environ.get("MODEL_DIR", MODEL_DIR if is_managed else "/mnt/models"))
    options.model_dir = options.model_dir or usual
    options.enable_grpc = options.enable_grpc and not is_managed
    return options


def _parser(environ: Mapping[str, str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m predictor", parents=[model_server.parser]
    )
    parser.add_argument(
        "command",
        nargs="?",
        choices=["serve"],
        help="serve /ping and /invocations too, and no gRPC, as SageMaker asks",
    )
    parser.add_argument(
        "--model_dir",
        type=Path,
        help=f"folder of the artifact (MODEL_DIR; /mnt/models, with serve {MODEL_DIR})",
    )
    parser.add_argument(
        "--model_sha256",
        default=environ.get("MODEL_SHA256"),
        help="digest that the pickle must have, besides its metadata's (MODEL_SHA256)",
    )
    parser.add_argument(
        "--trusted_modules",
        default=environ.get("TRUSTED_MODULES", ""),
        help="a,b: modules that a pickle without a pin may name (TRUSTED_MODULES)",
    )
    parser.add_argument(
        "--host",
        default=EVERYWHERE,
        help="address to listen on; by default every one of this machine",
    )
    parser.add_argument(
        "--revision",
        default=environ.get("K_REVISION", "local"),
        help="name of this revision in answers and metrics (K_REVISION; local)",
    )
    parser.add_argument(
        "--log_requests", action="store_true", help="log one line per request"
    )
    parser.set_defaults(
        recording_token=environ.get("RECORDING_TOKEN", ""),
        model_name="intent",
        http_port=_port(environ, "HTTP_PORT") or _port(environ, "PORT") or 8080,
        grpc_port=_port(environ, "GRPC_PORT") or 8081,
    )
    return parser


def _port(environ: Mapping[str, str], name: str) -> int | None:
    value = environ.get(name)
    if value is None:
        return None
    if not value.isdecimal():
        raise StartError(f"{name}: expected a port number, got {value!r}")
    return int(value)


def _digest(value: str | None) -> str | None:
    """Return a digest to pin. An empty one is a Secret that is not there: no 'off'."""
    if value is not None and not re.fullmatch("[0-9a-fA-F]{64}", value):
        raise StartError(
            "--model_sha256 (MODEL_SHA256): expected 64 hexadecimal digits, got "
            f"{value!r}"
        )
    return value


def _serve(options: argparse.Namespace) -> None:
    if options.workers != 1:
        raise StartError(
            f"--workers {options.workers}: expected 1; several processes would answer "
            "/metrics in turns. Scale with replicas"
        )
    log.configure()
    # Long work gives the event loop Python's lock so soon; in 5 ms, the usual time, a
    # probe that takes ten turns of the loop waits for 50.
    sys.setswitchinterval(SWITCH_S)
    model = IntentModel(
        options.model_name,
        options.model_dir,
        revision=options.revision,
        expected_sha256=_digest(options.model_sha256),
        trusted=[name for name in options.trusted_modules.split(",") if name],
    )
    model.load()
    _check_port(options.host, options.http_port, "--http_port")
    if options.enable_grpc:
        _check_port(options.host, options.grpc_port, "--grpc_port")
    server = ModelServer(
        http_port=options.http_port,
        grpc_port=options.grpc_port,
        enable_grpc=options.enable_grpc,
        enable_latency_logging=False,
        grace_period=LAST_S,
    )
    server.model_repository_extension = rpc.ClosedRepository(server.registered_models)
    observed = Observed(model, log_requests=options.log_requests)
    guard = Guard(partial(Observer, observed=observed))
    app.install(
        model_server.app,
        server.dataplane,
        model,
        observed,
        options.recording_token,
        options.grpc_port if options.enable_grpc else None,
    )
    if options.command == "serve":
        managed.install(model_server.app, model)
    traces = tracing.configure(os.environ, model.source)
    path = HotPath(model, observed, traces=traces)
    model_server.RESTServer = connection.server_class(path, guard, options.host)
    model_server.GRPCServer = rpc.server_class(model, options.host, traces=traces)
    log.summarise(model.metrics, guard.faults)
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    asyncio.set_event_loop(asyncio.new_event_loop())
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GARBAGE)
    gc.enable()
    server.start([model])


def _check_port(host: str, port: int, flag: str) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise StartError(
                f"{flag} {port}: {error.strerror}; stop what listens there or choose "
                "another port"
            ) from error
