"""`export`: a rollout's last numbers as a page for a Prometheus."""

from scripts.rollout.cli.options import Common, Named, emit, find
from scripts.rollout.errors import Exit
from scripts.rollout.report import exposed
from scripts.rollout.steering.seen import policy_of


def export(named: Named, common: Common) -> Exit:
    """Print what `run --metrics` served last, also after its end."""
    journal, saved = find(named, common)
    policy = policy_of(journal, saved)
    page = exposed.page(policy, saved, is_running=journal.is_locked())
    samples = [
        {"name": exposed.PREFIX + family.name, "labels": labels, "value": value}
        for family in page.families
        for labels, value in family.samples
    ]
    content = {"target": page.target, "samples": samples}
    emit(common.output, content, str(page).removesuffix("\n"))
    return Exit.PROMOTED
