"""What a recording shows: rates, irregularity and synchrony of its populations, as numbers and as a page."""

from __future__ import annotations

from snnsim.report.activity import Activity as Activity
from snnsim.report.activity import measure as measure
from snnsim.report.contents import Report as Report
from snnsim.report.contents import make_report as make_report
