"""InferenceServices as tables, in kubectl's columns."""

from rich.table import Table

from scripts.local import manifest, processes, status
from scripts.local.container import Object
from scripts.local.store import Store


def services(documents: list[Object]) -> Table:
    """Tabulate InferenceServices in the columns of kubectl."""
    table = Table("NAME", "URL", "READY", "PREV", "LATEST", box=None)
    for name in ("PREVROLLEDOUTREVISION", "LATESTREADYREVISION"):
        table.add_column(name)
    for document in documents:
        current = document["status"]
        predictor = current.get("components", {}).get("predictor", {})
        shares = {each["latestRevision"]: each for each in predictor.get("traffic", ())}
        prev = shares[False]["revisionName"] if False in shares else ""
        table.add_row(
            document["metadata"]["name"],
            current.get("url", ""),
            {True: "True", False: "False", None: "Unknown"}[status.is_ready(current)],
            str(shares[False]["percent"]) if prev else "",
            str(shares[True]["percent"]) if True in shares else "",
            prev,
            predictor.get("latestReadyRevision", ""),
        )
    return table


def revisions(store: Store, documents: list[Object]) -> Table:
    """Tabulate the processes of each revision, and its percent of the traffic."""
    table = Table("REVISION", "PERCENT", "PID", "PORT", "GRPC", box=None)
    children = processes.find(store.folder)
    for document in documents:
        key = manifest.key(document)
        state = store.state(key)
        for child in sorted(children, key=lambda child: child.role):
            namespace, _, revision = child.role.partition("/")
            names = [each.name for each in state.revisions]
            if revision in names and namespace == manifest.namespace(document):
                table.add_row(
                    revision,
                    str(state.routed_percent(revision)),
                    str(child.process.pid),
                    str(child.port),
                    child.env.get("GRPC_PORT", ""),
                )
    return table
