"""Linkage: from registrations to trials, with the evidence of every link."""

from compendium.linkage.clusters import trials_of
from compendium.linkage.link import Linkage, link_records
from compendium.linkage.review import extend_review, read_review, write_review

__all__ = [
    "Linkage",
    "extend_review",
    "link_records",
    "read_review",
    "trials_of",
    "write_review",
]
