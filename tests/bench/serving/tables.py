"""What was found, as tables and a plot."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import matplotlib as mpl
from matplotlib import pyplot as plt

from tests.bench.serving.cases import BATCH, CONNECTIONS, Sample
from tests.bench.serving.peers import OTHERS, PLAIN, STATIC, STATIC_GRPC, Peer, ours

HERE = Path(__file__).parent
TABLE, PLOT = HERE.parent / "SERVING.md", HERE.parent / "serving.svg"
IMPORTS = "imports and pickle"


def title(peer: Peer, model: str) -> str:
    """A server's name; which model is said where it is not v1."""
    return f"{peer.name}, v2" if peer is PLAIN and model == "v2" else peer.name


OURS, OURS2 = title(ours("v1"), "v1"), title(ours("v2"), "v2")
FLOOR, FLOOR_GRPC = STATIC.name, STATIC_GRPC.name
KSERVE, KSERVE2 = PLAIN.name, title(PLAIN, "v2")


@dataclass(frozen=True, slots=True)
class Found:
    """Samples by server and case, a round each; seconds to ready; MiB in use."""

    samples: dict[tuple[str, str], list[Sample]] = field(
        default_factory=lambda: defaultdict(list)
    )
    starts: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    memory: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def rps(self, server: str, case: str) -> list[float]:
        """Requests a second of each round."""
        return [each.load.rps for each in self.samples[server, case]]


@dataclass(frozen=True, slots=True)
class Bar:
    """A ratio that is asked for: at least or at most `bound`."""

    what: str
    ratios: list[float]
    bound: float
    is_least: bool

    def row(self) -> list[str]:
        """Its line of the table."""
        value = median(self.ratios)
        is_met = value >= self.bound if self.is_least else value <= self.bound
        sign = "≥" if self.is_least else "≤"
        spread = f"{min(self.ratios):.2f} to {max(self.ratios):.2f}"
        met = "yes" if is_met else "no"
        return [self.what, f"{sign} {self.bound:g}", f"{value:.2f}", spread, met]


def write(found: Found) -> None:
    """Print both tables, and write them and the plot."""
    text = f"""# Serving, measured

By `make bench`, a table of one run: server on one core, load on the other, every server
started anew in each of {len(found.starts[IMPORTS])} rounds, medians. One text a
request, {CONNECTIONS} connections, 500 texts in turn.

{markdown(*_single(found))}

![CPU a request](serving.svg)

## Bars

Ratios within a round: their median and their spread.

{markdown(["", "asked", "found", "spread", "met"], [bar.row() for bar in bars(found)])}
"""
    print(text)
    TABLE.write_text(text)
    _plot(found)


def _servers(found: Found) -> list[tuple[str, str]]:
    """Server and protocol of each row, the cheapest first."""
    names = [OURS, FLOOR, KSERVE, OURS2, KSERVE2, FLOOR_GRPC, *(p.name for p in OTHERS)]
    rows = [
        (name, case)
        for name in names
        for case in ("V1", "V2", "own", "gRPC")
        if found.samples.get((name, case))
    ]
    return sorted(rows, key=lambda row: _cpu(found, *row))


def _cpu(found: Found, server: str, case: str) -> float:
    return median(each.cpu_us for each in found.samples[server, case])


def _single(found: Found) -> tuple[list[str], list[list[str]]]:
    head = ["server", "protocol", "requests/s", "spread", "CPU µs a request", "MiB"]
    rows = []
    for server, case in _servers(found):
        rps = found.rps(server, case)
        spread = f"{min(rps):,.0f} to {max(rps):,.0f}"
        memory = f"{median(found.memory[server]):.0f}"
        cpu = f"{_cpu(found, server, case):.0f}"
        rows.append([server, case, f"{median(rps):,.0f}", spread, cpu, memory])
    return head, rows


def bars(found: Found) -> list[Bar]:
    """What the project asks of itself."""

    def rps(one: tuple[str, str], other: tuple[str, str]) -> list[float]:
        return _ratios(found.rps(*one), found.rps(*other))

    def least(what: str, ratios: list[float], bound: float) -> Bar:
        return Bar(what, ratios, bound, is_least=True)

    def most(what: str, ratios: list[float], bound: float) -> Bar:
        return Bar(what, ratios, bound, is_least=False)

    alone = _p50(found, OURS, "V1 alone"), _p50(found, FLOOR, "V1 alone")
    half = found.samples[OURS, "V1 half"]
    return [
        *(
            least(
                f"v1, {way}: static ASGI answer", rps((OURS, way), (FLOOR, way)), 0.75
            )
            for way in ("V1", "V2")
        ),
        *(
            least(f"v1, {way}: plain kserve.Model", rps((OURS, way), (KSERVE, way)), 20)
            for way in ("V1", "V2")
        ),
        least("v1, V2: MLServer", rps((OURS, "V2"), ("MLServer", "V2")), 15),
        *(
            least(
                f"v2, {way}: plain kserve.Model", rps((OURS2, way), (KSERVE2, way)), 12
            )
            for way in ("V1", "V2")
        ),
        least("gRPC: static answer", rps((OURS, "gRPC"), (FLOOR_GRPC, "gRPC")), 0.8),
        *(
            least(
                f"{model}, {way}, {BATCH} texts: plain kserve.Model",
                rps((one, f"{way} batch"), (other, f"{way} batch")),
                4,
            )
            for model, one, other in (("v1", OURS, KSERVE), ("v2", OURS2, KSERVE2))
            for way in ("V1", "V2")
        ),
        most(
            "p99 / p50 at half load", [s.load.p99_us / s.load.p50_us for s in half], 3
        ),
        most("latency alone / static ASGI answer", _ratios(*alone), 1.5),
        most(
            "resident memory / plain kserve.Model",
            _ratios(found.memory[OURS], found.memory[KSERVE]),
            1.1,
        ),
        most(
            "start to ready / imports and pickle",
            _ratios(found.starts[OURS], found.starts[IMPORTS]),
            1.25,
        ),
    ]


def _p50(found: Found, server: str, case: str) -> list[float]:
    return [each.load.p50_us for each in found.samples[server, case]]


def _ratios(one: Sequence[float], other: Sequence[float]) -> list[float]:
    return [a / b for a, b in zip(one, other, strict=True)]


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _plot(found: Found) -> None:
    """CPU a request of each server, on a logarithmic axis."""
    mpl.use("svg")
    mpl.rcParams |= {"svg.hashsalt": "bench", "svg.fonttype": "none"}
    rows = _servers(found)[::-1]
    values = [_cpu(found, *row) for row in rows]
    figure, axes = plt.subplots(figsize=(8, 0.34 * len(rows) + 0.8), layout="tight")
    colours = ["#d9480f" if row[0] in (OURS, OURS2) else "#8a94a0" for row in rows]
    bars = axes.barh([f"{name}, {case}" for name, case in rows], values, color=colours)
    axes.bar_label(bars, fmt="%.0f", padding=3)
    axes.set_xscale("log")
    axes.set_xlabel("CPU µs a request, one text")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(PLOT, metadata={"Date": None})
    plt.close(figure)
