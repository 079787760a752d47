"""`manage.py doctor` looks for what is wrong with a site, and says what to do."""

from __future__ import annotations

import json
import logging
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand

from live.operators.doctor.databases import database_checks
from live.operators.doctor.findings import Finding, Level, run_checks
from live.operators.doctor.process import (
    check_descriptors,
    check_settings,
    check_static_files,
    check_versions,
)

if TYPE_CHECKING:
    from django.core.management.base import CommandParser

#: How long a check may take: longer than the time to connect and a few queries of LIVE_QUERY_TIMEOUT_SECONDS.
CHECK_SECONDS = 15.0


class Command(BaseCommand):
    """Looks for what is wrong, in plain words and with a remedy each. Exits with 1 if there is a problem."""

    help = (
        "Looks for what is wrong with this site: versions, databases, rankings, settings. Exits with 1 if so."
    )
    # It runs them itself, and goes on.
    requires_system_checks: list[str] = []  # noqa: RUF012 - Django's attribute

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="Write a list of findings as JSON.")

    def handle(self, *_: Any, **options: Any) -> None:
        findings = find()
        if options["json"]:
            self.stdout.write(json.dumps([asdict(finding) for finding in findings], indent=2))
        else:
            self._write(findings)
        if any(finding.level == Level.PROBLEM for finding in findings):
            sys.exit(1)

    def _write(self, findings: list[Finding]) -> None:
        styles = {
            Level.OK: self.style.SUCCESS,
            Level.ADVICE: self.style.WARNING,
            Level.PROBLEM: self.style.ERROR,
        }
        for finding in findings:
            level = styles[finding.level](f"{finding.level:<8}")
            self.stdout.write(f"{level} {finding.subject}: {finding.text}")
            if finding.remedy:
                self.stdout.write(f"         {finding.remedy}")
        problems = sum(finding.level == Level.PROBLEM for finding in findings)
        self.stdout.write(f"{problems} problems." if problems != 1 else "1 problem.")


def find() -> list[Finding]:
    """Return all findings. Never raises, and takes little more than CHECK_SECONDS."""
    checks = {
        "versions": check_versions,
        "descriptors": check_descriptors,
        "static files": check_static_files,
        "settings": check_settings,
        **database_checks(),
    }
    # What would be logged is a finding.
    previous = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        return run_checks(checks, CHECK_SECONDS)
    finally:
        logging.disable(previous)
