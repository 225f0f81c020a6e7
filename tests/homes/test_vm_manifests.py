"""manifests/vm: its page, units and cloud-init say the same, and are checked."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from scripts.local.processes import ROOT
from scripts.rollout.policy.reader import read
from tests.support import vm, vm_nginx

PAGE = (vm.MANIFESTS / "README.md").read_text(encoding="utf-8")
SYSTEMD = vm.MANIFESTS / "etc/systemd/system"
UNITS = sorted(SYSTEMD.glob("intent*@.service"))  # the others only ask systemd
STARTS = "systemctl start intent-rollout"


def _block(language: str) -> list[str]:
    fence = rf"^```{language}\n(.*?)^```$"
    text = "".join(re.findall(fence, PAGE, re.MULTILINE | re.DOTALL))
    return [line.removeprefix("$ ") for line in text.splitlines()]


def test_the_page_is_short_and_its_links_lead_somewhere() -> None:
    assert len(PAGE.splitlines()) <= 40
    links = re.findall(r"\]\(([^)]+)\)", PAGE)
    assert [each for each in links if not (vm.MANIFESTS / each).exists()] == []


def test_cloud_init_does_what_the_page_says_up_to_the_first_rollout() -> None:
    commands = yaml.safe_load((vm.MANIFESTS / "cloud-init.yaml").read_text())["runcmd"]
    shown = _block("console")
    until = next(i for i, each in enumerate(shown) if each.startswith(STARTS))
    assert commands[2:] == shown[:until]


def test_haproxy_takes_the_shipped_configuration(tmp_path: Path) -> None:
    here = vm.Vm(tmp_path)
    checked = [str(vm.haproxy()), "-c", "-f", str(here.config)]
    done = subprocess.run(checked, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_shipped_policy_is_of_this_home() -> None:
    policy = read(vm.MANIFESTS / "etc/intent/intent.yaml")
    assert policy.target.steered_at == "/run/intent/haproxy.sock"
    assert policy.counted_by == "gateway"


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_has_few_rights(unit: Path) -> None:
    """As systemd-analyze counts them, where there is one."""
    text = unit.read_text()
    wanted = ("NoNewPrivileges=yes", "CapabilityBoundingSet=", "ProtectSystem=strict")
    assert [each for each in wanted if f"\n{each}\n" not in text] == []
    analyze = shutil.which("systemd-analyze")
    if analyze is not None:
        asked = [analyze, "security", "--offline=true", "--threshold=20", str(unit)]
        done = subprocess.run(asked, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-300:]


def test_the_page_and_make_name_the_same_folder() -> None:
    assert "make vm" in _block("sh")
    assert "\nvm: VM := build/vm\n" in (ROOT / "Makefile").read_text()


def test_nginx_takes_the_shipped_configuration(tmp_path: Path) -> None:
    here = vm_nginx.NginxVm(tmp_path)
    done = subprocess.run(here.nginx("-t"), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_written_split_has_nginx_reloaded() -> None:
    path = (SYSTEMD / "intent-nginx.path").read_text()
    (watched,) = re.findall(r"^PathChanged=(\S+)$", path, re.MULTILINE)
    text = (vm.MANIFESTS / "etc/nginx/conf.d/intent.conf").read_text()
    assert f"include {watched};" in text
    tmpfiles = (vm.MANIFESTS / "etc/tmpfiles.d/intent.conf").read_text()
    assert f"C {watched} 0664 root intent - /etc/intent/nginx.split" in tmpfiles
    reload = (SYSTEMD / "intent-nginx.service").read_text()
    assert "ExecStart=/usr/bin/systemctl reload nginx" in reload
