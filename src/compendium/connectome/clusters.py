"""Cluster extent, cluster mass and TFCE for one seed, through nilearn.

These need every subject's whole map and every flip's whole map, so they cost minutes a seed where
`compendium.connectome.flips` costs less than a second. They are here for those who ask for them.
"""

from dataclasses import dataclass

import nibabel as nib
import numpy as np

from compendium.connectome.mapping import check_seeds, subject_maps
from compendium.connectome.model import VoxelSpace
from compendium.connectome.seeds import Seed
from compendium.connectome.store import Store
from compendium.errors import InputError


@dataclass(frozen=True)
class ClusterTest:
    """Family-wise p at every location, two-sided, from sign flips of whole maps.

    Attributes
    ----------
    t : ndarray, shape (P,), float64
        One-sample t of Fisher z.
    p_max_t, p_size, p_mass : ndarray, shape (P,), float64
        By the largest t, and by the size and the mass of the cluster that the location is in
        (1 outside clusters).
    p_tfce : ndarray or None
        By threshold-free cluster enhancement, where it was asked for.
    """

    t: np.ndarray
    p_max_t: np.ndarray
    p_size: np.ndarray
    p_mass: np.ndarray
    p_tfce: np.ndarray | None


def cluster_test(
    store: Store,
    seed: Seed,
    *,
    n_flips: int = 200,
    cluster_p: float = 0.001,
    tfce: bool = False,
    random_state: int = 2022,
    rule: str = "fisher-z",
) -> ClusterTest:
    """Test one seed's map by clusters.

    Parameters
    ----------
    store : Store
        A prepared connectome of voxels.
    seed : Seed
        As placed in the store's space.
    n_flips : int
        Random flips.
    cluster_p : float
        Two-sided p that forms clusters.
    tfce : bool
        Whether TFCE is done, too; it takes about two seconds a flip at 2 mm.
    random_state : int
        Of the random numbers.
    rule : {"fisher-z", "mean-r"}
        As in `compendium.connectome.mapping.map_seeds`.

    Returns
    -------
    ClusterTest

    Raises
    ------
    InputError
        If the connectome is made of parcels, which have no neighbours, or a location has no
        signal in some subject.
    """
    from nilearn.maskers import NiftiMasker
    from nilearn.mass_univariate import permuted_ols

    check_seeds(store, [seed], rule)
    if not isinstance(store.space, VoxelSpace):
        raise InputError("clusters are made of voxels, not of parcels", where=store.name)
    z = np.stack([maps[0] for _, maps in subject_maps(store, [seed], rule=rule)])
    if not np.isfinite(z).all():
        raise InputError(
            f"{int((~np.isfinite(z)).any(axis=0).sum())} locations have no signal in some subject",
            where=store.name,
            remedy="leave those subjects out, or use sign flips without clusters",
        )
    # nilearn's masks run in C order, the connectome's locations in its own
    order = np.argsort(np.ravel_multi_index(store.space.indices.T, store.space.shape))
    mask = np.zeros(store.space.shape, np.uint8)
    mask[tuple(store.space.indices.T)] = 1
    result = permuted_ols(
        np.ones((len(z), 1)),
        z[:, order].astype(float),
        model_intercept=False,
        n_perm=n_flips,
        two_sided_test=True,
        random_state=random_state,
        masker=NiftiMasker(nib.Nifti1Image(mask, store.space.affine), standardize=None).fit(),
        threshold=cluster_p,
        tfce=tfce,
        output_type="dict",
    )

    def back(name: str) -> np.ndarray:
        values = np.empty(len(order))
        values[order] = result[name][0]
        return values

    p = {name: 10 ** -back(f"logp_max_{name}") for name in ("t", "size", "mass")}
    return ClusterTest(
        t=back("t"),
        p_max_t=p["t"],
        p_size=p["size"],
        p_mass=p["mass"],
        p_tfce=10 ** -back("logp_max_tfce") if tfce else None,
    )
