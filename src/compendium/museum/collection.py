"""The exhibits, in the order of the tour."""

from compendium.museum.files import FILE_EXHIBITS
from compendium.museum.values import VALUE_EXHIBITS
from compendium.museum.words import WORD_EXHIBITS

EXHIBITS = (*FILE_EXHIBITS, *VALUE_EXHIBITS, *WORD_EXHIBITS)
