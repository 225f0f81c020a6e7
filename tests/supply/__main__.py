"""Write build/sbom.json and show the licences: `make sbom`."""

import json
import sys
from collections import defaultdict

from tests.supply import sbom


def main() -> int:
    """Write the bill of materials, list packages by licence."""
    bill = sbom.bill()
    path = sbom.ROOT / "build" / "sbom.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(bill, indent=1) + "\n", encoding="utf-8")
    by_licence: dict[str, list[str]] = defaultdict(list)
    for each in bill["components"]:
        stated = [one["license"]["name"] for one in each.get("licenses", ())]
        by_licence["".join(stated) or "not installed here"].append(each["name"])
    for name, packages in sorted(by_licence.items()):
        print(f"{name}: {', '.join(packages)}")
    print(f"{path.relative_to(sbom.ROOT)}: {len(bill['components'])} packages")
    return 0


if __name__ == "__main__":
    sys.exit(main())
