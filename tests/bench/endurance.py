"""Ten minutes at full load: memory flat, and no series more (`make bench-endurance`).

wrk asks v2 in every way: V1, V2, plain, batches, long bodies, faults, and paths,
methods, models, ids and texts that never come again.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import requests
from rich.table import Table

from scripts import console
from tests.support.predictors import MODELS, Predictor, predictor

CALLERS = 64
MOST_GROWTH = 1.03  # of memory, the last half over the first without its first minute
SCRIPT = """
local n, json = 0, {["Content-Type"] = "application/json"}
local function text() return '"where is parcel ' .. math.random(1e9) .. '?"' end
local function texts(many)
  local found = {}
  for i = 1, many do found[i] = text() end
  return "[" .. table.concat(found, ",") .. "]"
end
local v1, v2 = "/v1/models/intent:predict", "/v2/models/intent/infer"
local function tensor(data, many)
  return '{"id":"' .. n .. '","inputs":[{"name":"text","datatype":"BYTES","shape":['
    .. many .. '],"data":' .. data .. "}]}"
end
local asked = {
  function() return "POST", v2, tensor(texts(1), 1) end,
  function() return "POST", "/predict", '{"text":' .. text() .. "}" end,
  function() return "POST", v1, '{"instances":' .. texts(64) .. "}" end,
  function() return "POST", v2, tensor(texts(512), 512) end,
  function() return "POST", v1, '{"instances":["' .. ("a b"):rep(40000) .. '"]}' end,
  function() return "POST", v1, '{"instances":' .. n end,
  function() return "POST", "/v2/models/m" .. n .. "/infer", tensor(texts(1), 1) end,
  function() return "GET", "/nothing/" .. n end,
  function() return "PUT", "/predict?" .. n, "{}" end,
  function() return "GET", "/metrics" end,
}
function request()
  n = n + 1
  local method, path, body = "POST", v1, '{"instances":' .. texts(1) .. "}"
  if n % 4 == 0 then method, path, body = asked[n / 4 % #asked + 1]() end
  json["x-request-id"] = "r" .. n
  return wrk.format(method, path, json, body)
end
"""


def main() -> int:
    """Return 1 if memory or the number of series grew."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=int, default=10)
    minutes = parser.parse_args().minutes
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with predictor(folder, f"--model_dir={MODELS / 'v2'}") as server:
            rows = _loaded(server, folder, minutes)
    table = Table(*("minute", "requests", "MiB", "series", "open files"))
    for minute, row in enumerate(rows, start=1):
        table.add_row(str(minute), *(f"{each:.0f}" for each in row))
    console.table(table)
    memory = [row[1] for row in rows]
    half = minutes // 2
    growth = max(memory[half:]) / max(memory[1 : half + 1])
    series = rows[-1][2] - rows[0][2]
    print(
        f"memory: {growth:.3f} of before, at most {MOST_GROWTH}; {series:+.0f} series"
    )
    return growth > MOST_GROWTH or series > 0


def _loaded(server: Predictor, folder: Path, minutes: int) -> list[tuple[float, ...]]:
    """Return requests answered, MiB, series and open files at each minute's end."""
    script = folder / "wrk.lua"
    script.write_text(SCRIPT)
    options = ["-t1", f"-c{CALLERS}", f"-d{minutes * 60 + 5}", "--timeout", "20"]
    process = psutil.Process(server.process.pid)
    found: list[tuple[float, ...]] = []
    with subprocess.Popen(
        ["wrk", *options, "-s", str(script), server.url], stdout=subprocess.DEVNULL
    ) as load:
        for minute in range(1, minutes + 1):
            time.sleep(60)
            if load.poll() is not None:
                raise SystemExit(f"wrk ended in minute {minute}")
            page = requests.get(f"{server.url}/metrics", timeout=60).text
            lines = [each for each in page.splitlines() if not each.startswith("#")]
            of_all = [x for x in lines if x.startswith("intent_requests_total{")]
            answered = sum(float(each.split()[-1]) for each in of_all)
            rss = process.memory_info().rss / 2**20
            found.append((answered, rss, len(lines), process.num_fds()))
        load.terminate()
    return found


if __name__ == "__main__":
    sys.exit(main())
