from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from django.core.management import call_command

ROOT = Path(__file__).resolve().parent.parent
VENDORED = ROOT / "static" / "vendor" / "htmx-4.0.1"


def test_htmx_is_what_its_checksums_say():
    lines = (VENDORED / "SHA256SUMS").read_text().splitlines()
    sums = {name: digest for digest, name in (line.split() for line in lines)}
    assert set(sums) == {file.name for file in VENDORED.iterdir()} - {"SHA256SUMS"}
    for name, digest in sums.items():
        assert hashlib.sha256((VENDORED / name).read_bytes()).hexdigest() == digest


@pytest.mark.django_db(databases=["default", "risingwave"])
def test_no_migration_is_missing():
    call_command("makemigrations", check_changes=True, dry_run=True)


@pytest.mark.parametrize("package", ["django_risingwave", "live"])
def test_arrows_point_one_way(package):
    forbidden = {"django_risingwave": ("live", "config"), "live": ("config",)}[package]
    for file in (ROOT / package).rglob("*.py"):
        for line in file.read_text().splitlines():
            words = line.split()
            if words[:1] in (["import"], ["from"]):
                assert words[1].split(".")[0] not in forbidden, f"{file}: {line}"
