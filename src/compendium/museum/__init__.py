"""A museum of broken exports: real defects, each read naively, then read with care.

Every exhibit makes its own small broken file, so nothing of anyone's data is on show, and is
executed each time the museum is visited: no number in it is written down by hand.
"""

from compendium.museum.collection import EXHIBITS
from compendium.museum.exhibit import Exhibit, Reading, Visit, tour, tour_table

__all__ = ["EXHIBITS", "Exhibit", "Reading", "Visit", "tour", "tour_table"]
