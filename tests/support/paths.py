"""Where tests find what is not theirs: the pages of this repository, and what lies next to it."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PROTOCOL = ROOT.parent / "shared" / "protocol"
"""The published shapes of answers."""
REAL_EXPORTS = ROOT.parent / "shared" / "data" / "real-exports"
"""Files that a live instance exported."""

needs_real_exports = pytest.mark.skipif(
    not REAL_EXPORTS.is_dir(), reason="the files of a live instance are not in ../shared"
)
