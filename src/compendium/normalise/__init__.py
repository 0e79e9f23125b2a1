"""From a registry's wording to one vocabulary, with the wording kept beside it."""
