"""How serving grows: python -m tests.bench.serving.growth (make bench-growth)

Requests a second and p99 over connections, length of a text, texts a request, size of
the vocabulary, replicas behind Envoy. Writes what comes after the line TABLES of
GROWTH.md, and growth.svg.
"""

import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
import requests
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline

from predictor import artifact
from scripts.local.processes import ROOT, free_ports
from tests.bench.serving import load
from tests.bench.serving.load import wrk
from tests.bench.serving.peers import V1_WAY
from tests.bench.serving.servers import Running, running
from tests.bench.serving.tables import markdown
from tests.support.backends import intent, local, settles
from training import dataset

HERE = Path(__file__).parent.parent
PAGE, PLOT, TABLES = HERE / "GROWTH.md", HERE / "growth.svg", "<!-- tables -->"
SECONDS = 3.0
CONNECTIONS = (1, 4, 16, 64, 256, 1024, 2048)
LENGTHS = (1, 8, 64, 512, 2048, 8192)
BATCHES = (1, 4, 16, 64, 256, 1024)
FEATURES = (1_000, 10_000, 100_000, 1_000_000)
REPLICAS = (1, 2)


@dataclass(frozen=True, slots=True)
class Point:
    """One measured place on a curve; `mib` is the server's resident memory."""

    x: int
    rps: float
    p99_ms: float
    mib: float = 0.0


@dataclass(frozen=True, slots=True)
class Curve:
    """One series of a figure."""

    what: str
    model: str
    points: Sequence[Point]


class Growth:
    """Measures with a folder for what the load generator reads."""

    def __init__(self, folder: Path) -> None:
        """Use the project's own sentences."""
        self._folder = folder
        rows = dataset.read(dataset.DATA)
        self._texts = [row.text for row in rows]

    def curves(self) -> list[Curve]:
        """All of them, one server after the other."""
        found = []
        for model in ("v1", "v2"):
            with self._server(ROOT / "models" / model) as server:
                for what, xs, measure in (
                    ("connections", CONNECTIONS, self._connections),
                    ("characters", LENGTHS, self._characters),
                    ("texts a request", BATCHES, self._batch),
                ):
                    points = [measure(server, x) for x in xs]
                    found.append(Curve(what, model, points))
        features = [self._features(count) for count in FEATURES]
        found.append(Curve("features", "words and naive Bayes", features))
        replicas = [self._replicas(count) for count in REPLICAS]
        found.append(Curve("replicas", "v1 behind Envoy, both cores for all", replicas))
        return found

    def _server(self, model: Path) -> AbstractContextManager[Running]:
        port = free_ports(1)[0]
        command = [sys.executable, "-m", "predictor", "--model_dir", str(model)]
        options = ["--http_port", str(port), "--enable_grpc", "false"]
        return running([*command, *options], f"http://127.0.0.1:{port}", {}, ROOT)

    def _connections(self, server: Running, count: int) -> Point:
        return self._point(server, count, [[text] for text in self._texts[:500]], count)

    def _characters(self, server: Running, count: int) -> Point:
        text = " ".join(self._texts)
        starts = range(0, 500 * 97, 97)
        texts = [f"{text[start : start + count - 1]}a" for start in starts]
        return self._point(server, count, [[each] for each in texts[:100]], 64)

    def _batch(self, server: Running, count: int) -> Point:
        many = self._texts * 2
        batches = [many[start : start + count] for start in (0, 500, 1000, 1500)]
        return self._point(server, count, batches, 8)

    def _features(self, count: int) -> Point:
        """Terms of the sentences, and as many that no text has."""
        words = CountVectorizer().fit(self._texts).get_feature_names_out().tolist()
        words = [*words, *(f"word{number}" for number in range(count))][:count]
        pipeline = make_pipeline(CountVectorizer(vocabulary=words), MultinomialNB())
        labels = np.arange(len(self._texts)) % 4
        pipeline.fit(self._texts, np.array(["a", "b", "c", "d"])[labels])
        folder = self._folder / f"features-{count}"
        artifact.write(
            folder,
            pipeline,
            probe_text="hello",
            data_sha256="",
            git_commit="",
            metrics={},
        )
        with self._server(folder) as server:
            return self._point(
                server, count, [[each] for each in self._texts[:500]], 64
            )

    def _replicas(self, count: int) -> Point:
        folder = self._folder / f"replicas-{count}"
        folder.mkdir()
        with local(folder) as backend:
            document = intent("v1", None)
            document["spec"]["predictor"]["minReplicas"] = count
            backend.apply(document)
            settles(backend, [("1", 100)], created="1")
            bodies = [V1_WAY.encoded([text]) for text in self._texts[:500]]
            found = wrk(
                self._folder,
                backend.url,
                V1_WAY.path,
                bodies,
                connections=64,
                seconds=SECONDS,
                host=backend.host or "",
            )
        return Point(count, found.rps, found.p99_us / 1e3)

    def _point(
        self,
        server: Running,
        x: int,
        batches: Sequence[Sequence[str]],
        connections: int,
    ) -> Point:
        bodies = [V1_WAY.encoded(texts) for texts in batches]
        asked = requests.post(server.url + V1_WAY.path, bodies[0], timeout=30)
        asked.raise_for_status()
        found = wrk(
            self._folder,
            server.url,
            V1_WAY.path,
            bodies,
            connections=connections,
            seconds=SECONDS,
        )
        if found.bad:
            raise RuntimeError(f"{found.bad} bad answers at {x}")
        return Point(x, found.rps, found.p99_us / 1e3, server.rss_mib())


def main() -> None:
    """Measure, print, write. Raises RuntimeError."""
    load.needs()
    with tempfile.TemporaryDirectory() as folder:
        curves = Growth(Path(folder)).curves()
    tables = "\n\n".join(map(_table, curves))
    print(tables)
    kept = PAGE.read_text().partition(TABLES)[0] if PAGE.exists() else "# Growth\n\n"
    PAGE.write_text(f"{kept}{TABLES}\n\n![Growth](growth.svg)\n\n{tables}\n")
    _plot(curves)


def _table(curve: Curve) -> str:
    head = [curve.what, "requests/s", "p99 ms", "MiB"]
    rows = [
        [
            f"{point.x:,}",
            f"{point.rps:,.0f}",
            f"{point.p99_ms:.2f}",
            f"{point.mib:.0f}" if point.mib else "",
        ]
        for point in curve.points
    ]
    return f"## {curve.what.capitalize()}: {curve.model}\n\n{markdown(head, rows)}"


def _plot(curves: Sequence[Curve]) -> None:
    """Requests a second above, p99 below, a column a question."""
    mpl.use("svg")
    mpl.rcParams |= {"svg.hashsalt": "bench", "svg.fonttype": "none"}
    names = list(dict.fromkeys(curve.what for curve in curves))
    figure, axes = plt.subplots(
        2, len(names), figsize=(3 * len(names), 5), layout="tight", squeeze=False
    )
    values: tuple[tuple[str, Callable[[Point], float]], ...] = (
        ("requests/s", lambda point: point.rps),
        ("p99 ms", lambda point: point.p99_ms),
    )
    for row, (label, value) in enumerate(values):
        for column, name in enumerate(names):
            own = [curve for curve in curves if curve.what == name]
            _panel(axes[row][column], own, value)
            axes[row][column].set_xlabel(name)
        axes[row][0].set_ylabel(label)
    figure.savefig(PLOT, metadata={"Date": None})
    plt.close(figure)


def _panel(
    axes: Axes, curves: Sequence[Curve], value: Callable[[Point], float]
) -> None:
    for curve in curves:
        xs = [point.x for point in curve.points]
        axes.plot(xs, list(map(value, curve.points)), marker="o", label=curve.model)
    xs = [point.x for point in curves[0].points]
    ys = [value(point) for curve in curves for point in curve.points]
    axes.set_xscale("log")
    axes.set_xticks(xs, list(map(_short, xs)), minor=False)
    axes.set_xticks([], minor=True)
    axes.set_yscale("log")
    axes.set_ylim(min(ys) / 2, max(ys) * 2)
    axes.spines[["top", "right"]].set_visible(False)
    if len(curves) > 1:
        axes.legend(frameon=False)


def _short(number: int) -> str:
    """1k for a thousand and 1M for a million."""
    for size, letter in ((1_000_000, "M"), (1_000, "k")):
        if number >= size:
            return f"{number // size}{letter}"
    return str(number)


if __name__ == "__main__":
    try:
        main()
    except RuntimeError as error:
        sys.exit(f"error: {error}")
