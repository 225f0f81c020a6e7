"""Makes manifests/monitoring/dashboard.json: python -m tests.monitoring.dashboard."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

from grafana_foundation_sdk.builders import common as options
from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.builders import prometheus, stat, timeseries
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as choices
from grafana_foundation_sdk.models import dashboard as models

from tests.monitoring.rules import FOLDER, OURS

FILE = FOLDER / "dashboard.json"
SOURCE = models.DataSourceRef(type_val="prometheus", uid="${datasource}")
WHOSE = 'target_namespace="$namespace",target="$name"'
SERVED = 'namespace="$namespace",inferenceservice="$name"'
BY = "target_namespace, target"
HALF, WHOLE = 12, 24


@dataclass(frozen=True, slots=True)
class Plot:
    """A panel: its queries by what a legend calls them."""

    title: str
    description: str
    unit: str
    queries: dict[str, str]
    is_number: bool = False
    width: int = HALF


def _of(name: str, by: str = "", more: str = "") -> str:
    """The newest promoter's series, whatever pod it was in."""
    labels = f"{BY}, {by}" if by else BY
    return f"max by ({labels}) (intent_canary_{name}{{{WHOSE}{more}}})"


def _rate(name: str, by: str, more: str = "") -> str:
    labels = f"{{{SERVED}{more}}}[$__rate_interval]"
    return f"sum by ({by}) (rate({name}{labels}))"


def _quantile(share: float) -> str:
    buckets = _rate("intent_request_duration_seconds_bucket", "le, revision")
    return f"histogram_quantile({share}, {buckets})"


def _evidence(towards: str) -> str:
    more = f',towards="{towards}"'
    found, needed = (
        _of(name, "metric", more) for name in ("evidence", "evidence_needed")
    )
    return f"clamp_min(ln({found}), 0) / ln({needed})"


ROLLOUT = (
    Plot(
        "Phase",
        "Where the rollout is. Nothing where no promoter was read.",
        "none",
        {"{{phase}}": f"{_of('phase', 'phase')} == 1"},
        is_number=True,
        width=6,
    ),
    Plot(
        "Weight",
        "The share of the traffic that the promoter asked for.",
        "percentunit",
        {"weight": _of("weight_ratio")},
        is_number=True,
        width=6,
    ),
    Plot(
        "Last look",
        "The time since the promoter looked last; after 3 min somebody is woken.",
        "s",
        {"ago": f"time() - {_of('last_look_timestamp_seconds')}"},
        is_number=True,
        width=6,
    ),
    Plot(
        "At this weight",
        "The time since phase or weight began, beside the step's deadline.",
        "s",
        {
            "for": f"time() - {_of('phase_timestamp_seconds')}",
            "deadline": _of("step_deadline_seconds"),
        },
        is_number=True,
        width=6,
    ),
    Plot(
        "Split",
        "The weight asked for, and the canary's share of the counted requests.",
        "percentunit",
        {
            "asked for": _of("weight_ratio"),
            "counted": _of("counted_split_ratio"),
        },
    ),
    Plot(
        "Evidence",
        "The logarithm of each e-value by what is needed: at 100 % it decides.",
        "percentunit",
        {
            "{{metric}}: rollback": _evidence("rollback"),
            "{{metric}}: raise": _evidence("raise"),
        },
    ),
    Plot(
        "Bad outcomes",
        "The share of bad outcomes of each version, over scrapes that both have.",
        "percentunit",
        {"{{metric}}: {{arm}}": _of("bad_ratio", "metric, arm")},
    ),
    Plot(
        "Difference",
        "Canary minus stable: the interval that holds at every look, and the budget.",
        "percentunit",
        {
            "{{metric}}: {{end}}": _of("difference_ratio", "metric, end"),
            "{{metric}}: budget": _of("budget_ratio", "metric"),
        },
    ),
    Plot(
        "Labels apart",
        "How far apart the versions' predicted labels are, and the tolerance.",
        "percentunit",
        {
            "{{metric}}": _of("labels_distance_ratio", "metric"),
            "{{metric}}: tolerance": _of("tolerance_ratio", "metric"),
        },
    ),
    Plot(
        "Age of the data",
        "How long before the last look each version was read, and how far apart.",
        "s",
        {
            "{{arm}}": (
                f"{_of('last_look_timestamp_seconds')} - on ({BY}) group_right "
                f"{_of('last_data_timestamp_seconds', 'arm')}"
            ),
            "apart": _of("read_skew_seconds"),
        },
    ),
)
PREDICTORS = (
    Plot(
        "Requests",
        "Requests a second by revision.",
        "reqps",
        {"{{revision}}": _rate("intent_requests_total", "revision")},
    ),
    Plot(
        "Errors",
        "The share of answers that are errors of the revision's own, HTTP and gRPC.",
        "percentunit",
        {
            "{{revision}}": (
                f"({_rate('intent_requests_total', 'revision', OURS)} "
                f"or 0 * {_rate('intent_requests_total', 'revision')}) / "
                f"{_rate('intent_requests_total', 'revision')}"
            )
        },
    ),
    Plot(
        "Latency",
        "Half of the answers, and 99 of a hundred, came within this time.",
        "s",
        {"{{revision}}: p50": _quantile(0.5), "{{revision}}: p99": _quantile(0.99)},
    ),
    Plot(
        "Labels",
        "Texts a second by predicted label.",
        "ops",
        {
            "{{revision}}: {{label}}": _rate(
                "intent_predictions_total", "revision, label"
            )
        },
    ),
)


def _variables() -> Iterator[Builder[models.VariableModel]]:
    yield (
        builders.DatasourceVariable("datasource")
        .label("Data source")
        .type("prometheus")
    )
    for name, label in (("namespace", "target_namespace"), ("name", "target")):
        known = "" if name == "namespace" else '{target_namespace="$namespace"}'
        yield (
            builders.QueryVariable(name)
            .label(name.capitalize())
            .datasource(SOURCE)
            .query(f"label_values(intent_canary_info{known}, {label})")
            .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        )


def _kind(plot: Plot) -> stat.Panel | timeseries.Panel:
    if not plot.is_number:
        legend = options.VizLegendOptions().show_legend(True)
        legend = legend.display_mode(choices.LegendDisplayMode.LIST)
        return timeseries.Panel().legend(
            legend.placement(choices.LegendPlacement.BOTTOM)
        )
    mode = choices.BigValueTextMode
    last = options.ReduceDataOptions().calcs(["lastNotNull"])
    is_name = plot.unit == "none"
    shown = stat.Panel().text_mode(mode.NAME if is_name else mode.VALUE)
    return shown.reduce_options(last)


def _panel(number: int, plot: Plot) -> Builder[models.Panel]:
    panel = (
        _kind(plot)
        .id(number)
        .title(plot.title)
        .description(plot.description)
        .datasource(SOURCE)
        .unit(plot.unit)
        .height(4 if plot.is_number else 8)
        .span(plot.width)
    )
    for letter, (legend, query) in zip("ABC", plot.queries.items(), strict=False):
        target = prometheus.Dataquery().expr(query).legend_format(legend)
        panel = panel.with_target(target.ref_id(letter).range())
    return panel


def made() -> str:
    """The dashboard as Grafana imports it."""
    board = (
        builders.Dashboard("Canary rollout")
        .uid("intent-canary")
        .description("One rollout by evidence, and the predictors that it is about.")
        .tags(["canary", "kserve"])
        .readonly()
        .refresh("30s")
        .time("now-1h", "now")
        .timezone("browser")
    )
    for variable in _variables():
        board = board.with_variable(variable)
    numbers = count(1)
    for title, plots in (("Rollout", ROLLOUT), ("Predictors", PREDICTORS)):
        board = board.with_row(builders.Row(title).id(next(numbers)))
        for plot in plots:
            board = board.with_panel(_panel(next(numbers), plot))
    encoder = JSONEncoder(sort_keys=True, indent=1)
    return f"{encoder.encode(board.build())}\n"


if __name__ == "__main__":
    FILE.write_text(made())
    print(FILE)
