"""Reads an OpenMetrics exposition on stdin with the parser of `prometheus_client`, and prints its families."""

import sys

from prometheus_client.openmetrics.parser import text_fd_to_metric_families

for family in text_fd_to_metric_families(sys.stdin):
    if not family.documentation:
        sys.exit(f"{family.name} has no help text")
    print(family.name)
