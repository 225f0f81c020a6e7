"""A Job whose receiver is down, and its URL in a Secret: kept, said, never written."""

import base64
import gzip
import json

from tests.support.cluster_stage import ClusterStage
from tests.support.stage import POLICY

PATH = "s3cret-0123456789"
NOTIFY = 'notify: [{url: "${file:/secrets/notify/hook}"}]\n'


def test_a_jobs_last_message_waits_in_its_configmap_and_its_secret_is_nowhere(
    on: ClusterStage,
) -> None:
    on.version("v2")
    on.permit()
    hook = f"--from-literal=hook=http://127.0.0.1:9/{PATH}"
    on.backend.kubectl("create", "secret", "generic", "intent-notify", hook)
    job = on.job(NOTIFY + POLICY)
    on.until(lambda: on.phase() != "")
    code, said = on.verb("abort", "intent", "--reason", "enough")
    assert code == 0, said
    on.backend.kubectl("wait", "--for=condition=Failed", f"job/{job}")
    logs = on.backend.kubectl("logs", f"job/{job}")
    assert "no receipt from 127.0.0.1:9; it is kept" in logs
    left = on.backend.kubectl("get", "configmap", "intent-rollout", "-o", "json")
    kept = json.loads(left)
    (line,) = kept["data"]["unsent.jsonl"].splitlines()
    assert json.loads(line)["message"]["verdict"] == "ABORTED"
    code, said = on.verb("status", "intent")
    assert (code, "Aborted at 0 %" in said) == (0, True), said
    assert "notify[0].url: file /secrets/notify/hook: No such file" in said
    state = gzip.decompress(base64.b64decode(kept["binaryData"]["state.json.gz"]))
    objects = on.backend.kubectl("get", "configmap,event,job,pod,lease", "-o", "yaml")
    for text in (logs, left, state.decode(), objects, said):
        assert PATH not in text
