"""Seeds: weights, coverage, refusal; never the nearest parcel."""

import tracemalloc
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compendium.connectome.model import ParcelSpace, VoxelSpace
from compendium.connectome.placement import locator_of, weigh_points
from compendium.connectome.random_seeds import random_seeds
from compendium.connectome.seeds import (
    ImageSite,
    ParcelSite,
    SeedRefusedError,
    Sphere,
    place_seed,
    place_seeds,
    read_seeds,
    seed_matrix,
    seed_table,
    sphere_coverage,
)
from compendium.connectome.simulate import brain_space
from compendium.connectome.tissue import describe_parcels, hemisphere, tissue_class
from compendium.errors import InputError
from tests.connectomes import voxel_space


@pytest.fixture(scope="module")
def box() -> VoxelSpace:
    """A 20 mm cube of 2 mm voxels around the origin, stored in an odd order, in a larger grid."""
    indices = np.argwhere(np.ones((10, 10, 10))).astype(np.int32) + 5
    rng = np.random.default_rng(0)
    affine = np.array([[-2, 0, 0, 19], [0, 2, 0, -19], [0, 0, 2, -19], [0, 0, 0, 1]], float)
    return VoxelSpace((20, 20, 20), affine, rng.permutation(indices), "MNI152NLin6Asym")


@pytest.fixture(scope="module")
def halves() -> ParcelSpace:
    """Two slabs left and right of x = 0 with a gap, and a third parcel without a series."""
    labels = np.zeros((40, 40, 40), np.int32)
    labels[2:18], labels[22:38] = 7, 3
    labels[:, :, 30:] *= 0
    labels[:, :, 34:36] = 9
    table = pd.DataFrame({"value": [3, 7], "name": ["right", "left"]})
    affine = nib.affines.from_matvec(np.eye(3), [-19.5, -19.5, -19.5])
    return ParcelSpace(labels, affine, table, "MNI152NLin2009cAsym")


def test_sphere_weights_are_the_shares_of_its_volume(box):
    seed = place_seed(Sphere("s", (1, 1, -3), 6), box)
    assert seed.coverage == pytest.approx(1)
    assert seed.weights.sum() == pytest.approx(1)
    assert (np.diff(seed.locations) > 0).all()
    assert (seed.weights > 0).all()
    centre = seed.weights @ box.coordinates[seed.locations]
    np.testing.assert_allclose(centre, (1, 1, -3), atol=0.1)
    volume = 4 / 3 * np.pi * 6**3
    inside = np.linalg.norm(box.coordinates[seed.locations] - (1, 1, -3), axis=1) < 6 - np.sqrt(3)
    np.testing.assert_allclose(seed.weights[inside], 8 / volume, rtol=0.35)


def test_half_a_sphere_outside_is_half_covered_and_weights_still_sum_to_one(box):
    # the mask ends at x = 10
    seed = place_seed(Sphere("edge", (10, 0, 0), 5), box, minimum_coverage=0.4)
    assert seed.coverage == pytest.approx(0.5, abs=0.01)
    assert seed.weights.sum() == pytest.approx(1)
    assert any("50%" in note for note in seed.notes)


def test_below_the_minimum_the_seed_is_refused_with_the_reason(box):
    with pytest.raises(SeedRefusedError, match=r"gone.*not represented: \d+%.*minimum is 50%"):
        place_seed(Sphere("gone", (12, 0, 0), 5), box)
    with pytest.raises(SeedRefusedError, match="0%"):
        place_seed(Sphere("far outside the grid", (500, 0, 0), 5), box, minimum_coverage=0)


@given(
    st.tuples(*[st.floats(-12, 12)] * 3),
    st.floats(0.5, 9),
)
@settings(max_examples=40, deadline=None)
def test_any_sphere_has_weights_of_one_and_coverage_between_none_and_all(centre, radius):
    indices = np.argwhere(np.ones((10, 10, 10))).astype(np.int32)
    space = VoxelSpace((10, 10, 10), nib.affines.from_matvec(np.eye(3) * 2, [-9] * 3), indices)
    seeds, refused = place_seeds([Sphere("any", centre, radius)], space, minimum_coverage=0.05)
    assert len(seeds) + len(refused) == 1
    assert all(refusal.coverage < 0.05 for refusal in refused)
    for seed in seeds:
        assert 0.05 <= seed.coverage <= 1
        assert seed.weights.sum() == pytest.approx(1)
        assert seed.locations.max() < space.n_locations


def test_parcels_are_weighted_by_overlap_and_a_parcel_without_series_is_not_covered(halves):
    seed = place_seed(Sphere("both", (0, 0, 0), 8), halves, minimum_coverage=0.5)
    assert halves.table["name"].iloc[seed.locations].tolist() == ["right", "left"]
    assert seed.weights[0] == pytest.approx(0.5, abs=0.01)
    assert 0.5 < seed.coverage < 0.7
    # parcel 9 is drawn in the image, but the table has no series for it
    with pytest.raises(SeedRefusedError, match="0%"):
        place_seed(Sphere("in parcel 9", (10, 0, 15.5), 1), halves)


def test_never_the_nearest_parcel(halves):
    with pytest.raises(SeedRefusedError):
        place_seed(Sphere("in the gap", (0, 0, 0), 2), halves)


@pytest.mark.parametrize("radius", [12, 30])
def test_a_sphere_has_no_holes_whatever_its_size(radius):
    space = _grid(edge=2, n=40)
    seed = place_seed(Sphere("s", (0.3, -1, 2), radius), space)
    distance = np.linalg.norm(space.coordinates - (0.3, -1, 2), axis=1)
    assert set(np.flatnonzero(distance <= radius - np.sqrt(3))) <= set(seed.locations)
    assert distance[seed.locations].max() <= radius + np.sqrt(3)
    inside = distance[seed.locations] < radius - np.sqrt(3)
    np.testing.assert_allclose(seed.weights[inside], 8 / (4 / 3 * np.pi * radius**3), rtol=0.5)
    assert seed.coverage == pytest.approx(1)


def test_a_sphere_finds_every_parcel_of_one_voxel_in_it():
    labels = np.arange(1, 41**3 + 1, dtype=np.int32).reshape(41, 41, 41)
    table = pd.DataFrame({"value": labels.ravel(), "name": labels.ravel().astype(str)})
    space = ParcelSpace(labels, nib.affines.from_matvec(np.eye(3), [-20] * 3), table)
    seed = place_seed(Sphere("s", (0, 0, 0), 18), space)
    places = np.argwhere(labels > 0) - 20
    inside = np.flatnonzero(np.linalg.norm(places, axis=1) <= 18 - np.sqrt(3) / 2)
    assert set(inside) <= set(seed.locations)


def test_usual_spheres_are_sampled_as_they_always_were():
    space = _grid(edge=np.float64(np.float32(1.9999999)), n=30)
    axis = (np.arange(24) + 0.5) / 24 * 24 - 12
    points = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    points = points[np.linalg.norm(points, axis=1) <= 12] + (1.2, 3.4, -5.6)
    columns = locator_of(space)(points)
    locations, weights, coverage = weigh_points(columns, np.full(len(points), 1 / len(points)))
    seed = place_seed(Sphere("s", (1.2, 3.4, -5.6), 12), space)
    np.testing.assert_array_equal(seed.locations, locations)
    np.testing.assert_array_equal(seed.weights, weights)
    assert seed.coverage == coverage
    assert sphere_coverage(np.array([seed.centre]), 12, space) == pytest.approx(coverage)
    assert sphere_coverage(np.empty((0, 3)), 12, space).shape == (0,)


def test_a_huge_sphere_needs_little_memory_and_an_absurd_one_is_refused():
    space = _grid(edge=1, n=20)
    tracemalloc.start()
    seed = place_seed(Sphere("s", (0, 0, 0), 60), space, minimum_coverage=0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert seed.n_locations == 20**3
    assert peak < 100e6
    with pytest.raises(InputError, match="largest is 100 mm"):
        place_seed(Sphere("s", (0, 0, 0), 101), space)


def test_template_mismatch_is_a_note(box):
    same = place_seed(Sphere("a", (0, 0, 0), 4, "MNI152NLin6Asym"), box)
    other = place_seed(Sphere("b", (0, 0, 0), 4, "MNI152NLin2009bAsym"), box)
    unstated = place_seed(Sphere("c", (0, 0, 0), 4, "MNI152"), box)
    assert same.notes == ()
    assert "MNI152NLin2009bAsym" in other.notes[0]
    assert "not stated" in unstated.notes[0]


def test_image_seed_lands_where_its_sphere_does(box, tmp_path):
    grid = np.argwhere(np.ones((40, 40, 40)))
    affine = nib.affines.from_matvec(np.eye(3), [-19.5, -19.5, -19.5])
    inside = np.linalg.norm(nib.affines.apply_affine(affine, grid) - (2, -1, 3), axis=1) <= 6
    image = nib.Nifti1Image(inside.reshape(40, 40, 40).astype(np.float32), affine)
    nib.save(image, tmp_path / "seed.nii.gz")
    seed = place_seed(ImageSite("image", tmp_path / "seed.nii.gz"), box)
    sphere = place_seed(Sphere("sphere", (2, -1, 3), 6), box)
    assert seed.coverage == pytest.approx(1)
    assert np.corrcoef(seed.dense(box), sphere.dense(box))[0, 1] > 0.97


def test_a_mirrored_image_is_read_by_its_affine(box, tmp_path):
    data = np.zeros((20, 20, 20), np.float32)
    data[6:9, 10:12, 10:12] = 1
    plain = nib.Nifti1Image(data, nib.affines.from_matvec(np.diag([2, 2, 2]), [-19, -19, -19]))
    flipped = nib.affines.from_matvec(np.diag([-2, 2, 2]), [19, -19, -19])
    mirrored = nib.Nifti1Image(data[::-1].copy(), flipped)
    seeds = []
    for name, image in (("plain", plain), ("mirrored", mirrored)):
        nib.save(image, tmp_path / f"{name}.nii")
        seeds.append(place_seed(ImageSite(name, tmp_path / f"{name}.nii"), box, 0.01))
    np.testing.assert_array_equal(seeds[0].locations, seeds[1].locations)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (np.zeros((4, 4, 4)), "above"),
        (np.full((4, 4, 4), -1.0), "above"),
        (np.ones((4, 4, 4, 2)), "3D"),
    ],
)
def test_images_that_are_no_seed_are_refused(box, tmp_path, data, reason):
    nib.save(nib.Nifti1Image(data.astype(np.float32), np.eye(4)), tmp_path / "bad.nii.gz")
    with pytest.raises(InputError, match=reason):
        place_seed(ImageSite("bad", tmp_path / "bad.nii.gz"), box)


def test_a_truncated_image_and_a_missing_one_are_named(box, tmp_path):
    image = nib.Nifti1Image(np.random.default_rng(0).random((20, 20, 20)), np.eye(4))
    nib.save(image, tmp_path / "cut.nii.gz")
    (tmp_path / "cut.nii.gz").write_bytes((tmp_path / "cut.nii.gz").read_bytes()[:2000])
    with pytest.raises(InputError, match=r"cut\.nii\.gz"):
        place_seed(ImageSite("cut", tmp_path / "cut.nii.gz"), box)
    with pytest.raises(InputError, match="missing"):
        place_seed(ImageSite("none", tmp_path / "none.nii"), box)


def _flipped_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(bytes(content))


def _huge(path: Path) -> None:
    header = bytearray(path.read_bytes())
    header[42:48] = b"\xff\x7f" * 3  # the lengths of its three axes
    path.write_bytes(bytes(header))


def _odd_type(path: Path) -> None:
    header = bytearray(path.read_bytes())
    header[70:72] = b"\x0f\x27"
    path.write_bytes(bytes(header))


@pytest.mark.parametrize(
    ("name", "damage"), [("a.nii.gz", _flipped_byte), ("a.nii", _huge), ("a.nii", _odd_type)]
)
def test_a_damaged_image_is_refused_with_seed_and_file(box, tmp_path, name, damage):
    image = nib.Nifti1Image(np.random.default_rng(0).random((20, 20, 20)), np.eye(4))
    nib.save(image, tmp_path / name)
    damage(tmp_path / name)
    with pytest.raises(InputError, match=rf"{name}, seed lesion: .*cannot be read"):
        place_seed(ImageSite("lesion", tmp_path / name), box)


def test_what_holds_no_plain_numbers_on_a_grid_is_refused_with_seed_and_file(box, tmp_path):
    nib.save(nib.GiftiImage(), tmp_path / "surface.gii")
    colours = np.zeros((4, 4, 4), [("R", "u1"), ("G", "u1"), ("B", "u1")])
    nib.save(nib.Nifti1Image(colours, np.eye(4)), tmp_path / "colours.nii")
    nib.save(nib.Nifti1Image(np.ones((4, 4, 4), np.complex64), np.eye(4)), tmp_path / "complex.nii")
    for name, reason in [("surface.gii", "voxels"), ("colours.nii", "R"), ("complex.nii", "compl")]:
        with pytest.raises(InputError, match=rf"{name}, seed lesion: .*cannot be read .*{reason}"):
            place_seed(ImageSite("lesion", tmp_path / name), box)


@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_an_infinite_voxel_is_refused_and_a_missing_one_has_no_weight(box, tmp_path, value):
    data = np.zeros((20, 20, 20), np.float32)
    data[6:9, 10:12, 10:12] = 1
    data[0, 0, 0] = np.nan
    nib.save(nib.Nifti1Image(data, box.affine), tmp_path / "seed.nii")
    assert place_seed(ImageSite("lesion", tmp_path / "seed.nii"), box).n_locations == 12
    data[7, 10, 10] = value
    nib.save(nib.Nifti1Image(data, box.affine), tmp_path / "seed.nii")
    with pytest.raises(InputError, match=r"seed\.nii, seed lesion: .*infinite .*: 1"):
        place_seed(ImageSite("lesion", tmp_path / "seed.nii"), box)


def test_parcel_seeds_by_name(halves, box):
    seed = place_seed(ParcelSite("l", ("left",)), halves)
    assert seed.locations.tolist() == [1]
    with pytest.raises(InputError, match="nowhere"):
        place_seed(ParcelSite("n", ("nowhere",)), halves)
    with pytest.raises(InputError, match="voxels"):
        place_seed(ParcelSite("n", ("left",)), box)


def test_place_seeds_lists_what_it_refuses(box):
    sites = [Sphere("in", (0, 0, 0), 4), Sphere("out", (50, 0, 0), 4)]
    seeds, refused = place_seeds(sites, box)
    assert [seed.name for seed in seeds] == ["in"]
    assert [refusal.name for refusal in refused] == ["out"]


def test_matrix_and_table_say_the_same(halves):
    seeds, _ = place_seeds([Sphere("left", (-10, 0, 0), 4), Sphere("both", (0, 0, 0), 8)], halves)
    matrix = seed_matrix(seeds, halves).toarray()
    np.testing.assert_allclose(matrix, [seed.dense(halves) for seed in seeds])
    table = seed_table(seeds, halves)
    assert table.loc[table["seed"] == "left", "name"].tolist() == ["left"]
    assert seed_matrix([], halves).shape == (0, 2)


def test_table_of_seeds_of_every_kind(tmp_path):
    (tmp_path / "seeds.csv").write_text(
        "\ufeffname,x,y,z,radius_mm,template,image,parcels\n"
        "M1,-37,-21,58,6,MNI152NLin6Asym,,\n"
        "lesion,,,,,,lesion.nii.gz,\n"
        "VS,,,,,,,left; right\n",
        encoding="utf-8",
    )
    sphere, image, parcels = read_seeds(tmp_path / "seeds.csv")
    assert sphere == Sphere("M1", (-37, -21, 58), 6, "MNI152NLin6Asym")
    assert image == ImageSite("lesion", tmp_path / "lesion.nii.gz")
    assert parcels == ParcelSite("VS", ("left", "right"))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("x,y,z\n1,2,3\n", "no column 'name'"),
        ("name,x,y,z,radius_mm\nM1,a,2,3,4\n", "line 2.*numbers"),
        ("name,x,y,z,radius_mm\nM1,1,2,3\n", "line 2.*numbers"),
        ("name,x,y,z\nM1,1,2,3\n", "line 2.*no column 'radius_mm'"),
        ("name,x,y,z,radius_mm\nM1,1,2,3,0\n", "line 2.*above zero"),
        ("name,x,y,z,radius_mm\nM1,1,2,3,nan\n", "line 2"),
        ("name,x,y,z,radius_mm\nM1,1,2,3,4\nM1,1,2,3,5\n", "twice"),
        ("name,x,y,z,radius_mm,image\nM1,1,2,3,4,a.nii\n", "one way"),
        ("name,image\nM1,\n", "one way"),
        ("name,x,y,z,radius_mm\n,1,2,3,4\n", "no name"),
        ("name,x,y,z,radius_mm\n  ,1,2,3,4\n", "line 2.*no name"),
        ("name,x,y,z,radius_mm\nM1,1,2,3,101\n", "line 2.*101 mm.*largest is 100 mm"),
        ("name,x,y,z,radius_mm\nM1,-37,-21,58,6,12\n", "line 2.*6 fields.*header has 5"),
        ("name,x,y,z,radius_mm\nM1,1,2,3,4\nM2,1,2,3,4,,a\n", "line 3.*7 fields"),
        ("name,x,x,y,z,radius_mm\nM1,1,2,3,4,5\n", "column 'x' occurs twice"),
        ('name,x,y,z,radius_mm\nM1,1,2,3,4\n"M2,1,2,3,4\nM3,1,2,3,4\n', "line 3.*quotation"),
        ("name,x,y,z,radius_mm\n\n\nM1,1,2,3,a\n", "line 4.*numbers"),
        ('name,x,y,z,radius_mm\n"M\n1",1,2,3,4\nM2,1,2,3,a\n', "line 4.*numbers"),
        ("name,x,y,z,radius_mm\nM1,1,2,3,4\nM1,1,2,3,5\n", "line 3.*twice"),
        ("name;x;y;z;radius_mm\nM1;-37;-21;58;6\n", "separated by ';'.*commas"),
        ('"name";"x"\n"M1";"1,5"\n', "separated by ';'.*commas"),
        ("name\tx\ty\tz\tradius_mm\nM1\t1\t2\t3\t4\n", "separated by a tab.*commas"),
        ("name,parcels\nA, ; \n", "line 2.*no parcel"),
        ("", "empty"),
        ("\n\n", "empty"),
    ],
)
def test_tables_of_seeds_that_cannot_be_meant(tmp_path, text, reason):
    (tmp_path / "seeds.csv").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=rf"seeds\.csv.*{reason}"):
        read_seeds(tmp_path / "seeds.csv")


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "utf-16-le"])
def test_a_table_in_another_encoding_is_refused(tmp_path, encoding):
    text = "name,x,y,z,radius_mm\nMéne,1,2,3,4\n" if encoding == "latin-1" else "name,x\nM1,1\n"
    (tmp_path / "seeds.csv").write_text(text, encoding=encoding)
    with pytest.raises(InputError, match=r"seeds\.csv.*UTF-8"):
        read_seeds(tmp_path / "seeds.csv")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_trailing_commas_and_blank_rows_are_nothing(tmp_path, end):
    text = end.join(
        ["name,x,y,z,radius_mm", "M1,-37,-21,58,6,,", "", ",,,,,", '"S1, hand",-40,-25,50,6,', ""]
    )
    (tmp_path / "seeds.csv").write_bytes(text.encode())
    expected = [Sphere("M1", (-37, -21, 58), 6), Sphere("S1, hand", (-40, -25, 50), 6)]
    assert read_seeds(tmp_path / "seeds.csv") == expected
    (tmp_path / "seeds.csv").write_bytes(text.replace("radius_mm", "radius_mm,,").encode())
    assert read_seeds(tmp_path / "seeds.csv") == expected


@pytest.mark.parametrize("name", ["NA", "null", "None", "nan", "N/A"])
def test_a_seed_may_be_called_what_elsewhere_means_missing(tmp_path, name):
    (tmp_path / "seeds.csv").write_text(f"name,x,y,z,radius_mm\n{name},10,9,-9,4\n")
    assert read_seeds(tmp_path / "seeds.csv") == [Sphere(name, (10, 9, -9), 4)]


def test_columns_without_a_name_and_others_are_not_read(tmp_path):
    (tmp_path / "seeds.csv").write_text(",,name,x,y,z,radius_mm,a;b\n0,1,M1,-37,-21,58,6,c\n")
    assert read_seeds(tmp_path / "seeds.csv") == [Sphere("M1", (-37, -21, 58), 6)]


def test_empty_parts_of_a_list_of_parcels_are_ignored(tmp_path):
    (tmp_path / "seeds.csv").write_text("name,parcels\nA,left;\nB,left; ;right\n")
    sites = [ParcelSite("A", ("left",)), ParcelSite("B", ("left", "right"))]
    assert read_seeds(tmp_path / "seeds.csv") == sites


def test_a_missing_table_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none\.csv"):
        read_seeds(tmp_path / "none.csv")


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ((-37, -21, 58), "cortical"),
        ((-41, 36, 33), "cortical"),
        ((-18, -21, 5), "subcortical"),
        ((-4, -26, -14), "subcortical"),
        ((2, -15, -8), "subcortical"),
        ((-10, 9, -9), "subcortical"),
        ((-22, -68, -24), "cerebellar"),
        ((-1, -88, 3), "cortical"),
    ],
)
def test_tissue_classes_of_known_places(place, expected):
    assert tissue_class(place).tolist() == [expected]


def test_parcels_are_described_from_their_image(halves):
    table = pd.concat([halves.table, pd.DataFrame({"value": [50], "name": ["absent"]})])
    described = describe_parcels(halves.labels, halves.affine, table)
    assert described["hemisphere"].tolist()[:2] == ["R", "L"]
    assert described["n_voxels"].tolist() == [16 * 40 * 30, 16 * 40 * 30 - 0, 0]
    assert described["x"].tolist()[:2] == [10, -10]
    assert described["hemisphere"].isna().tolist() == [False, False, True]


@pytest.mark.parametrize("centre", [(-37, -21, 58), (4, -26, -14), (17, -21, 3)])
def test_random_seeds_match_in_class_side_and_size(centre):
    space = brain_space(4)
    like = place_seed(Sphere("like", centre, 6), space)
    drawn = random_seeds(space, 60, like, seed=1)
    centres = np.array([seed.centre for seed in drawn])
    assert len(np.unique(centres, axis=0)) == 60
    assert set(tissue_class(centres)) == set(tissue_class(centre))
    assert set(hemisphere(centres[:, 0])) == {hemisphere(centre[0]).item()}
    assert max(abs(seed.coverage - like.coverage) for seed in drawn) <= 0.1 + 1e-9
    assert {seed.radius for seed in drawn} == {6}
    again = random_seeds(space, 60, like, seed=1)
    other = random_seeds(space, 60, like, seed=2)
    assert [seed.centre for seed in again] == [seed.centre for seed in drawn]
    assert [seed.centre for seed in other] != [seed.centre for seed in drawn]


@pytest.mark.parametrize("minimum", [0.5, 0.6])
def test_random_seeds_have_the_minimum_coverage(minimum):
    space = brain_space(4)
    like = place_seed(Sphere("like", (-37, -21, 72), 6), space)
    assert 0.5 <= like.coverage < 0.6
    drawn = random_seeds(space, 8, like, seed=1, minimum_coverage=minimum)
    assert min(seed.coverage for seed in drawn) >= minimum


def test_large_random_seeds_have_no_holes_either():
    space = brain_space(2)
    like = place_seed(Sphere("like", (-30, -10, 20), 26), space)
    (drawn,) = random_seeds(space, 1, like, seed=1)
    np.testing.assert_array_equal(
        drawn.locations, place_seed(Sphere("s", drawn.centre, 26), space).locations
    )


def test_random_seeds_in_parcels_stay_in_parcels_that_have_a_series(halves):
    like = place_seed(Sphere("like", (-10, 0, 0), 3), halves)
    drawn = random_seeds(halves, 20, like, seed=1)
    assert {int(location) for seed in drawn for location in seed.locations} == {1}


def test_what_cannot_be_matched_is_refused(box, halves):
    with pytest.raises(InputError, match="sphere"):
        random_seeds(halves, 5, place_seed(ParcelSite("p", ("left",)), halves), seed=1)
    tiny = VoxelSpace((3, 3, 3), np.eye(4), np.zeros((1, 3), np.int32))
    with pytest.raises(InputError, match="of 5 random"):
        random_seeds(tiny, 5, place_seed(Sphere("s", (-40, 0, 40), 6), _cube(-40, 0, 40)), seed=1)


def _cube(*centre: float) -> VoxelSpace:
    affine = nib.affines.from_matvec(np.eye(3) * 2, np.array(centre) - 10)
    return VoxelSpace((11, 11, 11), affine, np.argwhere(np.ones((11, 11, 11))).astype(np.int32))


def _grid(edge: float, n: int) -> VoxelSpace:
    """A cube of n voxels along each edge around the origin."""
    affine = nib.affines.from_matvec(np.eye(3) * edge, [-edge * (n - 1) / 2] * 3)
    return VoxelSpace((n, n, n), affine, np.argwhere(np.ones((n, n, n))).astype(np.int32))


def test_a_seed_image_that_does_not_say_where_it_lies_is_refused(tmp_path):
    data = np.zeros((10, 10, 10), np.uint8)
    data[4:6, 4:6, 4:6] = 1
    path = tmp_path / "seed.nii"
    nib.save(nib.Nifti1Image(data, np.diag([4.0, 4, 4, 1])), path)
    content = bytearray(path.read_bytes())
    content[252:256] = bytes(4)  # the codes of its two places
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"seed\.nii, seed one: .*does not say where"):
        place_seed(ImageSite("one", path), voxel_space())
