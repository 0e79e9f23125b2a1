"""Random seeds that match a real one in all that is not the question."""

from functools import lru_cache

import nibabel as nib
import numpy as np

from compendium.connectome.model import Space, VoxelSpace
from compendium.connectome.seeds import MINIMUM_COVERAGE, Seed, sphere_coverage, weigh_sphere
from compendium.connectome.tissue import hemisphere, tissue_class
from compendium.errors import InputError

COVERAGE_TOLERANCE = 0.1
BATCH = 256
# tried for each batch wanted: the class is looked up for what is drawn, not for every voxel
BATCHES = 200


def random_seeds(
    space: Space,
    n: int,
    like: Seed,
    seed: int,
    minimum_coverage: float = MINIMUM_COVERAGE,
) -> list[Seed]:
    """Return random spheres that match a seed in class, hemisphere and size.

    Parameters
    ----------
    space : VoxelSpace or ParcelSpace
        Where the connectome's series lie.
    n : int
        How many.
    like : Seed
        The seed to match: the same tissue class, hemisphere and radius, and the same volume
        inside the connectome's space within 10 % of the sphere.
    seed : int
        Of the random numbers.
    minimum_coverage : float
        As in `place_seed`.

    Returns
    -------
    list of Seed
        Named ``random-0001`` on, in the order drawn; the same for the same arguments.

    Raises
    ------
    InputError
        If `like` is no sphere, or if too few places match it.
    """
    if like.centre is None or like.radius is None:
        raise InputError("only a sphere can be matched with random spheres", where=like.name)
    rng = np.random.default_rng([seed, 1])
    wanted_class, wanted_side = tissue_class(like.centre)[0], hemisphere(like.centre[0]).item()
    places = _places(space)
    places = places[hemisphere(places[:, 0]) == wanted_side]
    low = max(minimum_coverage, like.coverage - COVERAGE_TOLERANCE)
    high = like.coverage + COVERAGE_TOLERANCE
    seeds: list[Seed] = []
    for _ in range(BATCHES * (1 + n // BATCH) if len(places) else 0):
        drawn = places[rng.integers(len(places), size=BATCH)]
        jitter = rng.uniform(-0.5, 0.5, size=(BATCH, 3))
        centres = drawn + jitter @ np.asarray(space.affine)[:3, :3].T
        same = (hemisphere(centres[:, 0]) == wanted_side) & (tissue_class(centres) == wanted_class)
        centres = centres[same]
        coverage = sphere_coverage(centres, like.radius, space)
        for position in np.flatnonzero((coverage >= low) & (coverage <= high)):
            locations, weights, covered = weigh_sphere(centres[position], like.radius, space)
            seeds.append(
                Seed(
                    name=f"random-{len(seeds) + 1:04d}",
                    locations=locations,
                    weights=weights,
                    coverage=covered,
                    centre=tuple(float(value) for value in centres[position]),
                    radius=like.radius,
                    template=space.template,
                )
            )
            if len(seeds) == n:
                return seeds
    raise InputError(
        f"only {len(seeds)} of {n} random {wanted_side} {wanted_class} spheres of "
        f"{like.radius:g} mm have the coverage of the seed",
        where=like.name,
        remedy="ask for fewer, or for a smaller radius",
    )


@lru_cache(maxsize=8)
def _places(space: Space) -> np.ndarray:
    """Return the millimetre coordinates of every voxel that belongs to the space."""
    if isinstance(space, VoxelSpace):
        return space.coordinates
    held = np.isin(space.labels, space.table["value"].to_numpy(int)) & (space.labels > 0)
    return nib.affines.apply_affine(space.affine, np.argwhere(held))
