"""Reads metrics with the strict parser of Prometheus's own library, and says each one's type and number of samples."""

import json
import sys
import urllib.request

from prometheus_client.openmetrics.parser import text_string_to_metric_families

answer = urllib.request.urlopen(sys.argv[1], timeout=30)
families = text_string_to_metric_families(answer.read().decode())
print(json.dumps({family.name: [family.type, len(family.samples)] for family in families}))
